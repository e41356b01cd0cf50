//! Attributes: documentation, and the arguments of `#[wasm::export]` and `#[wasm::import]`.

use crate::names::{Package, is_interface_id, is_wit_name};
use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Token};

/// The text of the doc comments among `attributes`, one line per line, without the space that follows `///`.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && attribute.path().is_ident("doc")
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) = &pair.value
        {
            let text = text.value();
            lines.extend(
                text.lines()
                    .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()),
            );
        }
    }
    lines.join("\n").trim().to_owned()
}

/// Whether an attribute's path ends in `name`, as in `#[wasm::export]`.
pub(crate) fn is(attribute: &Attribute, name: &str) -> bool {
    let segments = &attribute.path().segments;
    segments.len() <= 2 && segments.last().is_some_and(|last| last.ident == name)
}

/// The arguments of `#[wasm::export(…)]` and `#[wasm::import(…)]`.
#[derive(Default)]
pub(crate) struct Arguments {
    /// The interface, by its own name or its full id.
    interface: Option<LitStr>,
    /// The item's WIT name, if not the one its Rust name gives.
    pub(crate) name: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) {
                arguments.interface = Some(input.parse()?);
            } else {
                let key: Ident = input.parse()?;
                let slot = match key.to_string().as_str() {
                    "interface" => &mut arguments.interface,
                    "name" => &mut arguments.name,
                    _ => {
                        let message = format!(
                            "unknown argument `{key}`\nhelp: write `interface = \"…\"` or `name = \"…\"`"
                        );
                        return Err(syn::Error::new(key.span(), message));
                    }
                };
                input.parse::<Token![=]>()?;
                *slot = Some(input.parse()?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if let Some(name) = &arguments.name
            && !is_wit_name(&name.value())
        {
            let message = format!(
                "`{}` is no WIT name\nhelp: write words joined by hyphens, as in `key-pair`",
                name.value()
            );
            return Err(syn::Error::new(name.span(), message));
        }
        Ok(arguments)
    }
}

impl Arguments {
    /// Parses the arguments of an attribute inside an exported or imported module.
    pub(crate) fn of(attribute: &Attribute) -> syn::Result<Self> {
        match &attribute.meta {
            Meta::Path(_) => Ok(Self::default()),
            Meta::List(list) => list.parse_args(),
            Meta::NameValue(pair) => Err(syn::Error::new(
                pair.span(),
                "expected arguments in parentheses",
            )),
        }
    }

    pub(crate) fn parse_tokens(tokens: TokenStream) -> syn::Result<Self> {
        syn::parse2(tokens)
    }

    /// The full id of the interface that was named, if any.
    pub(crate) fn interface(&self, package: &Package) -> syn::Result<Option<String>> {
        let Some(literal) = &self.interface else {
            return Ok(None);
        };
        let text = literal.value();
        if is_interface_id(&text) {
            Ok(Some(text))
        } else if is_wit_name(&text) {
            Ok(Some(package.interface(&text)))
        } else {
            let message = format!(
                "`{text}` is no interface\nhelp: write a name, as in `orders`, or a full id, as in `acme:shop/orders@1.0.0`"
            );
            Err(syn::Error::new(literal.span(), message))
        }
    }
}
