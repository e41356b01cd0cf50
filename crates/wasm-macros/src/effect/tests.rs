//! What `#[wasm::effect]` expands to.

use super::*;
use syn::visit::{Visit, visit_expr_call, visit_item_const, visit_item_fn};

/// What stands in an expansion.
#[derive(Default)]
struct Found {
    /// The string literals of each record, in order, without what the compiler fills in.
    records: Vec<Vec<String>>,
    /// Markers that are defined, and whether they are constant functions.
    markers: Vec<(String, bool)>,
    /// Markers that are called.
    calls: Vec<String>,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if item.ident == "TEXT" {
            let mut literals = Vec::new();
            strings(quote!(#item), &mut literals);
            self.records.push(literals);
        }
        visit_item_const(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let name = item.sig.ident.to_string();
        if name.starts_with("__wasm_effect_") {
            self.markers.push((name, item.sig.constness.is_some()));
        }
        visit_item_fn(self, item);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(path) = &*call.func
            && let Some(name) = path.path.get_ident()
            && name.to_string().starts_with("__wasm_effect_")
        {
            self.calls.push(name.to_string());
        }
        visit_expr_call(self, call);
    }
}

fn strings(tokens: TokenStream, out: &mut Vec<String>) {
    for tree in tokens {
        match tree {
            proc_macro2::TokenTree::Group(group) => strings(group.stream(), out),
            proc_macro2::TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse2::<syn::LitStr>(quote!(#literal)) {
                    out.push(text.value());
                }
            }
            _ => {}
        }
    }
}

fn expanded(arguments: TokenStream, item: TokenStream) -> syn::File {
    let tokens = expand(arguments, item).expect("a well-formed declaration");
    syn::parse2(tokens).expect("an expansion is items")
}

fn found(arguments: TokenStream, item: TokenStream) -> Found {
    let mut found = Found::default();
    found.visit_file(&expanded(arguments, item));
    found
}

#[test]
fn a_function_calls_the_marker_that_its_record_names() {
    let found = found(quote!(io, clock), quote! { fn total(x: u32) -> u32 { x } });
    let [(marker, false)] = &found.markers[..] else {
        panic!("one marker: {:?}", found.markers)
    };
    let digits = marker.strip_prefix("__wasm_effect_").unwrap();
    assert_eq!(digits.len(), 16);
    assert_eq!(found.calls, std::slice::from_ref(marker));
    let expected = [
        // With debug assertions, and without.
        "fn", "\t", digits, "\t", "::", "total", "\t", "clock,io", "\t", ":1", ":1", "\n", "fn",
        "\t-", "\t", "::", "total", "\t", "clock,io", "\t", ":1", ":1", "\n",
    ];
    assert_eq!(found.records, [expected]);
}

#[test]
fn the_marker_comes_first_and_a_wish_to_inline_waits() {
    let file = expanded(
        quote!(),
        quote! { #[inline(always)] #[must_use] pub const fn total(x: u32) -> u32 { let y = x; y } },
    );
    let [syn::Item::Fn(function)] = &file.items[..] else {
        panic!("the function alone")
    };
    let [record, marker, first, last] = &function.block.stmts[..] else {
        panic!("record, marker, and the user's two statements")
    };
    assert!(matches!(record, syn::Stmt::Item(syn::Item::Const(_))));
    assert!(matches!(marker, syn::Stmt::Expr(syn::Expr::Block(_), None)));
    assert!(matches!(first, syn::Stmt::Local(_)));
    assert!(matches!(last, syn::Stmt::Expr(_, None)));
    let attributes: Vec<String> = function
        .attrs
        .iter()
        .map(|attribute| quote!(#attribute).to_string().replace(' ', ""))
        .collect();
    assert_eq!(
        attributes,
        [
            "#[cfg_attr(not(all(target_arch=\"wasm32\",debug_assertions)),inline(always))]",
            "#[must_use]",
            "#[cfg_attr(all(target_arch=\"wasm32\",debug_assertions),inline(never))]",
        ]
    );
    let mut found = Found::default();
    found.visit_file(&file);
    assert!(
        found.markers[0].1,
        "the marker of a constant function is one"
    );
}

#[test]
fn only_the_marker_of_a_future_can_be_optimised_away() {
    let has_number = |item: TokenStream| {
        let file = expanded(quote!(), item);
        quote!(#file).to_string().contains("black_box")
    };
    assert!(has_number(quote! { fn f() {} }));
    assert!(has_number(quote! { const fn f() {} }));
    assert!(!has_number(quote! { async fn f() {} }));
}

#[test]
fn markers_differ_when_declarations_do() {
    let marker = |arguments: TokenStream, name: &str| {
        let name = Ident::new(name, Span::call_site());
        found(arguments, quote! { fn #name() {} })
            .markers
            .remove(0)
            .0
    };
    let all = [
        marker(quote!(), "f"),
        marker(quote!(io), "f"),
        marker(quote!(io, fs), "f"),
        marker(quote!(io), "g"),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|other| other != one), "{all:?}");
    }
    assert_eq!(marker(quote!(io, fs), "f"), marker(quote!(fs, io), "f"));
}

/// Kind, path and effects of each record, of the dev build, sorted.
fn lines(found: &Found) -> Vec<String> {
    let line = |literals: &Vec<String>| {
        let text: String = literals
            .iter()
            .take_while(|text| *text != "\n")
            .map(String::as_str)
            .collect();
        let fields: Vec<&str> = text.split('\t').collect();
        assert_eq!(fields.len(), 5, "{text}");
        format!("{} {} {}", fields[0], fields[2], fields[3])
    };
    let mut lines: Vec<String> = found.records.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn modules_hand_their_declaration_down() {
    let found = found(
        quote!(io, fs),
        quote! {
            mod shop {
                fn a() {}
                #[wasm::effect(fs)]
                fn b() {}
                mod inner { fn c() {} }
                impl<T> Cart<T> {
                    fn d(&self) {}
                    #[effect()]
                    fn e(&self) {}
                }
                #[wasm::import]
                mod remote { fn f(); }
                const X: u32 = 3;
                fn g() { fn nested() {} }
            }
        },
    );
    assert_eq!(
        lines(&found),
        [
            "fn ::Cart::e ",
            "fn ::b fs",
            "inherited ::Cart::d fs,io",
            "inherited ::a fs,io",
            "inherited ::c fs,io",
            "inherited ::g fs,io",
        ]
    );
    assert_eq!(found.markers.len(), 6);
}

#[test]
fn traits_bind_their_implementations() {
    let found = found(
        quote!(..),
        quote! {
            trait Store {
                #[wasm::effect(fs)]
                fn get(&self) -> u32;
                #[wasm::effect()]
                fn twice(&self) -> u32 { 2 }
                fn free(&self);
            }
        },
    );
    assert_eq!(
        lines(&found),
        [
            "fn ::Store::twice ",
            "trait ::Store::get fs",
            "trait ::Store::twice "
        ]
    );
    assert_eq!(found.markers.len(), 1, "only where there is a body");
}

#[test]
fn imports_run_first() {
    let tokens = expand(
        quote!(billing),
        quote! { #[cfg(unix)] #[wasm::import("a:b/c")] fn charge(cents: u64) -> u64; },
    );
    let expected = quote! {
        #[wasm::import("a:b/c")] #[::wasm::effect(billing)] #[cfg(unix)] fn charge(cents: u64) -> u64;
    };
    let tokens = tokens.expect("a declaration on an import");
    assert_eq!(tokens.to_string(), expected.to_string());
}
