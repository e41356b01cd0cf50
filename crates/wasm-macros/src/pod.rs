//! `#[derive(wasm::Pod)]`: proves that a struct is nothing but its bytes.
//!
//! The proof is made by the compiler: each field is `Pod`, which a bound says at the field; no padding precedes a field or follows the
//! last one, which constants over `offset_of!` say at the field where it would begin. For both the order of fields must be the written one,
//! so `#[repr(C)]` or `#[repr(transparent)]` is required.

use crate::signature::combine;
use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Member};

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let ident = &input.ident;
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            return Err(syn::Error::new(
                data.enum_token.span,
                "an enum is not plain data: some bit patterns are none of its variants\nhelp: use a struct with an integer for the variant",
            ));
        }
        Data::Union(data) => {
            return Err(syn::Error::new(
                data.union_token.span,
                "a union is not plain data: bytes beside its smaller fields need not be initialised\nhelp: use a struct with an array of bytes",
            ));
        }
    };
    let mut errors = Vec::new();
    for parameter in input.generics.params.iter() {
        errors.push(syn::Error::new(
            parameter.span(),
            "plain data has no generic parameters, for the layout of each instance would have to be proved\nhelp: name the types it is used with",
        ));
    }
    if !has_fixed_order(&input.attrs)? {
        errors.push(syn::Error::new(
            ident.span(),
            format!("the order of `{ident}`'s fields is the compiler's choice\nhelp: add `#[repr(C)]`, or `#[repr(transparent)]` for one field"),
        ));
    }
    combine(errors)?;
    let members: Vec<(Member, &syn::Type)> = fields
        .members()
        .zip(fields.iter().map(|field| &field.ty))
        .collect();
    let bounds = members
        .iter()
        .map(|(_, ty)| quote_spanned!(ty.span()=> is_pod::<#ty>();));
    // Where a field begins, the field before it has ended.
    let mut ends = vec![quote!(0usize)];
    ends.extend(members.iter().map(|(member, ty)| {
        quote!(::core::mem::offset_of!(#ident, #member) + ::core::mem::size_of::<#ty>())
    }));
    let show = |member: &Member| member.to_token_stream().to_string();
    let gaps = members.iter().enumerate().map(|(i, (member, ty))| {
        let end = &ends[i];
        let before = match i.checked_sub(1) {
            Some(i) => format!("between `{}` and `{}`", show(&members[i].0), show(member)),
            None => format!("before `{}`", show(member)),
        };
        let message = format!(
            "`{ident}` is not plain data: there is padding {before}\nhelp: order the fields from the largest alignment to the smallest, or put an array of `u8` there"
        );
        quote_spanned! {ty.span()=>
            ::core::assert!(::core::mem::offset_of!(#ident, #member) == #end, #message);
        }
    });
    let end = &ends[members.len()];
    let message = format!(
        "`{ident}` is not plain data: there is padding after its last field\nhelp: add an array of `u8` that fills it"
    );
    let tail = quote_spanned! {ident.span()=>
        ::core::assert!(::core::mem::size_of::<#ident>() == #end, #message);
    };
    Ok(quote! {
        const _: () = {
            #(#gaps)*
            #tail
        };
        const _: () = {
            const fn is_pod<T: ::wasm::Pod>() {}
            #(#bounds)*
        };
        // SAFETY: the constants above prove that each field is plain and that nothing lies between or after them.
        #[automatically_derived]
        unsafe impl ::wasm::Pod for #ident {}
    })
}

/// Whether a `repr` attribute fixes the order of the fields.
fn has_fixed_order(attributes: &[Attribute]) -> syn::Result<bool> {
    let mut fixed = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            fixed |= meta.path.is_ident("C") || meta.path.is_ident("transparent");
            if meta.input.peek(syn::token::Paren) {
                let inner;
                syn::parenthesized!(inner in meta.input);
                inner.parse::<TokenStream>()?;
            }
            Ok(())
        })?;
    }
    Ok(fixed)
}
