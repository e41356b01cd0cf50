//! Matching Rust's names with WIT's.

/// Equal with `_` read as `-`.
pub(super) fn same(wit: &str, rust: &str) -> bool {
    wit.len() == rust.len()
        && wit
            .bytes()
            .zip(rust.bytes())
            .all(|(a, b)| a == b || (a == b'-' && b == b'_') || (a == b'_' && b == b'-'))
}

/// Equal without regard to `-`, `_` and ASCII case.
fn similar(a: &str, b: &str) -> bool {
    let letters = |name: &str| -> Vec<u8> {
        name.bytes()
            .filter(|byte| !matches!(byte, b'-' | b'_'))
            .map(|byte| byte.to_ascii_lowercase())
            .collect()
    };
    letters(a) == letters(b)
}

/// The index of the one name that `wanted` means.
///
/// `hint` is tried first: fields usually come in order, which makes matching a whole record linear.
pub(super) fn find<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    wanted: &str,
    hint: usize,
) -> Option<usize> {
    if names
        .clone()
        .nth(hint)
        .is_some_and(|name| same(name, wanted))
    {
        return Some(hint);
    }
    if let Some(index) = names.clone().position(|name| same(name, wanted)) {
        return Some(index);
    }
    let mut candidates = names.enumerate().filter(|(_, name)| similar(name, wanted));
    match (candidates.next(), candidates.next()) {
        (Some((index, _)), None) => Some(index),
        _ => None,
    }
}

/// The names as a list for a message.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (index, name) in names.enumerate() {
        if index == 16 {
            text.push_str(", …");
            break;
        }
        text.push_str(if index == 0 { "`" } else { ", `" });
        text.push_str(name);
        text.push('`');
    }
    if text.is_empty() { "none".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_name_that_means_two_things_means_nothing() {
        let names = ["ab-c", "a-bc", "other-name"];
        let index = |wanted| find(names.iter().copied(), wanted, 0);
        assert_eq!(index("ab_c"), Some(0));
        assert_eq!(index("a_bc"), Some(1));
        assert_eq!(index("abc"), None, "`abc` could be either");
        assert_eq!(index("OtherName"), Some(2));
        assert_eq!(index("another"), None);
    }
}
