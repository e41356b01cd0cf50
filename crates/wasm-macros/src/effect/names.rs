//! Names of effects: the arguments of `#[wasm::effect(…)]`.
//!
//! A name is a builtin effect or a user's own, which some import declares. The macro cannot see the imports of other modules, so
//! it refuses only what cannot be meant: a name that is nearly a builtin one, or that is no name. The whole-program check refuses names that
//! no import declares (`docs/compiler-contract.md`).

use crate::signature::combine;
use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{Attribute, Expr, Ident, Meta, Token};

/// The effects that exist without a declaration: `Effect::BUILTIN` of `wasmir-verify`.
const BUILTIN: &[&str] = &[
    "atomic_read",
    "atomic_write",
    "clock",
    "env",
    "fs",
    "host",
    "io",
    "js_call",
    "memory_grow",
    "net",
    "random",
    "thread",
];

/// What people call a builtin effect, and its name.
const SYNONYMS: &[(&str, &str)] = &[
    ("alloc", "memory_grow"),
    ("args", "env"),
    ("atomics", "atomic_read`, `atomic_write"),
    ("atomic", "atomic_read`, `atomic_write"),
    ("environment", "env"),
    ("file", "fs"),
    ("filesystem", "fs"),
    ("js", "js_call"),
    ("javascript", "js_call"),
    ("memory", "memory_grow"),
    ("network", "net"),
    ("print", "io"),
    ("rand", "random"),
    ("rng", "random"),
    ("stdin", "io"),
    ("stdout", "io"),
    ("time", "clock"),
];

/// The arguments of one attribute.
#[derive(Clone)]
pub(crate) struct Declared {
    /// Sorted and unique; `None` when `..` leaves the bound open.
    bound: Option<Vec<(String, Span)>>,
}

impl Declared {
    /// No bound: what a place without an attribute declares.
    pub(crate) const OPEN: Self = Self { bound: None };

    /// The arguments of an attribute that is not the one being expanded.
    pub(crate) fn of(attribute: &Attribute) -> syn::Result<Self> {
        match &attribute.meta {
            Meta::Path(_) => Ok(Self {
                bound: Some(Vec::new()),
            }),
            Meta::List(list) => list.parse_args(),
            Meta::NameValue(pair) => Err(syn::Error::new(
                pair.span(),
                "expected effects in parentheses\nhelp: write `#[wasm::effect(io, clock)]`",
            )),
        }
    }

    /// Whether nothing is bounded.
    pub(crate) fn is_open(&self) -> bool {
        self.bound.is_none()
    }

    /// The names with commas between them, if there is a bound.
    pub(crate) fn text(&self) -> Option<String> {
        let bound = self.bound.as_ref()?;
        let names: Vec<&str> = bound.iter().map(|(name, _)| name.as_str()).collect();
        Some(names.join(","))
    }

    /// Reports names that the enclosing declaration does not allow.
    pub(crate) fn within(&self, outer: &Self, what: &str) -> syn::Result<()> {
        let (Some(own), Some(allowed)) = (&self.bound, &outer.bound) else {
            return Ok(());
        };
        let stranger = |name: &str| allowed.iter().all(|(other, _)| other != name);
        combine(
            own.iter()
                .filter(|(name, _)| stranger(name))
                .map(|(name, span)| {
                    let message = format!(
                        "the effect `{name}` is not among those that its {what} declares\nhelp: add `{name}` to the declaration of the {what}"
                    );
                    syn::Error::new(*span, message)
                })
                .collect(),
        )
    }
}

impl Parse for Declared {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![..]) {
            let dots: Token![..] = input.parse()?;
            if !input.is_empty() {
                return Err(syn::Error::new(
                    dots.span(),
                    "`..` leaves the effects open, so nothing can be declared beside it\nhelp: remove `..`",
                ));
            }
            return Ok(Self::OPEN);
        }
        let mut names: Vec<(String, Span)> = Vec::new();
        let mut errors = Vec::new();
        while !input.is_empty() {
            if input.peek(Ident::peek_any) && !input.peek2(Token![::]) {
                let ident = Ident::parse_any(input)?;
                let name = ident.unraw().to_string();
                if let Err(error) = check(&name, ident.span()) {
                    errors.push(error);
                } else if names.iter().any(|(other, _)| *other == name) {
                    errors.push(syn::Error::new(
                        ident.span(),
                        format!("the effect `{name}` is declared twice\nhelp: remove one"),
                    ));
                } else {
                    names.push((name, ident.span()));
                }
            } else {
                let other: Expr = input.parse().map_err(|error| {
                    syn::Error::new(error.span(), "expected the name of an effect\nhelp: write names with commas between them, as in `io, clock`")
                })?;
                errors.push(syn::Error::new(
                    other.span(),
                    "expected the name of an effect\nhelp: an effect is one plain word, as in `io` or `billing`",
                ));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>().map_err(|error| {
                    syn::Error::new(error.span(), "expected `,` between two effects\nhelp: an effect is one plain word, as in `io` or `billing`")
                })?;
            }
        }
        combine(errors)?;
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self { bound: Some(names) })
    }
}

/// Refuses a name that cannot be an effect.
fn check(name: &str, span: Span) -> syn::Result<()> {
    if BUILTIN.contains(&name) {
        return Ok(());
    }
    if name == "pure" || name == "none" {
        let message = format!(
            "`{name}` is no effect\nhelp: a function without effects is declared by `#[wasm::effect()]`"
        );
        return Err(syn::Error::new(span, message));
    }
    if let Some(meant) = similar(name) {
        return Err(syn::Error::new(
            span,
            format!("unknown effect `{name}`\nhelp: did you mean `{meant}`?"),
        ));
    }
    let is_word = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_word {
        Ok(())
    } else {
        let message = format!(
            "`{name}` cannot name an effect\nhelp: use lower-case ASCII letters, digits and `_`, as in `billing`"
        );
        Err(syn::Error::new(span, message))
    }
}

/// The builtin effect that was probably meant.
fn similar(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    if let Some((_, meant)) = SYNONYMS.iter().find(|(word, _)| *word == name) {
        return Some(meant);
    }
    BUILTIN
        .iter()
        .map(|builtin| (strsim::osa_distance(&name, builtin), builtin))
        .filter(|(distance, builtin)| *distance <= builtin.len().div_ceil(4))
        .min()
        .map(|(_, builtin)| *builtin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        for (wrong, meant) in [
            ("js_cal", Some("js_call")),
            ("jscall", Some("js_call")),
            ("clcok", Some("clock")),
            ("IO", Some("io")),
            ("oi", Some("io")),
            ("memory_grown", Some("memory_grow")),
            ("atomic_raed", Some("atomic_read")),
            ("network", Some("net")),
            ("billing", None),
            ("log", None),
            ("database", None),
            ("id", Some("io")),
        ] {
            assert_eq!(similar(wrong), meant, "{wrong}");
        }
    }

    #[test]
    fn builtin_effects_are_sorted_and_far_enough_apart() {
        assert!(BUILTIN.is_sorted());
        for a in BUILTIN {
            assert!(check(a, Span::call_site()).is_ok());
        }
    }
}
