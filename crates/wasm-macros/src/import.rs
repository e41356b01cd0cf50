//! `#[wasm::import]`: functions and resources that a component needs.
//!
//! Signatures are written without bodies, alone, in an `extern` block or in a module; the macro writes the bodies, which call the
//! core import. In a module, a unit struct is a resource, and its `impl` blocks list the resource's functions. On targets other
//! than wasm32 the functions type-check and panic when they are called.

use crate::attributes::{Arguments, docs};
use crate::effect::{self, Declared};
use crate::names::{Package, wit_name};
use crate::signature::{
    Function, Home, Owner, Passing, combine, core_parameters, core_result, origin, record,
};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Fields, ForeignItem, ForeignItemFn, Ident, ImplItem, Item, ItemImpl, ItemMod, ItemStruct, Type,
};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let arguments = Arguments::parse_tokens(arguments)?;
    let package = Package::current();
    let interface = arguments.interface(&package)?;
    let home = |interface: Option<String>| Home {
        interface: interface.unwrap_or_default(),
        package: package.id(),
        is_export: false,
    };
    match syn::parse2(item)? {
        Item::Verbatim(tokens) => {
            let function: ForeignItemFn = syn::parse2(tokens)?;
            let name = arguments.name.map(|name| name.value());
            free_function(function, name, &home(interface), None)
        }
        Item::ForeignMod(mut block) => {
            let home = home(interface);
            let effects = effect::of_import(&mut block.attrs)?;
            let mut out = Vec::new();
            let mut errors = Vec::new();
            for item in block.items {
                let expanded = match item {
                    ForeignItem::Fn(function) => {
                        free_function(function, None, &home, effects.as_ref())
                    }
                    other => Err(syn::Error::new(
                        other.span(),
                        "only functions can be imported this way\nhelp: for resources, write `#[wasm::import] mod … { pub struct …; }`",
                    )),
                };
                match expanded {
                    Ok(tokens) => out.push(tokens),
                    Err(error) => errors.push(error),
                }
            }
            combine(errors)?;
            Ok(quote!(#(#out)*))
        }
        Item::Mod(module) => {
            let interface = match interface {
                Some(interface) => interface,
                None => package.interface(&wit_name(&module.ident)?),
            };
            imported_module(module, &home(Some(interface)))
        }
        Item::Fn(function) => Err(syn::Error::new(
            function.block.span(),
            "an imported function has no body, its host supplies it\nhelp: write `;` instead, or export it with `#[wasm::export]`",
        )),
        other => Err(syn::Error::new(
            other.span(),
            "only functions without a body, `extern` blocks and modules can be imported\n\
             help: write `#[wasm::import] fn now() -> u64;` or `#[wasm::import(\"acme:shop/orders\")] mod orders { … }`",
        )),
    }
}

fn imported_module(mut module: ItemMod, home: &Home) -> syn::Result<TokenStream> {
    let Some((_, items)) = module.content.take() else {
        return Err(syn::Error::new(
            module.span(),
            format!(
                "an imported module must be written out\nhelp: write `mod {} {{ … }}`",
                module.ident
            ),
        ));
    };
    let effects = effect::of_import(&mut module.attrs)?;
    let effects = effects.as_ref();
    let mut out = Vec::new();
    let mut errors = Vec::new();
    for item in items {
        let expanded = match item {
            Item::Verbatim(tokens) => syn::parse2::<ForeignItemFn>(tokens)
                .and_then(|function| free_function(function, None, home, effects)),
            Item::Fn(function) => Err(syn::Error::new(
                function.block.span(),
                "an imported function has no body, its host supplies it\nhelp: write `;` instead, or move it out of the module",
            )),
            Item::Struct(item) if matches!(item.fields, Fields::Unit) => {
                resource(item, home, effects)
            }
            Item::Impl(block) if block.trait_.is_none() => methods(block, home, effects),
            other => Ok(quote!(#other)),
        };
        match expanded {
            Ok(tokens) => out.push(tokens),
            Err(error) => errors.push(error),
        }
    }
    combine(errors)?;
    let docs = docs(&module.attrs);
    if !docs.is_empty() {
        let interface = home.tokens();
        let record = record(&quote!(::wasm::abi::Item::Interface(#interface, #docs)));
        out.push(quote!(const _: () = { #record let _ = &__WASM_RECORD; };));
    }
    let ItemMod {
        attrs, vis, ident, ..
    } = &module;
    Ok(quote! {
        #(#attrs)*
        #vis mod #ident {
            #(#out)*
        }
    })
}

fn resource(
    mut item: ItemStruct,
    home: &Home,
    effects: Option<&Declared>,
) -> syn::Result<TokenStream> {
    // What is declared of a resource is declared of dropping its handle.
    let own = effect::of_import(&mut item.attrs)?;
    let effects = own.as_ref().or(effects);
    let ItemStruct {
        attrs, vis, ident, ..
    } = &item;
    let wit = wit_name(ident)?;
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new(
            item.generics.span(),
            "a resource cannot be generic",
        ));
    }
    let (docs, origin) = (docs(attrs), origin(ident));
    let interface = home.tokens();
    let record = record(&quote! {
        ::wasm::abi::Item::Resource(::wasm::abi::ResourceItem {
            interface: #interface,
            name: #wit,
            docs: #docs,
            origin: #origin,
        })
    });
    let (module, interface) = (home.import_module(), &home.interface);
    let drop = format!("[resource-drop]{wit}");
    let effects = effect::import_record(module, &drop, effects, ident);
    Ok(quote! {
        #(#attrs)*
        #[derive(Debug)]
        #vis struct #ident(::wasm::abi::Handle<#ident>);
        const _: () = {
            #record
            #effects
            let _ = &__WASM_RECORD;
            #[cfg(target_arch = "wasm32")]
            #[link(wasm_import_module = #module)]
            unsafe extern "C" {
                #[link_name = #drop]
                safe fn __wasm_drop(handle: u32);
            }
            #[cfg(not(target_arch = "wasm32"))]
            fn __wasm_drop(_: u32) {
                ::wasm::abi::not_in_a_component(#wit)
            }
            // SAFETY: the built-in imported above is this resource's.
            unsafe impl ::wasm::abi::Imported for #ident {
                const RESOURCE: ::wasm::abi::Resource =
                    ::wasm::abi::Resource { name: #wit, interface: #interface, exported: false };
                #[inline(never)]
                fn drop_handle(handle: u32) {
                    __wasm_drop(handle)
                }
                fn from_handle(handle: ::wasm::abi::Handle<Self>) -> Self {
                    Self(handle)
                }
                fn handle(&self) -> &::wasm::abi::Handle<Self> {
                    &self.0
                }
                fn into_handle(self) -> ::wasm::abi::Handle<Self> {
                    self.0
                }
            }
            // SAFETY: a handle is one `i32`.
            unsafe impl ::wasm::abi::Wit for #ident {
                const TYPE: ::wasm::abi::Type = ::wasm::abi::Type::Own(&<#ident as ::wasm::abi::Imported>::RESOURCE);
            }
            impl ::wasm::abi::Release for #ident {}
            impl ::wasm::abi::Lower for #ident {
                fn lower(self, out: &mut ::wasm::abi::FlatOut, _: &mut ::wasm::abi::Scratch) {
                    out.word(self.0.into_index());
                }
                unsafe fn store(self, at: *mut u8, _: &mut ::wasm::abi::Scratch) {
                    // SAFETY: the caller vouches for four aligned bytes.
                    unsafe { at.cast::<u32>().write(self.0.into_index()) }
                }
            }
            impl ::wasm::abi::Lift for #ident {
                unsafe fn lift(from: &mut ::wasm::abi::FlatIn) -> Self {
                    // SAFETY: the caller vouches for an owned handle of this type.
                    Self(unsafe { ::wasm::abi::Handle::from_index(from.word()) })
                }
                unsafe fn load(at: *const u8) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { ::wasm::abi::Handle::from_index(at.cast::<u32>().read()) })
                }
            }
            impl ::wasm::abi::Borrowed for #ident {
                type Holder = ::wasm::abi::Lent<#ident>;
            }
            // SAFETY: a borrowed handle is one `i32`.
            unsafe impl ::wasm::abi::Wit for &#ident {
                const TYPE: ::wasm::abi::Type = ::wasm::abi::Type::Borrow(&<#ident as ::wasm::abi::Imported>::RESOURCE);
            }
            impl ::wasm::abi::Release for &#ident {}
            impl ::wasm::abi::Lower for &#ident {
                fn lower(self, out: &mut ::wasm::abi::FlatOut, _: &mut ::wasm::abi::Scratch) {
                    out.word(self.0.index());
                }
                unsafe fn store(self, at: *mut u8, _: &mut ::wasm::abi::Scratch) {
                    // SAFETY: the caller vouches for four aligned bytes.
                    unsafe { at.cast::<u32>().write(self.0.index()) }
                }
            }
        };
    })
}

fn methods(
    mut block: ItemImpl,
    home: &Home,
    effects: Option<&Declared>,
) -> syn::Result<TokenStream> {
    let ty = (*block.self_ty).clone();
    let wit = match &ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| wit_name(&segment.ident)),
        _ => None,
    };
    let Some(wit) = wit else {
        return Err(syn::Error::new(
            ty.span(),
            "expected the name of a resource of this module",
        ));
    };
    let owner = Owner { ty, wit: wit? };
    let own = effect::of_import(&mut block.attrs)?;
    let effects = own.as_ref().or(effects);
    let mut out = Vec::new();
    let mut errors = Vec::new();
    for item in &block.items {
        match item {
            ImplItem::Verbatim(tokens) => {
                let expanded =
                    syn::parse2::<ForeignItemFn>(tokens.clone()).and_then(|mut function| {
                        let own = effect::of_import(&mut function.attrs)?;
                        let checked =
                            Function::new(&function.sig, &function.attrs, Some(&owner), None)?;
                        Ok(body(
                            &checked,
                            &function,
                            home,
                            Some(&owner),
                            own.as_ref().or(effects),
                        ))
                    });
                match expanded {
                    Ok(tokens) => out.push(tokens),
                    Err(error) => errors.push(error),
                }
            }
            // A method with a body is the user's own, written with the imported ones.
            other => out.push(quote!(#other)),
        }
    }
    combine(errors)?;
    let (attributes, ty) = (&block.attrs, &owner.ty);
    Ok(quote! {
        #(#attributes)*
        impl #ty {
            #(#out)*
        }
    })
}

