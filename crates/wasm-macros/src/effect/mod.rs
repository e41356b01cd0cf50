//! `#[wasm::effect(…)]`: what a function may do to the world outside.
//!
//! The item stays as it is, with a record in the section `wasmrust.effects` and, in builds with debug assertions for wasm32, a call of a
//! marker at the start of each function's body; `docs/compiler-contract.md` defines both. On other targets nothing is added.
//!
//! # Invariants
//!
//! A marker's number is a hash of what stands in the record, so that equal numbers mean equal declarations. A function with a marker is
//! never inlined, or its caller would be judged by its declaration.

mod names;
#[cfg(test)]
mod tests;

use crate::attributes::is;
use crate::signature::combine;
pub(crate) use names::Declared;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Block, ForeignItemFn, Ident, ImplItem, Item, ItemTrait, Signature, TraitItem, Type,
    parse_quote,
};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let declared: Declared = syn::parse2(arguments.clone())?;
    let mut item: Item = syn::parse2(item)?;
    if let Item::Verbatim(tokens) = &item {
        let mut function: ForeignItemFn = syn::parse2(tokens.clone())?;
        return match take(&mut function.attrs, "import") {
            Some(import) => Ok(quote!(#import #[::wasm::effect(#arguments)] #function)),
            None => Err(without_body(&function)),
        };
    }
    if let Some(import) = attributes_of(&mut item).and_then(|attributes| take(attributes, "import"))
    {
        // `#[wasm::import]` must run first: it knows the core names.
        return Ok(quote!(#import #[::wasm::effect(#arguments)] #item));
    }
    if let Some(other) = attributes_of(&mut item).and_then(|attributes| take(attributes, "effect"))
    {
        return Err(syn::Error::new(
            other.span(),
            "the effects are declared twice\nhelp: write one attribute that names them all",
        ));
    }
    let mut place = Place::default();
    let mut after = TokenStream::new();
    match &mut item {
        Item::Fn(_) if declared.is_open() => {
            return Err(syn::Error::new(
                Span::call_site(),
                "`..` leaves the effects of a function open, as they are without the attribute\nhelp: remove the attribute, or name the effects",
            ));
        }
        Item::Fn(_) | Item::Mod(_) | Item::Impl(_) | Item::Trait(_) => {
            let bound = Bound {
                declared,
                kind: OWN,
            };
            if let Err(error) = place.item(&mut item, &bound, "item", &mut after) {
                // The item goes without its attributes, or those inside would complain of what the one outside did not do.
                let error = error.into_compile_error();
                return Ok(quote!(#error #item));
            }
        }
        Item::ForeignMod(block) => {
            return Err(syn::Error::new(
                block.abi.span(),
                "the effects of foreign functions are declared where they are imported\nhelp: put `#[wasm::import]` on the block as well",
            ));
        }
        other => {
            return Err(syn::Error::new(
                other.span(),
                "only functions, modules, `impl` blocks and traits can declare effects",
            ));
        }
    }
    Ok(quote!(#item #after))
}

/// What to say of a function without a body: an import's, a trait's, or a mistake.
fn without_body(function: &ForeignItemFn) -> syn::Error {
    syn::Error::new(
        function.sig.ident.span(),
        "this function has no body whose effects could be checked\n\
         help: for a trait's method, put `#[wasm::effect(..)]` on the trait, too; for an import, add `#[wasm::import]`",
    )
}

fn attributes_of(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    Some(match item {
        Item::Fn(item) => &mut item.attrs,
        Item::Mod(item) => &mut item.attrs,
        Item::Impl(item) => &mut item.attrs,
        Item::Trait(item) => &mut item.attrs,
        Item::ForeignMod(item) => &mut item.attrs,
        _ => return None,
    })
}

/// Takes the first attribute of this name away.
fn take(attributes: &mut Vec<Attribute>, name: &str) -> Option<Attribute> {
    let index = attributes
        .iter()
        .position(|attribute| is(attribute, name))?;
    Some(attributes.remove(index))
}

/// The effects that the attributes of an import declare; the attribute is taken away.
pub(crate) fn of_import(attributes: &mut Vec<Attribute>) -> syn::Result<Option<Declared>> {
    let Some(attribute) = take(attributes, "effect") else {
        return Ok(None);
    };
    let declared = Declared::of(&attribute)?;
    if declared.is_open() {
        return Err(syn::Error::new(
            attribute.span(),
            "`..` says nothing about an import\nhelp: remove the attribute, or name the effects of the host's function",
        ));
    }
    Ok(Some(declared))
}

/// The record of an import.
pub(crate) fn import_record(
    module: &str,
    name: &str,
    declared: Option<&Declared>,
    at: &Ident,
) -> TokenStream {
    let Some(effects) = declared.and_then(Declared::text) else {
        return TokenStream::new();
    };
    let (line, column) = position(at);
    section(&quote! {
        ::core::concat!("import\t", #module, "\t", #name, "\t", #effects, "\t", ::core::file!(), #line, #column, "\n")
    })
}

/// `:LINE` and `:COLUMN` of a name; of the first character outside of a compiler, as in unit tests.
fn position(at: &Ident) -> (String, String) {
    if !proc_macro::is_available() {
        return (":1".to_owned(), ":1".to_owned());
    }
    let span = at.span().unwrap();
    (format!(":{}", span.line()), format!(":{}", span.column()))
}

/// A constant that puts a line into the section.
fn section(text: &TokenStream) -> TokenStream {
    quote! {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const TEXT: &::core::primitive::str = #text;
            #[unsafe(link_section = "wasmrust.effects")]
            static RECORD: [::core::primitive::u8; TEXT.len()] = ::wasm::effect::line(TEXT);
            let _ = &RECORD;
        };
    }
}

/// Where the walk through nested items stands: the type or trait around a function, empty or ended by `::`.
///
/// Modules are left out, for `module_path!` knows them.
#[derive(Default)]
struct Place(String);

impl Place {
    /// Declares `outer` for an item and all that is in it. `what` names the enclosing item in messages.
    fn item(
        &mut self,
        item: &mut Item,
        outer: &Bound,
        what: &str,
        after: &mut TokenStream,
    ) -> syn::Result<()> {
        // An import's declaration is not a promise that the enclosing one bounds: `#[wasm::import]` reads it.
        if attributes_of(item)
            .is_some_and(|attributes| attributes.iter().any(|attribute| is(attribute, "import")))
        {
            return Ok(());
        }
        let own = match attributes_of(item) {
            Some(attributes) => inner(attributes, outer, what)?,
            None => return Ok(()),
        };
        let within = own.clone().handed_down();
        match item {
            Item::Fn(function) => {
                self.function(
                    &mut function.attrs,
                    &function.sig,
                    &mut function.block,
                    &own,
                );
                Ok(())
            }
            Item::Mod(module) => {
                let Some((_, items)) = &mut module.content else {
                    return Err(syn::Error::new(
                        module.ident.span(),
                        format!(
                            "the effects of a module can be declared where it is written out\nhelp: write `mod {} {{ … }}`",
                            module.ident
                        ),
                    ));
                };
                let mut errors = Vec::new();
                let mut records = TokenStream::new();
                for item in items.iter_mut() {
                    if let Err(error) = self.item(item, &within, "module", &mut records) {
                        errors.push(error);
                    }
                }
                items.push(Item::Verbatim(records));
                combine(errors)
            }
            Item::Impl(block) => {
                let mut errors = Vec::new();
                self.within(&type_name(&block.self_ty), |place| {
                    for item in &mut block.items {
                        if let ImplItem::Fn(method) = item {
                            match inner(&mut method.attrs, &within, "`impl` block") {
                                Ok(own) => place.function(
                                    &mut method.attrs,
                                    &method.sig,
                                    &mut method.block,
                                    &own,
                                ),
                                Err(error) => errors.push(error),
                            }
                        }
                    }
                    combine(errors)
                })
            }
            Item::Trait(item) => self.interface(item, &within, after),
            _ => Ok(()),
        }
    }

    /// A trait: its provided methods, and what every implementation must keep to.
    fn interface(
        &mut self,
        item: &mut ItemTrait,
        outer: &Bound,
        after: &mut TokenStream,
    ) -> syn::Result<()> {
        let mut errors = Vec::new();
        let name = item.ident.to_string();
        self.within(&name, |place| {
            for item in &mut item.items {
                let TraitItem::Fn(method) = item else {
                    continue;
                };
                let own = match inner(&mut method.attrs, outer, "trait") {
                    Ok(own) => own,
                    Err(error) => {
                        errors.push(error);
                        continue;
                    }
                };
                if let Some(effects) = own.declared.text() {
                    let (method_name, (line, column)) =
                        (method.sig.ident.unraw().to_string(), position(&method.sig.ident));
                    after.extend(section(&quote! {
                        ::core::concat!(
                            "trait\t-\t", ::core::module_path!(), "::", #name, "::", #method_name, "\t", #effects, "\t",
                            ::core::file!(), #line, #column, "\n"
                        )
                    }));
                }
                if let Some(block) = &mut method.default {
                    place.function(&mut method.attrs, &method.sig, block, &own);
                }
            }
            combine(errors)
        })
    }

    /// Marks one function and records its declaration.
    fn function(
        &self,
        attributes: &mut Vec<Attribute>,
        signature: &Signature,
        block: &mut Block,
        bound: &Bound,
    ) {
        let Some(effects) = bound.declared.text() else {
            return;
        };
        let name = format!("{}{}", self.0, signature.ident.unraw());
        let (line, column) = position(&signature.ident);
        let kind = bound.kind;
        let number = hash(&[&name, &effects, &line, &column]);
        let digits = format!("{number:016x}");
        let record = section(&{
            let rest = quote! {
                "\t", ::core::module_path!(), "::", #name, "\t", #effects, "\t", ::core::file!(), #line, #column, "\n"
            };
            quote! {
                if ::core::cfg!(debug_assertions) {
                    ::core::concat!(#kind, "\t", #digits, #rest)
                } else {
                    ::core::concat!(#kind, "\t-", #rest)
                }
            }
        });
        let marker = format_ident!("__wasm_effect_{digits}");
        let constness = &signature.constness;
        // The number keeps LLVM from merging two markers, and their calls from being removed. Not in a future, which can be inlined into
        // whoever polls it, for no attribute reaches its body: where that is optimised, the call must be gone before.
        let body = match signature.asyncness {
            None => quote!(::core::hint::black_box(#number);),
            Some(_) => quote!(),
        };
        let marked: Block = parse_quote!({
            #record
            #[cfg(all(target_arch = "wasm32", debug_assertions))]
            {
                #[inline(never)]
                #constness fn #marker() { #body }
                #marker();
            }
        });
        block.stmts.splice(0..0, marked.stmts);
        // The user's wish about inlining holds where there is no marker.
        for attribute in attributes
            .iter_mut()
            .filter(|attribute| is(attribute, "inline"))
        {
            let meta = &attribute.meta;
            *attribute = parse_quote!(#[cfg_attr(not(all(target_arch = "wasm32", debug_assertions)), #meta)]);
        }
        attributes.push(
            parse_quote!(#[cfg_attr(all(target_arch = "wasm32", debug_assertions), inline(never))]),
        );
    }

    fn within<T>(&mut self, ty: &str, walk: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::take(&mut self.0);
        if !ty.is_empty() {
            self.0 = format!("{ty}::");
        }
        let result = walk(self);
        self.0 = outer;
        result
    }
}

/// An item's own declaration if it has one, which must keep to the enclosing one, and else that.
fn inner(attributes: &mut Vec<Attribute>, outer: &Bound, what: &str) -> syn::Result<Bound> {
    match take(attributes, "effect") {
        None => Ok(outer.clone()),
        Some(attribute) => {
            let own = Declared::of(&attribute)?;
            if own.is_open() {
                return Ok(outer.clone());
            }
            own.within(&outer.declared, what)?;
            Ok(Bound {
                declared: own,
                kind: OWN,
            })
        }
    }
}

/// A function's bound, and the kind of the record that says so.
#[derive(Clone)]
struct Bound {
    declared: Declared,
    kind: &'static str,
}

impl Bound {
    /// The bound of what is in the item that has this one.
    fn handed_down(self) -> Self {
        Self {
            kind: INHERITED,
            ..self
        }
    }
}

/// The kind of the record of a function that declares its effects itself.
const OWN: &str = "fn";

/// The kind of the record of a function whose effects the item around it declares: what it does not need, another function may.
const INHERITED: &str = "inherited";

/// The last word of a type, for messages.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map_or_else(String::new, |last| last.ident.to_string()),
        Type::Reference(reference) => type_name(&reference.elem),
        _ => String::new(),
    }
}

/// FNV-1a over the crate and the parts, each ended by a zero.
fn hash(parts: &[&str]) -> u64 {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let own = [
        variable("CARGO_PKG_NAME"),
        variable("CARGO_PKG_VERSION"),
        variable("CARGO_CRATE_NAME"),
    ];
    let bytes = own
        .iter()
        .map(String::as_str)
        .chain(parts.iter().copied())
        .flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
