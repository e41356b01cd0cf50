//! `#[wasm::linear]` and `#[wasm::consume]`.
//!
//! A linear type gets an implementation of `wasm::linear::Linear`, which holds the message about lost values and by which the compiler's own
//! checker recognises it; a proof that one of its parts is linear, so that losing a value does not go unnoticed by a plain rustc; a conflict
//! with any `Clone`; and `#[must_use]`. The type itself, its constructors and its patterns stay what they are.
//!
//! A consumer stays as it is, with the constant `__WASM_CONSUMER` in its body, by which the compiler's checker recognises it.

use crate::attributes::is;
use crate::signature::combine;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, FnArg, ForeignItemFn, Ident, Item, ItemFn, Path,
    Signature, Token, Type, parse_quote,
};

/// Expands `#[wasm::linear]`.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let guarded = guarded(arguments)?;
    let mut item: DeriveInput = syn::parse2(item)?;
    if let Data::Union(data) = &item.data {
        return Err(syn::Error::new(
            data.union_token.span,
            "a union cannot be linear, for nobody knows which of its fields is alive\nhelp: use an enum",
        ));
    }
    refuse_clone(&item.attrs)?;
    let parts = parts(&mut item);
    let proof = if guarded {
        prove(&item, &parts)?
    } else {
        quote!()
    };
    if !item.attrs.iter().any(|attribute| is(attribute, "must_use")) {
        item.attrs
            .push(parse_quote!(#[must_use = "a value of a linear type must reach a consumer"]));
    }
    let ident = &item.ident;
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    let span = ident.span().unwrap();
    let place = format!(":{}:{}", span.line(), span.column());
    let name = ident.to_string();
    let message = quote! {
        ::core::concat!(
            "a value of the linear type `", #name, "` is lost: it can be dropped without reaching a consumer\n",
            "note: `", #name, "` is declared at ", ::core::file!(), #place, "\n",
            "help: on every path, pass the value on, or to a function that takes it apart, marked `#[wasm::consume]`"
        )
    };
    // At the user's name for the type, where a conflict with `Clone` is reported.
    let not_clone = quote_spanned! {ident.span()=>
        #[automatically_derived]
        impl #parameters ::wasm::linear::LinearTypesAreNotClone for #ident #arguments #conditions {}
    };
    Ok(quote! {
        #item
        #[automatically_derived]
        impl #parameters ::wasm::linear::Linear for #ident #arguments #conditions {
            const LOST: &'static ::core::primitive::str = #message;
        }
        #not_clone
        #proof
    })
}

/// Whether the arguments ask for the guard, as no arguments do.
fn guarded(arguments: TokenStream) -> syn::Result<bool> {
    if arguments.is_empty() {
        return Ok(true);
    }
    let span = arguments.span();
    match syn::parse2::<Ident>(arguments) {
        Ok(ident) if ident == "unguarded" => Ok(false),
        _ => Err(syn::Error::new(
            span,
            "unknown argument\nhelp: `#[wasm::linear]` takes none, or `unguarded`",
        )),
    }
}

/// Refuses `#[derive(Clone, Copy)]` where it can be seen; the other way round, the compiler reports a conflict.
fn refuse_clone(attributes: &[Attribute]) -> syn::Result<()> {
    let mut errors = Vec::new();
    for attribute in attributes
        .iter()
        .filter(|attribute| is(attribute, "derive"))
    {
        let traits = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)?;
        for path in &traits {
            let name = path.segments.last().map(|last| last.ident.to_string());
            if let Some(name @ ("Clone" | "Copy")) = name.as_deref() {
                errors.push(syn::Error::new(
                    path.span(),
                    format!("a linear type cannot be `{name}`: a copy would have to be consumed, too\nhelp: remove `{name}`, or lend the value by reference"),
                ));
            }
        }
    }
    combine(errors)
}

/// A field that may be the linear part.
struct Part {
    ty: Type,
    /// Its user said `#[linear]`.
    marked: bool,
}

/// The fields; their `#[linear]` attributes are taken away.
fn parts(item: &mut DeriveInput) -> Vec<Part> {
    let part = |field: &mut Field| {
        let before = field.attrs.len();
        field
            .attrs
            .retain(|attribute| !attribute.path().is_ident("linear"));
        Part {
            ty: field.ty.clone(),
            marked: field.attrs.len() < before,
        }
    };
    let of = |fields: &mut Fields| fields.iter_mut().map(part).collect::<Vec<_>>();
    match &mut item.data {
        Data::Struct(data) => of(&mut data.fields),
        Data::Enum(data) => data
            .variants
            .iter_mut()
            .flat_map(|variant| of(&mut variant.fields))
            .collect(),
        Data::Union(_) => Vec::new(),
    }
}

