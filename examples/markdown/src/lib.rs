//! Markdown as a component: HTML, the outline, and what the text links to.

pub use documents::{Heading, links, outline, render, statistics};

/// What can be done with a document.
#[wasm::export]
pub mod documents {
    use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
    use regex::Regex;
    use serde::Serialize;
    use std::collections::BTreeMap;

    /// A heading of a document.
    #[derive(wasm::Record, Clone, Debug, PartialEq, Eq)]
    pub struct Heading {
        /// From 1, the largest, to 6.
        pub level: u8,
        /// Its text without markup.
        pub title: String,
        /// A name for links to it.
        pub anchor: String,
    }

    #[derive(Default, Serialize)]
    struct Statistics {
        words: usize,
        headings: BTreeMap<u8, usize>,
        links: usize,
        code_blocks: usize,
    }

    fn parser(text: &str) -> Parser<'_> {
        Parser::new_ext(
            text,
            Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS,
        )
    }

    /// Renders a document as HTML.
    pub fn render(text: String) -> String {
        let mut out = String::with_capacity(text.len() * 3 / 2);
        html::push_html(&mut out, parser(&text));
        out
    }

    /// Lists a document's headings in order.
    pub fn outline(text: &str) -> Vec<Heading> {
        let not_in_anchor = Regex::new(r"[^\w\- ]").expect("a valid expression");
        let mut headings = Vec::new();
        let mut open: Option<(HeadingLevel, String)> = None;
        for event in parser(text) {
            match event {
                Event::Start(Tag::Heading { level, .. }) => open = Some((level, String::new())),
                Event::Text(text) | Event::Code(text) => {
                    if let Some((_, title)) = &mut open {
                        title.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    if let Some((level, title)) = open.take() {
                        let anchor = not_in_anchor
                            .replace_all(&title.to_lowercase(), "")
                            .replace(' ', "-");
                        headings.push(Heading {
                            level: level as u8,
                            title,
                            anchor,
                        });
                    }
                }
                _ => {}
            }
        }
        headings
    }

    /// Lists where a document links to; addresses in plain text count as well.
    pub fn links(text: &str) -> Vec<String> {
        let address = Regex::new(r"https?://[^\s<>()]+").expect("a valid expression");
        let mut found = Vec::new();
        let mut is_in_link = false;
        for event in parser(text) {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => {
                    is_in_link = true;
                    found.push(dest_url.into_string());
                }
                Event::End(TagEnd::Link) => is_in_link = false,
                Event::Text(text) if !is_in_link => {
                    found.extend(address.find_iter(&text).map(|m| m.as_str().to_owned()))
                }
                _ => {}
            }
        }
        found
    }

    /// Counts words, headings by level, links and code blocks, as JSON.
    pub fn statistics(text: &str) -> String {
        let mut counted = Statistics {
            links: links(text).len(),
            ..Statistics::default()
        };
        for heading in outline(text) {
            *counted.headings.entry(heading.level).or_default() += 1;
        }
        for event in parser(text) {
            match event {
                Event::Text(text) | Event::Code(text) => {
                    let is_word = |part: &&str| part.chars().any(char::is_alphanumeric);
                    counted.words += text.split_whitespace().filter(is_word).count();
                }
                Event::Start(Tag::CodeBlock(_)) => counted.code_blocks += 1,
                _ => {}
            }
        }
        serde_json::to_string(&counted).expect("numbers and their names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# One\n\nSome *text*, a [link](/here) and https://example.org/x.\n\n## Two `words`!\n\n```\ncode\n```\n";

    #[test]
    fn text_becomes_html() {
        let html = render(TEXT.to_owned());
        assert!(
            html.starts_with("<h1>One</h1>\n<p>Some <em>text</em>, a <a href=\"/here\">link</a>"),
            "{html}"
        );
        assert_eq!(render(String::new()), "");
    }

    #[test]
    fn headings_make_the_outline() {
        let expected = [(1, "One", "one"), (2, "Two words!", "two-words")];
        let expected: Vec<Heading> = expected
            .into_iter()
            .map(|(level, title, anchor)| Heading {
                level,
                title: title.to_owned(),
                anchor: anchor.to_owned(),
            })
            .collect();
        assert_eq!(outline(TEXT), expected);
    }

    #[test]
    fn links_and_plain_addresses_are_found() {
        assert_eq!(links(TEXT), ["/here", "https://example.org/x."]);
    }

    #[test]
    fn statistics_are_json() {
        assert_eq!(
            statistics(TEXT),
            r#"{"words":10,"headings":{"1":1,"2":1},"links":2,"code_blocks":1}"#
        );
    }
}
