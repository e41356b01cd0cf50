//! `#[derive(Record)]`, `Variant`, `Enum` and `Flags`.

use crate::attributes::docs;
use crate::names::wit_name;
use crate::signature::combine;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::{Data, DeriveInput, Fields, Type};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Record,
    Variant,
    Enum,
    Flags,
}

/// A field, case or flag.
struct Member {
    ident: Ident,
    wit: String,
    docs: String,
    /// A field's type, or a case's payload as it stands in the variant's parentheses.
    types: Vec<Type>,
}

impl Member {
    /// The one type that carries the payload: several become a tuple.
    fn ty(&self) -> Option<Type> {
        match self.types.as_slice() {
            [] => None,
            [ty] => Some(ty.clone()),
            types => Some(syn::parse_quote!((#(#types),*))),
        }
    }
}

/// Whether a type mentions another by its bare name.
struct Mentions<'a> {
    name: &'a Ident,
    found: bool,
}

impl<'ast> Visit<'ast> for Mentions<'_> {
    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        self.found |= path.path.get_ident() == Some(self.name);
        syn::visit::visit_type_path(self, path);
    }
}

/// The bodies of the traits' functions.
struct Bodies {
    release: TokenStream,
    lower: TokenStream,
    store: TokenStream,
    lower_ref: TokenStream,
    store_ref: TokenStream,
    lift: TokenStream,
    load: TokenStream,
}

pub(crate) fn expand(shape: Shape, input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    if let Some(lifetime) = input.generics.lifetimes().next() {
        return Err(syn::Error::new(
            lifetime.span(),
            "a type that crosses a component boundary owns its parts\nhelp: use `String` for `&str` and `Vec<T>` for `&[T]`",
        ));
    }
    if let Some(constant) = input.generics.const_params().next() {
        return Err(syn::Error::new(
            constant.span(),
            "WIT types have no constants as parameters\nhelp: use a type parameter or none",
        ));
    }
    let members = members(shape, &input)?;
    let bodies = match shape {
        Shape::Record => record_bodies(&members),
        Shape::Variant | Shape::Enum => variant_bodies(&input.ident.to_string(), &members),
        Shape::Flags => flags_bodies(&members),
    };
    implementations(shape, &input, &members, &bodies)
}

fn members(shape: Shape, input: &DeriveInput) -> syn::Result<Vec<Member>> {
    let wrong = |message: &str| Err(syn::Error::new(input.ident.span(), message));
    let mut errors = Vec::new();
    let mut members = Vec::new();
    let mut add =
        |ident: &Ident, attributes: &[syn::Attribute], types: Vec<Type>| match wit_name(ident) {
            Ok(wit) => members.push(Member {
                ident: ident.clone(),
                wit,
                docs: docs(attributes),
                types,
            }),
            Err(error) => errors.push(error),
        };
    match (shape, &input.data) {
        (Shape::Record | Shape::Flags, Data::Struct(data)) => {
            let Fields::Named(fields) = &data.fields else {
                return wrong(
                    "the fields need names, for they are part of the WIT\nhelp: write `struct … { name: Type, … }`",
                );
            };
            for field in &fields.named {
                let Some(ident) = &field.ident else { continue };
                if shape == Shape::Flags {
                    if field.ty.to_token_stream().to_string() != "bool" {
                        return Err(syn::Error::new(
                            field.ty.span(),
                            "a flag is a `bool`\nhelp: derive `wasm::Record` for other fields",
                        ));
                    }
                    add(ident, &field.attrs, Vec::new());
                } else {
                    add(ident, &field.attrs, vec![field.ty.clone()]);
                }
            }
        }
        (Shape::Variant | Shape::Enum, Data::Enum(data)) => {
            for case in &data.variants {
                let types = match &case.fields {
                    Fields::Unit => Vec::new(),
                    Fields::Unnamed(_) | Fields::Named(_) if shape == Shape::Enum => {
                        return Err(syn::Error::new(
                            case.span(),
                            "a WIT `enum` has no payloads\nhelp: derive `wasm::Variant` instead of `wasm::Enum`",
                        ));
                    }
                    Fields::Unnamed(fields) => fields
                        .unnamed
                        .iter()
                        .map(|field| field.ty.clone())
                        .collect(),
                    Fields::Named(fields) => {
                        return Err(syn::Error::new(
                            fields.span(),
                            format!(
                                "a case of a WIT `variant` has one payload without field names\n\
                                 help: put the fields into a struct with `#[derive(wasm::Record)]` and write `{}(ThatStruct)`",
                                case.ident
                            ),
                        ));
                    }
                };
                add(&case.ident, &case.attrs, types);
            }
        }
        (Shape::Record, _) => {
            return wrong(
                "only a struct can be a record\nhelp: derive `wasm::Variant` or `wasm::Enum` for an enum",
            );
        }
        (Shape::Flags, _) => {
            return wrong(
                "flags are a struct of `bool`s\nhelp: write `struct … { read: bool, write: bool }`",
            );
        }
        (Shape::Variant, _) => {
            return wrong(
                "only an enum can be a variant\nhelp: derive `wasm::Record` for a struct",
            );
        }
        (Shape::Enum, _) => {
            return wrong(
                "only an enum can be a WIT `enum`\nhelp: derive `wasm::Record` for a struct",
            );
        }
    }
    combine(errors)?;
    if members.is_empty() {
        return wrong("WIT has no empty types\nhelp: add a field or a case");
    }
    if shape == Shape::Flags && members.len() > 32 {
        return wrong("WIT has at most 32 flags in one type\nhelp: split the type");
    }
    for ty in members.iter().flat_map(|member| &member.types) {
        let mut mentions = Mentions {
            name: &input.ident,
            found: false,
        };
        mentions.visit_type(ty);
        if mentions.found {
            let message = format!(
                "`{}` contains itself, which no WIT type can\nhelp: keep all in one list and refer to others by their index in it",
                input.ident
            );
            return Err(syn::Error::new(ty.span(), message));
        }
    }
    for (i, member) in members.iter().enumerate() {
        if members[..i].iter().any(|earlier| earlier.wit == member.wit) {
            let message = format!(
                "`{}` has the same WIT name as an earlier one: `{}`\nhelp: rename one of the two",
                member.ident, member.wit
            );
            return Err(syn::Error::new(member.ident.span(), message));
        }
    }
    Ok(members)
}

