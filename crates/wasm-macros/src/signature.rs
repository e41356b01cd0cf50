//! Function signatures: what is accepted, and the pieces that the two shims share.

use crate::attributes::docs;
use crate::names::wit_name;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit_mut::{VisitMut, visit_type_mut};
use syn::{FnArg, Ident, Lifetime, Pat, ReturnType, Signature, Type, TypeReference};

/// Where a function or resource belongs.
pub(crate) struct Home {
    /// The interface's full id; empty for the world itself.
    pub(crate) interface: String,
    /// The id of the crate's package.
    pub(crate) package: String,
    pub(crate) is_export: bool,
}

impl Home {
    pub(crate) fn tokens(&self) -> TokenStream {
        let Self {
            interface, package, ..
        } = self;
        let direction = if self.is_export {
            quote!(Export)
        } else {
            quote!(Import)
        };
        quote! {
            ::wasm::abi::Interface { direction: ::wasm::abi::Direction::#direction, name: #interface, package: #package }
        }
    }

    /// What precedes a function's name in its core export.
    pub(crate) fn export_prefix(&self) -> String {
        if self.interface.is_empty() {
            String::new()
        } else {
            format!("{}#", self.interface)
        }
    }

    /// The module that a core import names.
    pub(crate) fn import_module(&self) -> &str {
        if self.interface.is_empty() {
            "$root"
        } else {
            &self.interface
        }
    }
}

/// What a function is to a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Free,
    Constructor,
    Method,
    Static,
}

impl Role {
    pub(crate) fn tokens(self) -> TokenStream {
        match self {
            Self::Free => quote!(::wasm::abi::Role::Free),
            Self::Constructor => quote!(::wasm::abi::Role::Constructor),
            Self::Method => quote!(::wasm::abi::Role::Method),
            Self::Static => quote!(::wasm::abi::Role::Static),
        }
    }

    /// The function's name in core imports and exports.
    pub(crate) fn core_name(self, resource: &str, name: &str) -> String {
        match self {
            Self::Free => name.to_owned(),
            Self::Constructor => format!("[constructor]{resource}"),
            Self::Method => format!("[method]{resource}.{name}"),
            Self::Static => format!("[static]{resource}.{name}"),
        }
    }
}

/// How a parameter is taken.
pub(crate) enum Passing {
    Value,
    Ref,
    RefMut,
}

/// A checked parameter.
pub(crate) struct Parameter {
    /// The WIT name; `None` for a method's `self`.
    pub(crate) wit: Option<String>,
    /// The Rust name, in an import's own code.
    pub(crate) ident: Ident,
    pub(crate) passing: Passing,
    /// The type, without its outer reference and lifetimes.
    pub(crate) ty: Type,
    pub(crate) span: Span,
}

/// A checked function.
pub(crate) struct Function {
    pub(crate) ident: Ident,
    pub(crate) wit: String,
    pub(crate) docs: String,
    pub(crate) role: Role,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Type,
    pub(crate) result_span: Span,
}

/// The resource that an impl block is about.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) ty: Type,
    pub(crate) wit: String,
}

/// Replaces `Self` by a type and removes lifetimes, so that the type can be named outside the function.
struct Outside<'a>(Option<&'a Type>);

impl VisitMut for Outside<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let (Type::Path(path), Some(own)) = (&*ty, self.0)
            && path.qself.is_none()
            && path.path.is_ident("Self")
        {
            *ty = own.clone();
            return;
        }
        visit_type_mut(self, ty);
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime = None;
        self.visit_type_mut(&mut reference.elem);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = Lifetime::new("'_", lifetime.span());
    }
}

/// A type without the invisible groups that `macro_rules!` wraps around `$t:ty`, nor parentheses.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}

fn outside(ty: &Type, owner: Option<&Owner>) -> Type {
    let mut ty = ungrouped(ty).clone();
    Outside(owner.map(|owner| &owner.ty)).visit_type_mut(&mut ty);
    ty
}

/// Combines errors, so that one build shows all of them.
pub(crate) fn combine(errors: Vec<syn::Error>) -> syn::Result<()> {
    errors
        .into_iter()
        .reduce(|mut all, error| {
            all.combine(error);
            all
        })
        .map_or(Ok(()), Err)
}

