//! Names: Rust identifiers as WIT names, and the crate as a WIT package.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

/// The WIT name of a Rust identifier: `KeyPair`, `key_pair` and `KEY_PAIR` are all `key-pair`.
///
/// WIT's words begin with a letter, so a word of digits joins the one before it: `vec_2d` is `vec2d`. Returns `None` when nothing is
/// left that WIT accepts, as for `_` or an identifier with letters outside ASCII.
pub(crate) fn kebab(ident: &str) -> Option<String> {
    let chars: Vec<char> = ident.chars().collect();
    let mut out = String::new();
    let mut previous = None;
    for (i, &c) in chars.iter().enumerate() {
        if c == '_' || c == '-' {
            previous = None;
            continue;
        }
        if !c.is_ascii_alphanumeric() {
            return None;
        }
        let next_is_lower = chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
        let starts_word = match previous {
            None => true,
            // `fooBar`, and the `B` of `HTTPBody`.
            Some(before) => {
                c.is_ascii_uppercase() && (!char::is_ascii_uppercase(&before) || next_is_lower)
            }
        };
        if starts_word && c.is_ascii_alphabetic() && !out.is_empty() {
            out.push('-');
        }
        if out.is_empty() && !c.is_ascii_alphabetic() {
            return None;
        }
        out.push(c.to_ascii_lowercase());
        previous = Some(c);
    }
    (!out.is_empty()).then_some(out)
}

/// The WIT name of an identifier, or an error at it.
pub(crate) fn wit_name(ident: &Ident) -> syn::Result<String> {
    kebab(&ident.unraw().to_string()).ok_or_else(|| {
        syn::Error::new(
            ident.span(),
            format!("`{ident}` cannot be written as a WIT name\nhelp: use ASCII letters, digits and `_`, beginning with a letter"),
        )
    })
}

/// The package of the crate that is being compiled.
pub(crate) struct Package {
    /// As in `component:shop`.
    name: String,
    /// As in `1.0.0`; empty when Cargo does not say.
    version: String,
}

impl Package {
    /// The package that Cargo's environment describes.
    pub(crate) fn current() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let crate_name = [variable("CARGO_PKG_NAME"), variable("CARGO_CRATE_NAME")];
        let name = crate_name
            .iter()
            .find_map(|name| kebab(name))
            .unwrap_or_else(|| "app".to_owned());
        Self {
            name: format!("component:{name}"),
            version: variable("CARGO_PKG_VERSION"),
        }
    }

    fn at_version(&self) -> String {
        if self.version.is_empty() {
            String::new()
        } else {
            format!("@{}", self.version)
        }
    }

    /// The package's id, as in `component:shop@1.0.0`.
    pub(crate) fn id(&self) -> String {
        format!("{}{}", self.name, self.at_version())
    }

    /// The id of one of its interfaces, as in `component:shop/orders@1.0.0`.
    pub(crate) fn interface(&self, name: &str) -> String {
        format!("{}/{name}{}", self.name, self.at_version())
    }
}

/// Whether `text` is the full id of an interface, as in `acme:shop/orders@1.0.0`.
pub(crate) fn is_interface_id(text: &str) -> bool {
    let (path, version) = text.split_once('@').unwrap_or((text, "1.0.0"));
    let Some((package, interface)) = path.split_once('/') else {
        return false;
    };
    let Some((namespace, name)) = package.split_once(':') else {
        return false;
    };
    let is_version_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    [namespace, name, interface].into_iter().all(is_wit_name)
        && !version.is_empty()
        && version.chars().all(is_version_char)
}

/// Whether `text` is a WIT name: words of lower-case letters and digits joined by hyphens.
pub(crate) fn is_wit_name(text: &str) -> bool {
    text.split('-').all(|word| {
        let mut bytes = word.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_lowercase())
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_names_become_wit_names() {
        for (rust, wit) in [
            ("KeyPair", "key-pair"),
            ("key_pair", "key-pair"),
            ("KEY_PAIR", "key-pair"),
            ("HTTPBody", "http-body"),
            ("hash_sha256", "hash-sha256"),
            ("vec_2d", "vec2d"),
            ("Vec3F", "vec3-f"),
            ("a", "a"),
            ("_x__y_", "x-y"),
        ] {
            assert_eq!(kebab(rust).as_deref(), Some(wit), "{rust}");
        }
        for rust in ["_", "__", "größe", "_1"] {
            assert_eq!(kebab(rust), None, "{rust}");
        }
    }

    #[test]
    fn interface_ids_are_recognised() {
        assert!(is_interface_id("acme:shop/orders@1.0.0-rc.1"));
        assert!(is_interface_id("wasi:clocks/monotonic-clock"));
        for bad in [
            "orders",
            "acme:shop",
            "acme/orders",
            "acme:shop/",
            "acme:shop/a b",
            "a:b/c@",
            "a:b/c--d",
        ] {
            assert!(!is_interface_id(bad), "{bad}");
        }
    }
}