fn record_bodies(members: &[Member]) -> Bodies {
    let idents: Vec<_> = members.iter().map(|member| &member.ident).collect();
    let types: Vec<_> = members.iter().map(|member| &member.types[0]).collect();
    Bodies {
        release: quote! {
            let mut end = 0;
            #(<#types as ::wasm::abi::Release>::release(at.add(::wasm::abi::field::<#types>(&mut end)));)*
        },
        lower: quote!(#(::wasm::abi::Lower::lower(self.#idents, out, scratch);)*),
        store: quote! {
            let mut end = 0;
            #(::wasm::abi::Lower::store(self.#idents, at.add(::wasm::abi::field::<#types>(&mut end)), scratch);)*
        },
        lower_ref: quote!(#(::wasm::abi::LowerRef::lower_ref(&self.#idents, out, scratch);)*),
        store_ref: quote! {
            let mut end = 0;
            #(::wasm::abi::LowerRef::store_ref(&self.#idents, at.add(::wasm::abi::field::<#types>(&mut end)), scratch);)*
        },
        lift: quote!(Self { #(#idents: <#types as ::wasm::abi::Lift>::lift(from)),* }),
        load: quote! {
            let mut end = 0;
            Self { #(#idents: <#types as ::wasm::abi::Lift>::load(at.add(::wasm::abi::field::<#types>(&mut end)))),* }
        },
    }
}

/// One arm per case: its pattern, its number and, if it has one, its payload as one expression with one type.
struct Arm {
    pattern: TokenStream,
    number: u32,
    payload: Option<(TokenStream, Type)>,
    /// Makes the case again from `value`.
    rebuild: TokenStream,
}

fn arms(members: &[Member]) -> Vec<Arm> {
    let arm = |(number, member): (usize, &Member)| {
        let ident = &member.ident;
        let fields: Vec<_> = (0..member.types.len())
            .map(|i| format_ident!("f{i}"))
            .collect();
        let indices = (0..fields.len()).map(syn::Index::from);
        let (pattern, payload, rebuild) = match fields.as_slice() {
            [] => (quote!(Self::#ident { .. }), None, quote!(Self::#ident {})),
            [field] => (
                quote!(Self::#ident(#field)),
                Some(quote!(#field)),
                quote!(Self::#ident(value)),
            ),
            _ => (
                quote!(Self::#ident(#(#fields),*)),
                Some(quote!((#(#fields),*))),
                quote!(Self::#ident(#(value.#indices),*)),
            ),
        };
        Arm {
            pattern,
            number: number as u32,
            payload: payload.zip(member.ty()),
            rebuild,
        }
    };
    members.iter().enumerate().map(arm).collect()
}

fn variant_bodies(name: &str, members: &[Member]) -> Bodies {
    let arms = arms(members);
    let cases = members.len();
    let outgoing = |empty: &dyn Fn(u32) -> TokenStream,
                    full: &dyn Fn(u32, &TokenStream, &Type) -> TokenStream| {
        let arms = arms.iter().map(
            |Arm {
                 pattern,
                 number,
                 payload,
                 ..
             }| {
                let action = match payload {
                    None => empty(*number),
                    Some((value, ty)) => full(*number, value, ty),
                };
                quote!(#pattern => { #action })
            },
        );
        quote!(match self { #(#arms)* })
    };
    let lowering = |call: TokenStream| {
        let body = outgoing(
            &|number| quote!(out.case(#number, payload, |_| {});),
            &|number, value, _| quote!(out.case(#number, payload, |out| #call(#value, out, scratch));),
        );
        quote!(let payload = const { <Self as ::wasm::abi::Wit>::FLAT - 1 }; #body)
    };
    let storing = |call: TokenStream| {
        let body = outgoing(
            &|number| quote!(::wasm::abi::store_tag(at, #number, #cases);),
            &|number, value, _| quote!(::wasm::abi::store_tag(at, #number, #cases); #call(#value, at.add(offset), scratch);),
        );
        quote!(let offset = const { <Self as ::wasm::abi::Wit>::TYPE.payload_offset() }; let _ = offset; #body)
    };
    let incoming = |read: &dyn Fn(&Type) -> TokenStream| {
        let arms = arms.iter().map(
            |Arm {
                 number,
                 payload,
                 rebuild,
                 ..
             }| match payload {
                None => quote!(#number => #rebuild,),
                Some((_, ty)) => {
                    let read = read(ty);
                    quote!(#number => { let value: #ty = #read; #rebuild })
                }
            },
        );
        quote!(match case { #(#arms)* _ => ::wasm::abi::case_out_of_range(case, #name) })
    };
    let releases = arms.iter().filter_map(
        |Arm {
             number, payload, ..
         }| {
            let (_, ty) = payload.as_ref()?;
            Some(quote!(#number => <#ty as ::wasm::abi::Release>::release(at.add(offset)),))
        },
    );
    let lift = incoming(&|ty| quote!(<#ty as ::wasm::abi::Lift>::lift(from)));
    let load = incoming(&|ty| quote!(<#ty as ::wasm::abi::Lift>::load(at.add(offset))));
    // By reference, several fields make a tuple of references, which are lowered by value.
    let by_ref = |method: &str| {
        let method = format_ident!("{method}");
        quote!(::wasm::abi::Lower::#method)
    };
    Bodies {
        release: quote! {
            let offset = const { <Self as ::wasm::abi::Wit>::TYPE.payload_offset() };
            let _ = offset;
            match ::wasm::abi::load_tag(at, #cases) { #(#releases)* _ => {} }
        },
        lower: lowering(by_ref("lower")),
        store: storing(by_ref("store")),
        lower_ref: lowering(by_ref("lower")),
        store_ref: storing(by_ref("store")),
        lift: quote! {
            let case = from.word();
            from.case(const { <Self as ::wasm::abi::Wit>::FLAT - 1 }, |from| { let _ = &from; #lift })
        },
        load: quote! {
            let offset = const { <Self as ::wasm::abi::Wit>::TYPE.payload_offset() };
            let _ = offset;
            let case = ::wasm::abi::load_tag(at, #cases);
            #load
        },
    }
}

fn flags_bodies(members: &[Member]) -> Bodies {
    let idents: Vec<_> = members.iter().map(|member| &member.ident).collect();
    let bits: Vec<u32> = (0..members.len() as u32).collect();
    // Flags are stored like the number of a variant with as many cases as the bits allow.
    let cases: usize = match members.len() {
        0..=8 => 1 << 8,
        9..=16 => 1 << 16,
        _ => 1 << 20,
    };
    let pack = quote!(0u32 #(| (u32::from(self.#idents) << #bits))*);
    let unpack = quote!(Self { #(#idents: bits >> #bits & 1 == 1),* });
    let lower = quote!(let _ = scratch; out.word(#pack););
    let store = quote!(let _ = scratch; ::wasm::abi::store_tag(at, #pack, #cases););
    Bodies {
        release: quote!(let _ = at;),
        lower: lower.clone(),
        store: store.clone(),
        lower_ref: lower,
        store_ref: store,
        lift: quote!(let bits = from.word(); #unpack),
        load: quote!(let bits = ::wasm::abi::load_tag(at, #cases); #unpack),
    }
}

fn implementations(
    shape: Shape,
    input: &DeriveInput,
    members: &[Member],
    bodies: &Bodies,
) -> syn::Result<TokenStream> {
    let ident = &input.ident;
    let (wit, docs) = (wit_name(ident)?, docs(&input.attrs));
    let kind = match shape {
        Shape::Record => quote!(Record),
        Shape::Variant => quote!(Variant),
        Shape::Enum => quote!(Enum),
        Shape::Flags => quote!(Flags),
    };
    let described = members.iter().map(|member| {
        let Member { wit, docs, .. } = member;
        let ty = match member.ty() {
            None => quote!(::core::option::Option::None),
            Some(ty) => quote!(::core::option::Option::Some(&<#ty as ::wasm::abi::Wit>::TYPE)),
        };
        quote!(::wasm::abi::Member { name: #wit, docs: #docs, ty: #ty })
    });
    let parameters: Vec<_> = input
        .generics
        .type_params()
        .map(|parameter| parameter.ident.clone())
        .collect();
    let (_, type_generics, _) = input.generics.split_for_impl();
    let bounded = |bound: &str| {
        let bound = format_ident!("{bound}");
        let mut generics = input.generics.clone();
        let clause = generics.make_where_clause();
        for parameter in &parameters {
            clause
                .predicates
                .push(syn::parse_quote!(#parameter: ::wasm::abi::#bound));
        }
        generics
    };
    let with = |bound: &str, header: TokenStream, body: TokenStream| {
        let generics = bounded(bound);
        let (impl_generics, _, clause) = generics.split_for_impl();
        quote!(impl #impl_generics #header for #ident #type_generics #clause { #body })
    };
    let Bodies {
        release,
        lower,
        store,
        lower_ref,
        store_ref,
        lift,
        load,
    } = bodies;
    let release_impl = with(
        "Release",
        quote!(::wasm::abi::Release),
        quote! {
            unsafe fn release(at: *mut u8) {
                // SAFETY: the caller vouches for a stored value; each part is released once, at its offset.
                unsafe { #release }
            }
        },
    );
    let lower_impl = with(
        "Lower",
        quote!(::wasm::abi::Lower),
        quote! {
            fn lower(self, out: &mut ::wasm::abi::FlatOut, scratch: &mut ::wasm::abi::Scratch) { #lower }
            unsafe fn store(self, at: *mut u8, scratch: &mut ::wasm::abi::Scratch) {
                // SAFETY: the caller vouches for the whole value; each part lies at its offset.
                unsafe { #store }
            }
        },
    );
    let lift_impl = with(
        "Lift",
        quote!(::wasm::abi::Lift),
        quote! {
            unsafe fn lift(from: &mut ::wasm::abi::FlatIn) -> Self {
                // SAFETY: the parts follow each other.
                unsafe { #lift }
            }
            unsafe fn load(at: *const u8) -> Self {
                // SAFETY: as for `store`.
                unsafe { #load }
            }
        },
    );
    let borrowed_impl = with(
        "Lift",
        quote!(::wasm::abi::Borrowed),
        quote!(
            type Holder = Self;
        ),
    );
    // Parts that hold resources cannot be lowered by reference. The lifetime keeps the compiler from evaluating the bounds here, so
    // such a type merely lacks the trait.
    let by_ref = {
        let mut generics = bounded("LowerRef");
        let clause = generics.make_where_clause();
        for ty in members.iter().flat_map(|member| &member.types) {
            clause
                .predicates
                .push(syn::parse_quote!(for<'__wasm> #ty: ::wasm::abi::LowerRef));
        }
        let (impl_generics, _, clause) = generics.split_for_impl();
        quote! {
            impl #impl_generics ::wasm::abi::LowerRef for #ident #type_generics #clause {
                fn lower_ref(&self, out: &mut ::wasm::abi::FlatOut, scratch: &mut ::wasm::abi::Scratch) { #lower_ref }
                unsafe fn store_ref(&self, at: *mut u8, scratch: &mut ::wasm::abi::Scratch) {
                    // SAFETY: as for `store`.
                    unsafe { #store_ref }
                }
            }
        }
    };
    let generics = bounded("Wit");
    let (impl_generics, _, clause) = generics.split_for_impl();
    Ok(quote! {
        const _: () = {
            // SAFETY: the implementations below write and read the parts in the order described, each by its own type.
            unsafe impl #impl_generics ::wasm::abi::Wit for #ident #type_generics #clause {
                const TYPE: ::wasm::abi::Type = ::wasm::abi::Type::Named(&::wasm::abi::Named {
                    kind: ::wasm::abi::Kind::#kind,
                    name: #wit,
                    module: ::core::module_path!(),
                    docs: #docs,
                    args: &[#(&<#parameters as ::wasm::abi::Wit>::TYPE),*],
                    members: &[#(#described),*],
                });
            }
            #release_impl
            #lower_impl
            #by_ref
            #lift_impl
            #borrowed_impl
        };
    })
}