/// Whether a type is one of the library's linear parts, by its name.
fn is_known(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Token" || last.ident == "Handle"),
        _ => false,
    }
}

/// Code that compiles if a part is linear.
fn prove(item: &DeriveInput, parts: &[Part]) -> syn::Result<TokenStream> {
    let (name, span) = (&item.ident, item.ident.span());
    let lacking = format!(
        "the linear type `{name}` has no linear part, so rustc alone would not notice when a value is lost\n\
         help: add a field of type `wasm::linear::Token<Self>`, which takes no memory; or write `#[wasm::linear(unguarded)]` to leave the \
         check to WasmRust's compiler"
    );
    let mut chosen: Vec<&Part> = parts.iter().filter(|part| part.marked).collect();
    let has_variables = item.generics.type_params().next().is_some()
        || item.generics.const_params().next().is_some();
    if chosen.is_empty() && has_variables {
        // A constant that mentions type parameters is evaluated for each use only, which would be too late.
        chosen = parts.iter().filter(|part| is_known(&part.ty)).collect();
        if chosen.is_empty() {
            return Err(syn::Error::new(
                span,
                format!("{lacking}; or, if a part is linear, put `#[linear]` on it"),
            ));
        }
    }
    if chosen.is_empty() {
        if parts.is_empty() {
            return Err(syn::Error::new(span, lacking));
        }
        let types = parts.iter().map(|part| &part.ty);
        let erased = item.generics.lifetimes().map(|_| quote!('static));
        let body = quote! {
            #[allow(unused_imports)]
            use ::wasm::linear::NotLinear as _;
            #(::wasm::linear::Probe::<#types>::LINEAR)||*
        };
        let proof = in_type(item, &body);
        return Ok(quote_spanned! {span=>
            const _: () = {
                #proof
                ::core::assert!(<#name<#(#erased),*> as ::wasm::linear::Parts>::LINEAR, #lacking);
            };
        });
    }
    let checks = chosen.iter().map(|part| {
        let ty = &part.ty;
        quote_spanned!(ty.span()=> ::wasm::linear::assert_linear::<#ty>();)
    });
    let proof = in_type(item, &quote!(#(#checks)* true));
    Ok(quote!(const _: () = { #proof };))
}

/// A constant of the type, where its parameters and `Self` mean what they mean in its fields.
fn in_type(item: &DeriveInput, body: &TokenStream) -> TokenStream {
    let name = &item.ident;
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters ::wasm::linear::Parts for #name #arguments #conditions {
            const LINEAR: ::core::primitive::bool = { #body };
        }
    }
}

/// Expands `#[wasm::consume]`.
pub(crate) fn consume(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(syn::Error::new(
            arguments.span(),
            "`#[wasm::consume]` takes no arguments",
        ));
    }
    match syn::parse2(item)? {
        Item::Fn(mut function) => {
            takes_a_value(&function.sig)?;
            mark(&mut function);
            Ok(quote!(#function))
        }
        Item::Verbatim(tokens) => {
            // A trait's method, which its implementations provide.
            let function: ForeignItemFn = syn::parse2(tokens)?;
            takes_a_value(&function.sig)?;
            Ok(quote!(#function))
        }
        other => Err(syn::Error::new(
            other.span(),
            "only functions and methods can be consumers\nhelp: put `#[wasm::consume]` on the function that takes the value by value",
        )),
    }
}

fn mark(function: &mut ItemFn) {
    let marker = quote!(
        const __WASM_CONSUMER: () = ();
    );
    function.block.stmts.insert(0, parse_quote!(#marker));
}

/// Refuses a function that cannot consume, for it owns none of its parameters.
fn takes_a_value(signature: &Signature) -> syn::Result<()> {
    let owned = |argument: &FnArg| match argument {
        FnArg::Receiver(receiver) => {
            receiver.reference.is_none() && !matches!(*receiver.ty, Type::Reference(_))
        }
        FnArg::Typed(typed) => !matches!(*typed.ty, Type::Reference(_) | Type::Ptr(_)),
    };
    if signature.inputs.iter().any(owned) {
        return Ok(());
    }
    let (span, help): (Span, &str) = match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) => (receiver.span(), "take `self`"),
        Some(FnArg::Typed(typed)) => (typed.ty.span(), "take the linear value without `&`"),
        None => (
            signature.ident.span(),
            "add a parameter that takes the linear value",
        ),
    };
    Err(syn::Error::new(
        span,
        format!("a consumer takes what it consumes by value\nhelp: {help}"),
    ))
}
