//! `#[wasm::host]`: functions of a host that take and return references.
//!
//! Each function becomes an ordinary one whose core import has slot numbers for references. The import's name says which numbers are slots,
//! as in `wasmrust:ref/rv>r/create`: a letter for each parameter, `r` for a slot and `v` for a value as it is, then one for the result, `-` for
//! none; a result that is a reference goes into the slot that an additional last parameter names. WasmIR's pass `externref` reads it.

use crate::effect;
use crate::signature::combine;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{FnArg, ForeignItem, ForeignItemFn, ItemForeignMod, LitStr, Pat, ReturnType, Type};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let module: LitStr = syn::parse2(arguments).map_err(|error| {
        syn::Error::new(
            error.span(),
            "expected the name of the host's module\nhelp: write `#[wasm::host(\"dom\")]`",
        )
    })?;
    let mut block: ItemForeignMod = syn::parse2(item).map_err(|error| {
        syn::Error::new(
            error.span(),
            "host functions are declared in an `extern \"C\"` block",
        )
    })?;
    let effects = effect::of_import(&mut block.attrs)?;
    let mut out = TokenStream::new();
    let mut errors = Vec::new();
    for item in block.items {
        let expanded = match item {
            ForeignItem::Fn(function) => host_function(function, &module, effects.as_ref()),
            other => Err(syn::Error::new(
                other.span(),
                "only functions can be imported from a host\nhelp: write them without `safe`, `unsafe` or types",
            )),
        };
        match expanded {
            Ok(tokens) => out.extend(tokens),
            Err(error) => errors.push(error),
        }
    }
    combine(errors)?;
    Ok(out)
}

/// How a type crosses.
enum Kind {
    Reference,
    Value,
}

fn is_extern_ref(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "ExternRef"))
}

fn parameter_kind(ty: &Type) -> syn::Result<Kind> {
    match ty {
        Type::Reference(reference) if is_extern_ref(&reference.elem) => Ok(Kind::Reference),
        Type::Reference(_) | Type::Ptr(_) => Err(syn::Error::new(
            ty.span(),
            "memory does not cross to a host function\nhelp: for strings, lists and records, use `#[wasm::import]`",
        )),
        _ if is_extern_ref(ty) => Err(syn::Error::new(
            ty.span(),
            "a host function borrows its references\nhelp: write `&ExternRef<…>`",
        )),
        _ => Ok(Kind::Value),
    }
}

fn host_function(
    mut function: ForeignItemFn,
    module: &LitStr,
    effects: Option<&effect::Declared>,
) -> syn::Result<TokenStream> {
    let own = effect::of_import(&mut function.attrs)?;
    let ForeignItemFn {
        attrs, vis, sig, ..
    } = &function;
    if !sig.generics.params.is_empty() || sig.variadic.is_some() || sig.asyncness.is_some() {
        return Err(syn::Error::new(
            sig.ident.span(),
            "a host function is neither generic, variadic nor `async`",
        ));
    }
    let (mut kinds, mut core, mut values, mut checks) =
        (String::new(), Vec::new(), Vec::new(), Vec::new());
    let mut errors = Vec::new();
    for argument in &sig.inputs {
        let FnArg::Typed(argument) = argument else {
            errors.push(syn::Error::new(
                argument.span(),
                "a host function has no `self`",
            ));
            continue;
        };
        let Pat::Ident(name) = &*argument.pat else {
            errors.push(syn::Error::new(
                argument.pat.span(),
                "this parameter needs a name",
            ));
            continue;
        };
        let (name, ty) = (&name.ident, &*argument.ty);
        match parameter_kind(ty) {
            Err(error) => errors.push(error),
            Ok(Kind::Reference) => {
                kinds.push('r');
                core.push(quote!(::core::primitive::u32));
                values.push(quote!(#name.slot()));
            }
            Ok(Kind::Value) => {
                kinds.push('v');
                core.push(quote!(#ty));
                values.push(quote!(#name));
                checks.push(
                    quote_spanned!(ty.span()=> ::wasm::reference::assert_host_value::<#ty>();),
                );
            }
        }
    }
    combine(errors)?;
    let (mark, result, slot) = match &sig.output {
        ReturnType::Default => ('-', quote!(), None),
        ReturnType::Type(_, ty) if is_extern_ref(ty) => ('r', quote!(), Some(ty)),
        ReturnType::Type(_, ty) => {
            checks
                .push(quote_spanned!(ty.span()=> ::wasm::reference::assert_host_result::<#ty>();));
            ('v', quote!(-> #ty), None)
        }
    };
    let name = sig.ident.to_string();
    let name = name.strip_prefix("r#").unwrap_or(&name);
    let link_name = format!("wasmrust:ref/{kinds}>{mark}/{name}");
    let record = effect::import_record(
        &module.value(),
        &link_name,
        own.as_ref().or(effects),
        &sig.ident,
    );
    let shown = format!("{}#{name}", module.value());
    // SAFETY of the call: only numbers cross, and the host cannot reach memory it is given no address of.
    let call = match slot {
        None => quote!(unsafe { __wasm_import(#(#values),*) }),
        Some(ty) => {
            core.push(quote!(::core::primitive::u32));
            quote!(<#ty>::receive(|__slot| unsafe { __wasm_import(#(#values,)* __slot) }))
        }
    };
    let names: Vec<_> = (0..core.len()).map(|i| format_ident!("__a{i}")).collect();
    Ok(quote! {
        #(#attrs)*
        #vis #sig {
            #record
            const _: () = { #(#checks)* };
            #[cfg(target_arch = "wasm32")]
            #[link(wasm_import_module = #module)]
            unsafe extern "C" {
                #[link_name = #link_name]
                fn __wasm_import(#(#names: #core),*) #result;
            }
            #[cfg(not(target_arch = "wasm32"))]
            unsafe fn __wasm_import(#(#names: #core),*) #result {
                let _ = (#(#names),*);
                ::wasm::abi::not_in_a_component(#shown)
            }
            // SAFETY: only numbers cross, and the host's function has this signature after the pass that its name asks for.
            #call
        }
    })
}