impl Function {
    /// Checks a signature that is to cross a component boundary.
    pub(crate) fn new(
        signature: &Signature,
        attributes: &[syn::Attribute],
        owner: Option<&Owner>,
        name: Option<String>,
    ) -> syn::Result<Self> {
        let mut errors = Vec::new();
        let mut refuse = |span: Span, message: &str| errors.push(syn::Error::new(span, message));
        if let Some(keyword) = &signature.asyncness {
            refuse(
                keyword.span,
                "`async` functions cannot cross a component boundary yet\nhelp: remove `async`",
            );
        }
        if let Some(keyword) = &signature.unsafety {
            refuse(
                keyword.span,
                "a component's callers cannot keep an `unsafe` contract\nhelp: remove `unsafe`",
            );
        }
        if let Some(abi) = &signature.abi {
            refuse(
                abi.span(),
                "the macro chooses the calling convention\nhelp: remove `extern`",
            );
        }
        if let Some(generic) = signature.generics.type_params().next() {
            refuse(
                generic.span(),
                "a function that crosses a component boundary cannot be generic\nhelp: name the types it is used with",
            );
        }
        if let Some(generic) = signature.generics.const_params().next() {
            refuse(
                generic.span(),
                "a function that crosses a component boundary cannot be generic\nhelp: pass the number as a parameter",
            );
        }
        if let Some(variadic) = &signature.variadic {
            refuse(
                variadic.span(),
                "a component's function has a fixed number of parameters\nhelp: take a `Vec<T>`",
            );
        }
        let mut parameters = Vec::new();
        for (index, argument) in signature.inputs.iter().enumerate() {
            match parameter(argument, index, owner) {
                Ok(parameter) => parameters.push(parameter),
                Err(error) => errors.push(error),
            }
        }
        let (result, result_span) = match &signature.output {
            ReturnType::Default => (syn::parse_quote!(()), signature.ident.span()),
            ReturnType::Type(_, ty) => {
                if let Type::ImplTrait(opaque) = &**ty {
                    errors.push(syn::Error::new(
                        opaque.span(),
                        "a component's function returns a type with a name\nhelp: collect an iterator into a `Vec<T>`",
                    ));
                }
                (outside(ty, owner), ty.span())
            }
        };
        let wit = match name.map_or_else(|| wit_name(&signature.ident), Ok) {
            Ok(wit) => wit,
            Err(error) => {
                errors.push(error);
                String::new()
            }
        };
        combine(errors)?;
        let role = match owner {
            None => Role::Free,
            Some(_) if parameters.first().is_some_and(|first| first.wit.is_none()) => Role::Method,
            Some(owner) if signature.ident == "new" && result == owner.ty => Role::Constructor,
            Some(_) => Role::Static,
        };
        let ident = signature.ident.clone();
        Ok(Self {
            ident,
            wit,
            docs: docs(attributes),
            role,
            parameters,
            result,
            result_span,
        })
    }

    pub(crate) fn core_name(&self, owner: Option<&Owner>) -> String {
        self.role
            .core_name(owner.map_or("", |owner| &owner.wit), &self.wit)
    }