fn free_function(
    mut function: ForeignItemFn,
    name: Option<String>,
    home: &Home,
    effects: Option<&Declared>,
) -> syn::Result<TokenStream> {
    let own = effect::of_import(&mut function.attrs)?;
    let checked = Function::new(&function.sig, &function.attrs, None, name)?;
    let effects = own.as_ref().or(effects);
    Ok(body(&checked, &function, home, None, effects))
}

/// An imported function with its body.
fn body(
    function: &Function,
    original: &ForeignItemFn,
    home: &Home,
    owner: Option<&Owner>,
    effects: Option<&Declared>,
) -> TokenStream {
    let types: Vec<TokenStream> = function
        .parameters
        .iter()
        .map(|parameter| {
            let ty = &parameter.ty;
            match parameter.passing {
                Passing::Value => quote_spanned!(parameter.span=> #ty),
                Passing::Ref => quote_spanned!(parameter.span=> &#ty),
                // Another component cannot write to our memory; a mutable borrow of a handle is a borrow to it.
                Passing::RefMut => quote_spanned!(parameter.span=> &#ty),
            }
        })
        .collect();
    let values = function.parameters.iter().map(|parameter| {
        let ident = &parameter.ident;
        match parameter.passing {
            Passing::RefMut => quote!(&*#ident),
            Passing::Value | Passing::Ref => quote!(#ident),
        }
    });
    let description = function.description(home, owner, &types);
    let record = record(&quote!(::wasm::abi::Item::Function(__WASM_FUNCTION)));
    let module = home.import_module();
    let core_name = function.core_name(owner);
    let (names, parameters) = core_parameters();
    let core_result = core_result();
    let effects = effect::import_record(module, &core_name, effects, &function.ident);
    let ForeignItemFn {
        attrs: attributes,
        vis: visibility,
        sig: signature,
        ..
    } = original;
    let result = &function.result;
    let blanks: Vec<Ident> = names.clone();
    let slots = 0..names.len();
    let shown = format!("{module}#{core_name}");
    quote! {
        #(#attributes)*
        // Not inlined, so that whoever calls it also links the object file that holds its record.
        #[inline(never)]
        #visibility #signature {
            #description
            #record
            #effects
            const _: () = { let _ = &__WASM_RECORD; };
            #[cfg(target_arch = "wasm32")]
            #[link(wasm_import_module = #module)]
            #[allow(improper_ctypes)]
            unsafe extern "C" {
                #[link_name = #core_name]
                fn __wasm_import(#parameters) -> #core_result;
            }
            #[cfg(not(target_arch = "wasm32"))]
            unsafe fn __wasm_import(#parameters) -> #core_result {
                let _ = (#(#blanks),*);
                ::wasm::abi::not_in_a_component(#shown)
            }
            // SAFETY: each value has the type of its parameter, and the core signature is the canonical one.
            unsafe {
                let mut outgoing = ::wasm::abi::Outgoing::new(&__WASM_SIGNATURE);
                #(outgoing.push::<#types>(#values);)*
                let mut area = [0u64; __WASM_SIGNATURE.area];
                let slots = outgoing.slots(&__WASM_SIGNATURE, area.as_mut_ptr().cast());
                let bits = ::wasm::abi::Core::to_bits(__wasm_import(#(::wasm::abi::Core::from_bits(slots[#slots])),*));
                outgoing.finish();
                ::wasm::abi::receive::<#result>(bits, area.as_ptr().cast())
            }
        }
    }
}
