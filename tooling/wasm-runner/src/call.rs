//! Call expressions: `name(arguments)`, followed by any number of `.method(arguments)`.
//!
//! This module only cuts the text into calls; the arguments stay WAVE text, parsed later against the function's types. It must
//! therefore know where a string, a character or a multi-line string ends, since those may hold parentheses.

use std::ops::Range;

use crate::error::Error;

/// One call of a chain, as ranges of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The function's or method's name.
    pub(crate) name: Range<usize>,
    /// The argument list with its parentheses.
    pub(crate) arguments: Range<usize>,
}

/// The call expression when the words after a library's file are `--invoke CALL` or `--invoke=CALL`, as a user may well write it.
///
/// No function's name begins with a hyphen, so this hides none.
pub(crate) fn in_words(words: &[String]) -> Option<&str> {
    match words {
        [flag, call] if flag == "--invoke" => Some(call),
        [word] => word.strip_prefix("--invoke="),
        _ => None,
    }
}

/// How many calls a chain may have.
const MAX_CALLS: usize = 1000;

/// Cuts `text` into its calls; at least one.
pub(crate) fn parse(text: &str) -> Result<Vec<Call>, Error> {
    let mut calls = Vec::new();
    let mut at = skip_space(text, 0);
    loop {
        let open = text[at..]
            .find('(')
            .map(|offset| at + offset)
            .ok_or_else(|| {
                syntax(
                    text,
                    at..text.len(),
                    "expected a call",
                    "expected `name(arguments)`",
                )
            })?;
        let name = text[at..open].trim_end();
        if name.is_empty()
            || name.contains(char::is_whitespace)
            || name.contains([')', '"', '\'', ','])
        {
            return Err(syntax(
                text,
                at..open.max(at + 1),
                "expected the name of a function",
                "expected `name(arguments)`",
            ));
        }
        let close = matching(text, open)?;
        calls.push(Call {
            name: at..at + name.len(),
            arguments: open..close + 1,
        });
        at = skip_space(text, close + 1);
        if at == text.len() {
            return Ok(calls);
        }
        if !text[at..].starts_with('.') || calls.len() == MAX_CALLS {
            return Err(syntax(
                text,
                at..text.len(),
                "unexpected text after the call",
                "expected the end, or `.method(arguments)`",
            ));
        }
        at = skip_space(text, at + 1);
    }
}

/// The place of the parenthesis that closes the one at `open`.
fn matching(text: &str, open: usize) -> Result<usize, Error> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = open;
    while at < bytes.len() {
        match bytes[at] {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at);
                }
            }
            b'"' if bytes[at..].starts_with(b"\"\"\"") => {
                at += 3;
                while !bytes[at..].starts_with(b"\"\"\"") {
                    at += if bytes[at..].first() == Some(&b'\\') {
                        2
                    } else {
                        1
                    };
                    if at >= bytes.len() {
                        return Err(unclosed(text, open, "\"\"\""));
                    }
                }
                at += 2;
            }
            quote @ (b'"' | b'\'') => {
                let start = at;
                at += 1;
                while bytes.get(at) != Some(&quote) {
                    at += if bytes.get(at) == Some(&b'\\') { 2 } else { 1 };
                    if at >= bytes.len() {
                        return Err(unclosed(
                            text,
                            start,
                            if quote == b'"' { "\"" } else { "'" },
                        ));
                    }
                }
            }
            // A comment, to the end of the line.
            b'/' if bytes[at..].starts_with(b"//") => {
                while at + 1 < bytes.len() && bytes[at + 1] != b'\n' {
                    at += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(unclosed(text, open, ")"))
}

fn skip_space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

fn unclosed(text: &str, start: usize, closing: &str) -> Error {
    syntax(
        text,
        start..start + 1,
        "the call is not complete",
        &format!("`{closing}` is missing for this"),
    )
}

fn syntax(text: &str, span: Range<usize>, reason: &str, expected: &str) -> Error {
    Error::Value {
        reason: reason.to_owned(),
        text: text.to_owned(),
        span,
        expected: expected.to_owned(),
        signature: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(&str, &str)> {
        parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .into_iter()
            .map(|call| (&text[call.name], &text[call.arguments]))
            .collect()
    }

    #[test]
    fn chains() {
        assert_eq!(cut("f()"), [("f", "()")]);
        assert_eq!(
            cut(" a:b/c@1.0.0#f ( 1, (2, 3) ) "),
            [("a:b/c@1.0.0#f", "( 1, (2, 3) )")]
        );
        assert_eq!(
            cut(r#"crypto.key-pair("ed(25519").sign([1, 2]) . x(')')"#),
            [
                ("crypto.key-pair", r#"("ed(25519")"#),
                ("sign", "([1, 2])"),
                ("x", "(')')")
            ]
        );
        assert_eq!(cut(r#"f("\")", '\'')"#), [("f", r#"("\")", '\'')"#)]);
        assert_eq!(
            cut("f(\"\"\"\n )\" \n\"\"\")"),
            [("f", "(\"\"\"\n )\" \n\"\"\")")]
        );
        assert_eq!(cut("f(1 // )\n)"), [("f", "(1 // )\n)")]);
    }

    #[test]
    fn expressions_after_the_file() {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(in_words(&words(&["--invoke", "f()"])), Some("f()"));
        assert_eq!(in_words(&words(&["--invoke=f()"])), Some("f()"));
        assert_eq!(in_words(&words(&["--invoke", "f()", "x"])), None);
        assert_eq!(in_words(&words(&["f", "x"])), None);
        assert_eq!(in_words(&[]), None);
    }

    #[test]
    fn mistakes() {
        for text in [
            "",
            "f",
            "(",
            "()",
            "f(",
            "f)",
            "f())",
            "f() g()",
            "f().",
            "f().()",
            "f(\"",
            "f('",
            "f(\"\"\"",
            "f(\"\\",
            "a b()",
            "f(\"\"\"\\",
            "f(//",
            "é(",
            "f() é",
        ] {
            let error = parse(text).expect_err(text);
            // The message can be shown: its span lies in the text.
            assert!(!error.details(false).is_empty(), "{text}");
        }
    }

    #[test]
    fn any_text_is_cut_or_refused_without_a_panic() {
        // All strings of up to six of the characters that matter.
        const ALPHABET: [char; 8] = ['f', '(', ')', '"', '\'', '\\', '.', 'é'];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer: Vec<String> = texts
                .iter()
                .flat_map(|text| ALPHABET.iter().map(move |c| format!("{text}{c}")))
                .collect();
            for text in &longer {
                if let Ok(calls) = parse(text) {
                    for call in calls {
                        assert!(!text[call.name].is_empty());
                        let arguments = &text[call.arguments];
                        assert!(arguments.starts_with('(') && arguments.ends_with(')'));
                    }
                }
            }
            texts = longer;
        }
    }
}