    /// The constants that describe the function: its record and its core signature.
    ///
    /// `types` are the types of the parameters as they are lifted or lowered.
    pub(crate) fn description(
        &self,
        home: &Home,
        owner: Option<&Owner>,
        types: &[TokenStream],
    ) -> TokenStream {
        let Self {
            wit,
            docs,
            result,
            result_span,
            ..
        } = self;
        let (interface, role) = (home.tokens(), self.role.tokens());
        let resource = owner.map_or("", |owner| owner.wit.as_str());
        let direction = if home.is_export {
            quote!(export)
        } else {
            quote!(import)
        };
        let parameters = self.parameters.iter().zip(types).filter_map(|(parameter, ty)| {
            let name = parameter.wit.as_ref()?;
            Some(quote!(::wasm::abi::Param { name: #name, ty: &<#ty as ::wasm::abi::Wit>::TYPE }))
        });
        let origin = origin(&self.ident);
        let result = quote_spanned!(*result_span=> <#result as ::wasm::abi::Wit>::TYPE);
        quote! {
            const __WASM_FUNCTION: ::wasm::abi::Function = ::wasm::abi::Function {
                interface: #interface,
                role: #role,
                resource: #resource,
                name: #wit,
                docs: #docs,
                origin: #origin,
                params: &[#(#parameters),*],
                result: &#result,
            };
            const __WASM_SIGNATURE: ::wasm::abi::Signature = ::wasm::abi::Signature::#direction(
                &[#(&<#types as ::wasm::abi::Wit>::TYPE),*],
                __WASM_FUNCTION.result,
            );
        }
    }
}

fn parameter(argument: &FnArg, index: usize, owner: Option<&Owner>) -> syn::Result<Parameter> {
    let span = argument.span();
    match argument {
        FnArg::Receiver(receiver) => {
            let Some(owner) = owner else {
                return Err(syn::Error::new(
                    span,
                    "a method needs its resource\nhelp: put `#[wasm::export]` on the `impl` block rather than on the method",
                ));
            };
            if receiver.colon_token.is_some() {
                return Err(syn::Error::new(
                    span,
                    "a resource is taken as `&self`, `&mut self` or `self`",
                ));
            }
            // WIT has no consuming methods: `self` by value makes a static function of it.
            let (passing, wit) = match (&receiver.reference, &receiver.mutability) {
                (None, _) => (Passing::Value, Some("this".to_owned())),
                (Some(_), None) => (Passing::Ref, None),
                (Some(_), Some(_)) => (Passing::RefMut, None),
            };
            Ok(Parameter {
                wit,
                ident: format_ident!("self"),
                passing,
                ty: owner.ty.clone(),
                span,
            })
        }
        FnArg::Typed(typed) => {
            let Pat::Ident(name) = &*typed.pat else {
                return Err(syn::Error::new(
                    typed.pat.span(),
                    format!(
                        "this parameter needs a name, for it is part of the WIT\nhelp: write `value{index}: …` and take it apart inside"
                    ),
                ));
            };
            if let Type::ImplTrait(opaque) = &*typed.ty {
                return Err(syn::Error::new(
                    opaque.span(),
                    "a function that crosses a component boundary cannot be generic\nhelp: write the type it is used with",
                ));
            }
            let wit = Some(wit_name(&name.ident)?);
            let ty = outside(&typed.ty, owner);
            let (passing, ty) = match ty {
                Type::Reference(reference) if reference.mutability.is_some() => {
                    (Passing::RefMut, *reference.elem)
                }
                Type::Reference(reference) => (Passing::Ref, *reference.elem),
                ty => (Passing::Value, ty),
            };
            Ok(Parameter {
                wit,
                ident: name.ident.clone(),
                passing,
                ty,
                span: typed.ty.span(),
            })
        }
    }
}

/// The number of core parameters in a shim, `MAX_SLOTS` of the library.
pub(crate) const SLOTS: usize = 17;

/// `a0: …, a1: …, …` with the core types that the signature in scope gives them.
pub(crate) fn core_parameters() -> (Vec<Ident>, TokenStream) {
    let names: Vec<Ident> = (0..SLOTS).map(|i| format_ident!("__a{i}")).collect();
    let slots = 0..SLOTS;
    let parameters = quote! {
        #(#names: <::wasm::abi::Slot<{ __WASM_SIGNATURE.params[#slots] }> as ::wasm::abi::SlotType>::Core),*
    };
    (names, parameters)
}

/// The core type of the result.
pub(crate) fn core_result() -> TokenStream {
    quote!(<::wasm::abi::Slot<{ __WASM_SIGNATURE.result }> as ::wasm::abi::SlotType>::Core)
}

/// Where an item stands, for error messages and for the order in the WIT: `module::name (file:line)`.
pub(crate) fn origin(ident: &Ident) -> TokenStream {
    let (name, line) = (ident.to_string(), ident.span().unwrap().line().to_string());
    quote!(
        ::core::concat!(::core::module_path!(), "::", #name, " (", ::core::file!(), ":", #line, ")")
    )
}

/// The static that puts a record into the section.
pub(crate) fn record(item: &TokenStream) -> TokenStream {
    quote! {
        const __WASM_ITEM: ::wasm::abi::Item = #item;
        const __WASM_LEN: usize = ::wasm::abi::encoded_len(&__WASM_ITEM);
        #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "wasmrust-wit"))]
        static __WASM_RECORD: [u8; __WASM_LEN] = ::wasm::abi::encode::<__WASM_LEN>(&__WASM_ITEM);
    }
}
