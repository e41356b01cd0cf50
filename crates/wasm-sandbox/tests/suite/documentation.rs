//! Every public item of this crate and of `wasm-memory` has an example that runs.
//!
//! An item is shown by a code block in its own documentation; a method also by one in that of its type or trait
//! that calls it. The sources are read as rustfmt writes them: one item's head on one line, at an
//! indentation that says what it belongs to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An item's name, the type or trait whose method it is, and its documentation.
#[derive(Debug, PartialEq)]
struct Item {
    owner: Option<String>,
    name: String,
    docs: String,
}

/// The identifier that `text` begins with.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// What stands after the first of these words that `line` begins with, all qualifiers skipped.
fn after_keyword<'l>(line: &'l str, keywords: &[&str]) -> Option<&'l str> {
    let mut rest = line;
    loop {
        let (word, after) = rest.split_once(' ')?;
        let is_qualifier = ["const", "unsafe", "async"].contains(&word);
        if keywords.contains(&word) && !(is_qualifier && after.starts_with("fn ")) {
            return Some(after);
        }
        if !is_qualifier {
            return None;
        }
        rest = after;
    }
}

/// The type that an inherent `impl` is for.
fn implemented(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    if line.contains(" for ") {
        return None;
    }
    // Past the parameters: `<'a, T: Trait<U>>`.
    let mut depth = 0;
    let start = rest.find(|c| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        depth == 0 && (c == ' ')
    })?;
    Some(identifier(rest[start..].trim_start()))
}

/// The public items of a file.
fn items(source: &str) -> Vec<Item> {
    const KINDS: &[&str] = &["fn", "struct", "enum", "trait", "type", "const", "static"];
    let mut found = Vec::new();
    let mut docs = String::new();
    // What the indented lines belong to, and whether all its functions are public.
    let mut owner: Option<(String, bool)> = None;
    let mut exported = false;
    for line in source.lines() {
        let (text, is_top) = (line.trim_start(), !line.starts_with(' '));
        if let Some(doc) = text.strip_prefix("///") {
            docs.push_str(doc);
            docs.push('\n');
            continue;
        }
        if text.starts_with('#') || text.is_empty() || text.starts_with(')') {
            exported |= text == "#[macro_export]";
            continue;
        }
        let public = text.strip_prefix("pub ");
        if is_top {
            if text == "mod tests {" {
                break;
            }
            let head = public.unwrap_or(text);
            owner = match after_keyword(head, &["trait"]) {
                Some(rest) => public.map(|_| (identifier(rest).into(), true)),
                None => implemented(head).map(|name| (name.into(), false)),
            };
            let item = public.and_then(|rest| after_keyword(rest, KINDS));
            let rules = text.strip_prefix("macro_rules! ").filter(|_| exported);
            found.extend(item.or(rules).map(|rest| Item {
                owner: None,
                name: identifier(rest).into(),
                docs: std::mem::take(&mut docs),
            }));
        } else if let Some((owner, all)) = &owner
            && line.starts_with("    ")
            && !line.starts_with("     ")
            && let Some(head) = public.or(all.then_some(text))
            && let Some(rest) = after_keyword(head, &["fn", "const"])
        {
            found.push(Item {
                owner: Some(owner.clone()),
                name: identifier(rest).into(),
                docs: std::mem::take(&mut docs),
            });
        }
        docs.clear();
        exported = false;
    }
    found
}

/// The code of the examples in some documentation.
fn examples(docs: &str) -> String {
    docs.split("```").skip(1).step_by(2).collect()
}

/// Whether `code` uses the method `name`.
fn calls(code: &str, name: &str) -> bool {
    ["(", "::<", ")"].iter().any(|end| {
        [".", "::"]
            .iter()
            .any(|start| code.contains(&format!("{start}{name}{end}")))
    })
}

/// The items that no example shows.
fn missing(files: &BTreeMap<PathBuf, Vec<Item>>) -> Vec<String> {
    let shown: BTreeMap<&str, String> = files
        .values()
        .flatten()
        .filter(|item| item.owner.is_none())
        .map(|item| (item.name.as_str(), examples(&item.docs)))
        .collect();
    let is_shown = |item: &Item| {
        let by_owner = |owner: &String| {
            // A private type's methods are nobody's business.
            shown
                .get(owner.as_str())
                .is_none_or(|code| calls(code, &item.name))
        };
        !examples(&item.docs).is_empty() || item.owner.as_ref().is_some_and(by_owner)
    };
    let mut list = Vec::new();
    for (file, items) in files {
        for item in items.iter().filter(|item| !is_shown(item)) {
            let owner = item.owner.as_ref().map(|owner| format!("{owner}::"));
            list.push(format!(
                "{}: {}{}",
                file.display(),
                owner.unwrap_or_default(),
                item.name
            ));
        }
    }
    list
}

fn read(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<Item>>) {
    for entry in std::fs::read_dir(folder).expect("the sources are here") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            read(&path, files);
        } else {
            let source = std::fs::read_to_string(&path).expect("it can be read");
            files.insert(path, items(&source));
        }
    }
}

#[test]
fn every_public_item_has_an_example() {
    let mut files = BTreeMap::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    read(&here.join("src"), &mut files);
    read(&here.join("../wasm-memory/src"), &mut files);
    let count: usize = files.values().map(Vec::len).sum();
    assert!(count > 230, "only {count} items were found");
    let missing = missing(&files);
    assert!(
        missing.is_empty(),
        "no example shows\n{}",
        missing.join("\n")
    );
}

#[test]
fn the_check_notices_what_is_missing() {
    let source = "
/// ```
/// Shown::made().used();
/// ```
pub struct Shown;
impl Shown {
    /// Mentioned.
    pub fn made() -> Self {}
    /// Mentioned.
    #[must_use]
    pub const fn used(&self) {}
    /// Not mentioned.
    pub async fn lost<T: Into<u8>>(&self) {}
    fn private() {}
}
impl<'a, T: Into<Vec<T>>> Shown<T> {
    pub fn generic(&self) {}
}
impl Clone for Shown {
    fn clone(&self) -> Self {}
}
/// Nothing.
pub unsafe fn bare() {}
/// ```
/// Able::able(&1);
/// ```
pub trait Able {
    fn able(&self);
    fn unable(&self);
}
/// Nothing.
#[macro_export]
macro_rules! exported {
    () => {};
}
macro_rules! internal {
    () => {};
}
pub(crate) fn internal() {}
mod tests {
pub fn test() {}
";
    let files = BTreeMap::from([(PathBuf::from("a.rs"), items(source))]);
    let expected = [
        "Shown::lost",
        "Shown::generic",
        "bare",
        "Able::unable",
        "exported",
    ];
    assert_eq!(
        missing(&files),
        expected.map(|name| format!("a.rs: {name}"))
    );
}
