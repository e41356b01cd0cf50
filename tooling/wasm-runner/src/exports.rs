//! The functions a program exports, and finding the one a user means.
//!
//! A component's functions stand at its root or in an exported interface. A user may write the function's name alone when it is
//! unique, or `interface.name`, `interface#name`, with the interface spelt in full (`docs:md/markdown@1.0.0`), without its version,
//! or by its last part. Functions of resources are `resource(…)` for constructors and `resource.name(…)` for the rest.

use crate::error::{Error, ExportList};
use strsim::levenshtein as distance;

/// An exported function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    /// The exported interface it stands in, by its full name.
    pub(crate) interface: Option<String>,
    /// The export's name as the component spells it, such as `[method]key-pair.sign`.
    pub(crate) name: String,
    /// Parameters and results, as WIT: `(text: string) -> string`.
    pub(crate) signature: String,
}

impl Export {
    /// The name a user writes: without the mark of a resource's function.
    pub(crate) fn plain_name(&self) -> &str {
        match self.name.split_once(']') {
            Some((mark, rest)) if mark.starts_with('[') => rest,
            _ => &self.name,
        }
    }

    /// Whether it can only be called on a resource.
    pub(crate) fn is_method(&self) -> bool {
        self.name.starts_with("[method]")
    }

    /// The shortest spelling with the interface.
    pub(crate) fn display_name(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{}.{}", last_part(interface), self.plain_name()),
            None => self.plain_name().to_owned(),
        }
    }

    /// Name and type, as an error shows them.
    pub(crate) fn describe(&self) -> String {
        format!("{}: func{}", self.display_name(), self.signature)
    }

    fn answers_to(&self, word: &str) -> bool {
        let Some(interface) = &self.interface else {
            return word == self.plain_name() || word == self.name;
        };
        if word == self.plain_name() {
            return true;
        }
        let spellings = [
            interface.as_str(),
            without_version(interface),
            last_part(interface),
        ];
        spellings.iter().any(|spelling| {
            word.strip_prefix(spelling)
                .and_then(|rest| rest.strip_prefix(['.', '#', '/']))
                .is_some_and(|name| name == self.plain_name() || name == self.name)
        })
    }
}

fn without_version(interface: &str) -> &str {
    interface
        .split_once('@')
        .map_or(interface, |(name, _)| name)
}

fn last_part(interface: &str) -> &str {
    let name = without_version(interface);
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// The list of what can be called.
pub(crate) fn list(exports: &[Export]) -> ExportList {
    ExportList(exports.iter().map(Export::describe).collect())
}

/// The index of the function that `word` names. A root function wins over one in an interface.
pub(crate) fn find(exports: &[Export], word: &str) -> Result<usize, Error> {
    let matches: Vec<usize> = (0..exports.len())
        .filter(|&index| !exports[index].is_method() && exports[index].answers_to(word))
        .collect();
    if let Some(&root) = matches
        .iter()
        .find(|&&index| exports[index].interface.is_none())
    {
        return Ok(root);
    }
    match matches[..] {
        [index] => Ok(index),
        [] => Err(Error::UnknownFunction {
            name: word.to_owned(),
            nearest: nearest(exports, word),
            exports: list(exports),
        }),
        _ => Err(Error::AmbiguousFunction {
            name: word.to_owned(),
            candidates: matches
                .iter()
                .map(|&index| {
                    let export = &exports[index];
                    format!(
                        "{}#{}",
                        export.interface.as_deref().unwrap_or_default(),
                        export.plain_name()
                    )
                })
                .collect(),
        }),
    }
}

/// The most similar callable name: at most a third of its letters differ.
fn nearest(exports: &[Export], word: &str) -> Option<String> {
    const LONGEST: usize = 100;
    if word.len() > LONGEST {
        return None;
    }
    // Rust spells `hash_sha256` what the component model spells `hash-sha256`.
    let word = word.replace('_', "-").to_lowercase();
    exports
        .iter()
        .filter(|export| !export.is_method() && export.name.len() <= LONGEST)
        .flat_map(|export| [export.plain_name().to_owned(), export.display_name()])
        .map(|name| (distance(&word, &name), name))
        .filter(|(distance, name)| *distance * 3 <= name.chars().count())
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(interface: Option<&str>, name: &str) -> Export {
        Export {
            interface: interface.map(str::to_owned),
            name: name.to_owned(),
            signature: "()".to_owned(),
        }
    }

    fn sample() -> Vec<Export> {
        vec![
            export(None, "render"),
            export(Some("docs:md/markdown@1.0.0"), "render"),
            export(Some("docs:md/markdown@1.0.0"), "outline"),
            export(Some("docs:html/outline"), "outline"),
            export(Some("crypto"), "[constructor]key-pair"),
            export(Some("crypto"), "[method]key-pair.sign"),
            export(Some("crypto"), "[static]key-pair.from-seed"),
        ]
    }

    #[test]
    fn every_spelling() {
        let exports = sample();
        for (word, index) in [
            ("render", 0),
            ("markdown.render", 1),
            ("markdown#render", 1),
            ("docs:md/markdown.render", 1),
            ("docs:md/markdown@1.0.0#render", 1),
            ("markdown.outline", 2),
            ("docs:html/outline#outline", 3),
            ("key-pair", 4),
            ("crypto.key-pair", 4),
            ("crypto#[constructor]key-pair", 4),
            ("key-pair.from-seed", 6),
            ("crypto.key-pair.from-seed", 6),
        ] {
            assert_eq!(find(&exports, word).ok(), Some(index), "{word}");
        }
    }

    #[test]
    fn ambiguity_names_both() {
        let error = find(&sample(), "outline").unwrap_err();
        let Error::AmbiguousFunction { candidates, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(
            candidates[..],
            [
                "docs:md/markdown@1.0.0#outline",
                "docs:html/outline#outline"
            ]
        );
        for candidate in candidates {
            assert!(find(&sample(), candidate).is_ok(), "{candidate}");
        }
    }

    #[test]
    fn nearest_name() {
        let suggestion = |word: &str| match find(&sample(), word) {
            Err(Error::UnknownFunction { nearest, .. }) => nearest,
            other => panic!("{other:?}"),
        };
        assert_eq!(suggestion("rendr").as_deref(), Some("render"));
        assert_eq!(suggestion("key_pair").as_deref(), Some("key-pair"));
        assert_eq!(suggestion("xyz"), None);
        assert_eq!(suggestion(""), None);
        assert_eq!(suggestion(&"x".repeat(100_000)), None);
        // A method is nothing to call by itself.
        assert!(find(&sample(), "key-pair.sign").is_err());
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
