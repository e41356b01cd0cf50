//! Procedural macros of the `wasm` crate; use them through it, where they are documented.

mod attributes;
mod derive;
mod effect;
mod export;
mod host;
mod import;
mod linear;
mod names;
mod pod;
mod signature;
#[cfg(feature = "wit")]
mod wit;

use proc_macro::TokenStream;

fn finish(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// An attribute that fails keeps its item, so that one mistake does not make every use of the item an error as well.
fn keep(item: TokenStream, result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    match result {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let mut tokens: TokenStream = error.into_compile_error().into();
            tokens.extend(item);
            tokens
        }
    }
}

/// Exports a function, a module as an interface, or an `impl` block as a resource.
///
/// * On a function: the world exports it.
/// * On a module: an interface named after the module, with its `pub` functions. `impl` blocks in it that are marked `#[wasm::export]`
///   are resources.
/// * On an inherent `impl` block: a resource named after the type. `pub fn new(…) -> Self` is its constructor, functions with `&self` or
///   `&mut self` are methods, all others are static; `Drop` is the destructor. Outside an exported module, the resource gets an
///   interface of its own name.
///
/// Arguments: `#[wasm::export("NAME")]` or `interface = "NAME"` puts the item into an interface, by its own name or its full id, as
/// in `"acme:shop/orders@1.0.0"`; `name = "other-name"` replaces the item's WIT name.
#[proc_macro_attribute]
pub fn export(arguments: TokenStream, item: TokenStream) -> TokenStream {
    keep(item.clone(), export::expand(arguments.into(), item.into()))
}

/// Imports a function, the functions of an `extern` block, or a module as an interface.
///
/// Functions are written without bodies. In a module, a unit struct is a resource and its `impl` blocks list the resource's functions;
/// types and functions with bodies stay as they are. A module is named by its interface's id, as in
/// `#[wasm::import("acme:shop/orders@1.0.0")]`; without an argument it is an interface of the crate's own package.
#[proc_macro_attribute]
pub fn import(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(import::expand(arguments.into(), item.into()))
}

/// Declares what a function may do to the world outside: its effects.
///
/// `#[wasm::effect(io, clock)]` bounds the effects of whatever running the function reaches; `#[wasm::effect()]` says that it has none. The
/// builtin effects are `js_call`, `io`, `fs`, `net`, `clock`, `random`, `env`, `thread`, `atomic_read`, `atomic_write`, `memory_grow` and
/// `host` (any other import). Other names are effects of your own; they exist when an import declares them.
///
/// * On a function or method: the bound of this function. Of an `async fn`: of running its future.
/// * On a module, an `impl` block or a trait: the bound of each function in it; a function's own attribute may only narrow it.
///   `#[wasm::effect(..)]` binds nothing by itself. A trait's methods bind all implementations.
/// * On `#[wasm::import]` and `#[wasm::host]`: the effects that the host's function has; inside an imported module also on a resource,
///   for dropping it, and on the `impl` block that lists its methods.
///
/// The macro checks the names. That the declared effects include the real ones is checked on the whole program, by `cargo wasm`.
#[proc_macro_attribute]
pub fn effect(arguments: TokenStream, item: TokenStream) -> TokenStream {
    keep(item.clone(), effect::expand(arguments.into(), item.into()))
}

/// Imports functions of a host that take and return references: `&wasm::ExternRef<T>`, and `wasm::ExternRef<T>` as a result.
///
/// The functions stand in an `extern "C"` block, and are safe to call: besides references, only numbers and `wasm::FuncRef`s cross.
/// `#[wasm::host("dom")]` names the module that a core import names. This is for hosts that embed core modules, as browsers do; components
/// have resources instead, imported by `#[wasm::import]`.
#[proc_macro_attribute]
pub fn host(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(host::expand(arguments.into(), item.into()))
}

/// Makes the values of a struct or enum linear: each must reach a consumer on every path.
///
/// A linear type cannot be `Clone` or `Copy`, and has a linear part: a `wasm::Handle`, a `wasm::linear::Token<Self>`, or a value of another
/// linear type. In a generic type, a part that is neither a `Handle` nor a `Token` is marked `#[linear]`. `#[wasm::linear(unguarded)]`
/// does without, and leaves the check to WasmRust's compiler.
///
/// `wasm::linear` says what is checked, when, and by whom.
#[proc_macro_attribute]
pub fn linear(arguments: TokenStream, item: TokenStream) -> TokenStream {
    keep(item.clone(), linear::expand(arguments.into(), item.into()))
}

/// Marks a function that consumes linear values, which it takes by value and takes apart.
#[proc_macro_attribute]
pub fn consume(arguments: TokenStream, item: TokenStream) -> TokenStream {
    keep(item.clone(), linear::consume(arguments.into(), item.into()))
}

/// Makes a struct a WIT `record`.
#[proc_macro_derive(Record)]
pub fn record(input: TokenStream) -> TokenStream {
    finish(derive::expand(derive::Shape::Record, input.into()))
}

/// Makes an enum a WIT `variant`.
#[proc_macro_derive(Variant)]
pub fn variant(input: TokenStream) -> TokenStream {
    finish(derive::expand(derive::Shape::Variant, input.into()))
}

/// Makes an enum without payloads a WIT `enum`.
#[proc_macro_derive(Enum)]
pub fn enumeration(input: TokenStream) -> TokenStream {
    finish(derive::expand(derive::Shape::Enum, input.into()))
}

/// Makes a struct of `bool`s a WIT `flags` type.
#[proc_macro_derive(Flags)]
pub fn flags(input: TokenStream) -> TokenStream {
    finish(derive::expand(derive::Shape::Flags, input.into()))
}

/// Makes a struct plain data, which `wasm::Pod` describes, and proves it: no padding, only plain fields.
#[proc_macro_derive(Pod)]
pub fn pod(input: TokenStream) -> TokenStream {
    finish(pod::expand(input.into()))
}

/// Binds WIT written in WIT's own syntax.
///
/// Without a `package` line, the package is the crate's; without a `world`, every interface is imported. Imported interfaces are
/// modules beside the macro; exports are made by the generated `Guest` traits and `export!`, as wit-bindgen documents.
#[cfg(feature = "wit")]
#[proc_macro]
pub fn wit(input: TokenStream) -> TokenStream {
    finish(wit::expand(input.into()))
}

/// Says how to get the macro.
#[cfg(not(feature = "wit"))]
#[proc_macro]
pub fn wit(_: TokenStream) -> TokenStream {
    let message = "`wasm::wit!` is not compiled in\nhelp: in Cargo.toml, write `wasm = { …, features = [\"wit\"] }`";
    syn::Error::new(proc_macro2::Span::call_site(), message)
        .into_compile_error()
        .into()
}
