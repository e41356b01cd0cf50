//! `#[wasm::export]`: functions, modules and impl blocks that a component offers.
//!
//! The annotated item stays as it is. Beside it goes an anonymous constant that holds, for each function: a description of its WIT
//! type, evaluated by the compiler; an `extern "C"` shim with the core signature the canonical ABI prescribes; and the
//! post-return function that frees the result. The shims also compile on other targets, so that a wrong type is reported by every
//! `cargo check`; their symbols exist on wasm32 only.

use crate::attributes::{Arguments, docs, is};
use crate::names::{Package, wit_name};
use crate::signature::{
    Function, Home, Owner, Passing, combine, core_parameters, core_result, origin, record,
    ungrouped,
};
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, ImplItem, Item, ItemFn, ItemImpl, ItemMod, Type, Visibility};

/// Prefixed to the core names of what the world itself exports, which would otherwise be symbols like `read` that a C library has too;
/// `wit_rust::embed_world` takes it off.
const WORLD_PREFIX: &str = "wasmrust#";

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let arguments = Arguments::parse_tokens(arguments)?;
    match syn::parse2(item)? {
        Item::Fn(function) => free_function(&arguments, &function),
        Item::Mod(module) => exported_module(&arguments, module),
        Item::Impl(block) => {
            let package = Package::current();
            let interface = match arguments.interface(&package)? {
                Some(interface) => interface,
                None => package.interface(&resource_name(&arguments, &block)?),
            };
            let home = Home {
                interface,
                package: package.id(),
                is_export: true,
            };
            let shims = impl_block(&arguments, &block, &home)?;
            Ok(quote!(#block #shims))
        }
        other => Err(syn::Error::new(
            other.span(),
            "only functions, modules and `impl` blocks can be exported\n\
             help: for a type, write `#[derive(wasm::Record)]`, `wasm::Variant`, `wasm::Enum` or `wasm::Flags`; \
             for a resource, put `#[wasm::export]` on its `impl` block",
        )),
    }
}

fn free_function(arguments: &Arguments, item: &ItemFn) -> syn::Result<TokenStream> {
    let package = Package::current();
    let interface = arguments.interface(&package)?.unwrap_or_default();
    let home = Home {
        interface,
        package: package.id(),
        is_export: true,
    };
    let name = arguments.name.as_ref().map(syn::LitStr::value);
    let function = Function::new(&item.sig, &item.attrs, None, name)?;
    let shim = shim(&function, &home, None);
    Ok(quote!(#item #shim))
}

fn exported_module(arguments: &Arguments, mut module: ItemMod) -> syn::Result<TokenStream> {
    let package = Package::current();
    let Some((_, items)) = &mut module.content else {
        return Err(syn::Error::new(
            module.span(),
            format!(
                "an exported module must be written out\nhelp: write `mod {} {{ … }}`",
                module.ident
            ),
        ));
    };
    let interface = match arguments.interface(&package)? {
        Some(interface) => interface,
        None => {
            let name = arguments.name.as_ref().map(syn::LitStr::value);
            package.interface(&name.map_or_else(|| wit_name(&module.ident), Ok)?)
        }
    };
    let home = Home {
        interface,
        package: package.id(),
        is_export: true,
    };
    let mut shims = Vec::new();
    let mut errors = Vec::new();
    for item in items.iter_mut() {
        let expanded = match item {
            Item::Fn(function) => {
                let attribute = function
                    .attrs
                    .iter()
                    .position(|attribute| is(attribute, "export"));
                let attribute = attribute.map(|index| function.attrs.remove(index));
                if attribute.is_none() && !matches!(function.vis, Visibility::Public(_)) {
                    continue;
                }
                attribute
                    .as_ref()
                    .map_or_else(|| Ok(Arguments::default()), Arguments::of)
                    .and_then(|arguments| {
                        let name = arguments.name.map(|name| name.value());
                        Ok(shim(
                            &Function::new(&function.sig, &function.attrs, None, name)?,
                            &home,
                            None,
                        ))
                    })
            }
            Item::Impl(block) => {
                let Some(index) = block
                    .attrs
                    .iter()
                    .position(|attribute| is(attribute, "export"))
                else {
                    continue;
                };
                let attribute = block.attrs.remove(index);
                Arguments::of(&attribute).and_then(|arguments| impl_block(&arguments, block, &home))
            }
            _ => continue,
        };
        match expanded {
            Ok(shim) => shims.push(shim),
            Err(error) => errors.push(error),
        }
    }
    combine(errors)?;
    let docs = docs(&module.attrs);
    if !docs.is_empty() {
        let interface = home.tokens();
        let record = record(&quote!(::wasm::abi::Item::Interface(#interface, #docs)));
        shims.push(quote!(const _: () = { #record let _ = &__WASM_RECORD; };));
    }
    let (attributes, visibility, ident) = (&module.attrs, &module.vis, &module.ident);
    let items = module
        .content
        .as_ref()
        .map_or(&[][..], |(_, items)| items.as_slice());
    Ok(quote! {
        #(#attributes)*
        #visibility mod #ident {
            #(#items)*
            #(#shims)*
        }
    })
}

/// The last word of the type that an `impl` block is about.
fn type_name(block: &ItemImpl) -> syn::Result<Ident> {
    let last = match &*block.self_ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    match last {
        Some(segment) if segment.arguments.is_none() => Ok(segment.ident.clone()),
        _ => Err(syn::Error::new(
            block.self_ty.span(),
            "a resource is a struct or enum without generic parameters",
        )),
    }
}

fn resource_name(arguments: &Arguments, block: &ItemImpl) -> syn::Result<String> {
    match &arguments.name {
        Some(name) => Ok(name.value()),
        None => wit_name(&type_name(block)?),
    }
}

/// A resource: its type, its functions and its destructor.
fn impl_block(arguments: &Arguments, block: &ItemImpl, home: &Home) -> syn::Result<TokenStream> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(syn::Error::new(
            path.span(),
            "a trait's methods cannot be exported\nhelp: write an inherent `impl` block whose methods call the trait's",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(syn::Error::new(
            block.generics.span(),
            "a resource cannot be generic\nhelp: name the type it is used with",
        ));
    }
    let owner = Owner {
        ty: (*block.self_ty).clone(),
        wit: resource_name(arguments, block)?,
    };
    let ident = type_name(block)?;
    let mut shims = vec![resource(&owner, &ident, &docs(&block.attrs), home)];
    let mut errors = Vec::new();
    for item in &block.items {
        if let ImplItem::Fn(function) = item
            && matches!(function.vis, Visibility::Public(_))
        {
            match Function::new(&function.sig, &function.attrs, Some(&owner), None) {
                Ok(checked) => shims.push(shim(&checked, home, Some(&owner))),
                Err(error) => errors.push(error),
            }
        }
    }
    combine(errors)?;
    Ok(quote!(#(#shims)*))
}

fn resource(owner: &Owner, ident: &Ident, docs: &str, home: &Home) -> TokenStream {
    let Owner { ty, wit } = owner;
    let origin = origin(ident);
    let interface = home.tokens();
    let record = record(&quote! {
        ::wasm::abi::Item::Resource(::wasm::abi::ResourceItem {
            interface: #interface,
            name: #wit,
            docs: #docs,
            origin: #origin,
        })
    });
    let interface = &home.interface;
    let module = format!("[export]{interface}");
    let [new, rep, drop] = ["new", "rep", "drop"].map(|what| format!("[resource-{what}]{wit}"));
    let dtor = format!("{interface}#[dtor]{wit}");
    quote! {
        const _: () = {
            #record
            #[cfg(target_arch = "wasm32")]
            #[link(wasm_import_module = #module)]
            unsafe extern "C" {
                #[link_name = #new]
                safe fn __wasm_new(rep: *mut u8) -> u32;
                #[link_name = #rep]
                safe fn __wasm_rep(handle: u32) -> *mut u8;
                #[link_name = #drop]
                safe fn __wasm_drop(handle: u32);
            }
            #[cfg(not(target_arch = "wasm32"))]
            fn __wasm_new(_: *mut u8) -> u32 {
                ::wasm::abi::not_in_a_component(#wit)
            }
            #[cfg(not(target_arch = "wasm32"))]
            fn __wasm_rep(_: u32) -> *mut u8 {
                ::wasm::abi::not_in_a_component(#wit)
            }
            #[cfg(not(target_arch = "wasm32"))]
            fn __wasm_drop(_: u32) {
                ::wasm::abi::not_in_a_component(#wit)
            }

            // SAFETY: the built-ins imported above are this resource's, and `__wasm_dtor` calls the library's destructor.
            unsafe impl ::wasm::abi::Exported for #ty {
                const RESOURCE: ::wasm::abi::Resource =
                    ::wasm::abi::Resource { name: #wit, interface: #interface, exported: true };
                fn resource_new(rep: *mut u8) -> u32 {
                    __wasm_new(rep)
                }
                fn resource_rep(handle: u32) -> *mut u8 {
                    __wasm_rep(handle)
                }
                fn resource_drop(handle: u32) {
                    __wasm_drop(handle)
                }
            }
            // SAFETY: a handle is one `i32`.
            unsafe impl ::wasm::abi::Wit for #ty {
                const TYPE: ::wasm::abi::Type = ::wasm::abi::Type::Own(&<#ty as ::wasm::abi::Exported>::RESOURCE);
            }
            impl ::wasm::abi::Release for #ty {}
            impl ::wasm::abi::Lower for #ty {
                fn lower(self, out: &mut ::wasm::abi::FlatOut, _: &mut ::wasm::abi::Scratch) {
                    out.word(::wasm::abi::give(self));
                }
                unsafe fn store(self, at: *mut u8, _: &mut ::wasm::abi::Scratch) {
                    // SAFETY: the caller vouches for four aligned bytes.
                    unsafe { at.cast::<u32>().write(::wasm::abi::give(self)) }
                }
            }
            impl ::wasm::abi::Lift for #ty {
                unsafe fn lift(from: &mut ::wasm::abi::FlatIn) -> Self {
                    // SAFETY: the caller vouches for an owned handle of this type.
                    unsafe { ::wasm::abi::take(from.word()) }
                }
                unsafe fn load(at: *const u8) -> Self {
                    // SAFETY: as above.
                    unsafe { ::wasm::abi::take(at.cast::<u32>().read()) }
                }
            }
            impl ::wasm::abi::Borrowed for #ty {
                type Holder = ::wasm::abi::BorrowGuard<#ty>;
            }
            #[cfg_attr(target_arch = "wasm32", unsafe(export_name = #dtor))]
            unsafe extern "C" fn __wasm_dtor(rep: *mut u8) {
                // SAFETY: the canonical ABI calls it once, with a representation of this resource.
                unsafe { ::wasm::abi::dtor::<#ty>(rep) }
            }
            let _ = (__wasm_dtor as unsafe extern "C" fn(*mut u8), &__WASM_RECORD);
        };
    }
}

/// The shim of one exported function.
fn shim(function: &Function, home: &Home, owner: Option<&Owner>) -> TokenStream {
    let holders: Vec<TokenStream> = function
        .parameters
        .iter()
        .map(|parameter| {
            let ty = &parameter.ty;
            match parameter.passing {
                Passing::Value => quote_spanned!(parameter.span=> #ty),
                Passing::Ref => {
                    quote_spanned!(parameter.span=> <#ty as ::wasm::abi::Borrowed>::Holder)
                }
                Passing::RefMut => {
                    quote_spanned!(parameter.span=> ::wasm::abi::BorrowMutGuard<#ty>)
                }
            }
        })
        .collect();
    let locals: Vec<_> = (0..holders.len())
        .map(|i| format_ident!("__p{i}"))
        .collect();
    let arguments = function
        .parameters
        .iter()
        .zip(&locals)
        .map(|(parameter, local)| {
            let ty = &parameter.ty;
            match parameter.passing {
                Passing::Value => quote!(#local),
                Passing::Ref => quote!(::core::borrow::Borrow::<#ty>::borrow(&#local)),
                Passing::RefMut => {
                    quote!(::core::borrow::BorrowMut::<#ty>::borrow_mut(&mut #local))
                }
            }
        });
    let mutable = function
        .parameters
        .iter()
        .map(|parameter| match parameter.passing {
            Passing::RefMut => quote!(mut),
            Passing::Value | Passing::Ref => quote!(),
        });
    let description = function.description(home, owner, &holders);
    let record = record(&quote!(::wasm::abi::Item::Function(__WASM_FUNCTION)));
    let ident = &function.ident;
    let callee = match owner {
        None => quote!(#ident),
        Some(Owner { ty, .. }) => quote!(<#ty>::#ident),
    };
    let core_name = function.core_name(owner);
    let (prefix, marker) = (
        home.export_prefix(),
        if home.interface.is_empty() {
            WORLD_PREFIX
        } else {
            ""
        },
    );
    let export = format!("{marker}{prefix}{core_name}");
    let post_return = format!("{marker}cabi_post_{prefix}{core_name}");
    let (names, parameters) = core_parameters();
    let core_result = core_result();
    let result = &function.result;
    let post = if is_scalar(result) {
        quote!()
    } else {
        quote! {
            #[cfg_attr(target_arch = "wasm32", unsafe(export_name = #post_return))]
            #[allow(improper_ctypes_definitions)]
            unsafe extern "C" fn __wasm_post_return(bits: #core_result) {
                // SAFETY: called once with what the function returned.
                unsafe { ::wasm::abi::release::<#result>(::wasm::abi::Core::to_bits(bits)) }
            }
            let _ = __wasm_post_return as unsafe extern "C" fn(_);
        }
    };
    let blanks = names.iter().map(|_| quote!(_));
    quote! {
        const _: () = {
            #description
            #record
            static __WASM_AREA: ::wasm::abi::Area<{ __WASM_SIGNATURE.area }> = ::wasm::abi::Area::new();
            #[cfg_attr(target_arch = "wasm32", unsafe(export_name = #export))]
            #[allow(improper_ctypes_definitions)]
            unsafe extern "C" fn __wasm_call(#parameters) -> #core_result {
                // SAFETY: the slots are the call's core parameters, and each type is that of its parameter.
                unsafe {
                    let mut incoming =
                        ::wasm::abi::Incoming::new(&__WASM_SIGNATURE, [#(::wasm::abi::Core::to_bits(#names)),*]);
                    #(let #mutable #locals = incoming.next::<#holders>();)*
                    ::core::mem::drop(incoming);
                    let result: #result = #callee(#(#arguments),*);
                    ::wasm::abi::Core::from_bits(::wasm::abi::deliver(result, __WASM_AREA.address()))
                }
            }
            #post
            let _ = (__wasm_call as unsafe extern "C" fn(#(#blanks),*) -> _, &__WASM_RECORD);
        };
    }
}

/// Whether a type is spelled as one that owns no memory, so that no post-return function is needed.
fn is_scalar(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().all(is_scalar),
        Type::Path(path) => path.path.get_ident().is_some_and(|ident| {
            let ident = ident.to_string();
            ["bool", "char", "f32", "f64"].contains(&ident.as_str())
                || ["8", "16", "32", "64"]
                    .iter()
                    .any(|bits| ident == format!("u{bits}") || ident == format!("i{bits}"))
        }),
        _ => false,
    }
}
