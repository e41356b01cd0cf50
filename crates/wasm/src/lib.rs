//! Components from ordinary Rust: annotate what crosses the boundary, and the WIT follows from the code.
//!
//! ```
//! /// A place on a map.
//! #[derive(wasm::Record, Clone)]
//! pub struct Place {
//!     pub name: String,
//!     pub latitude: f64,
//!     pub longitude: f64,
//! }
//!
//! /// Where things are.
//! #[wasm::export]
//! pub mod atlas {
//!     use super::Place;
//!
//!     /// The northernmost of some places.
//!     pub fn northernmost(places: &[Place]) -> Option<Place> {
//!         places.iter().max_by(|a, b| a.latitude.total_cmp(&b.latitude)).cloned()
//!     }
//! }
//!
//! # fn main() {
//! // An exported function stays an ordinary function, so that unit tests call it natively.
//! let oslo = Place { name: "Oslo".into(), latitude: 59.9, longitude: 10.8 };
//! let rome = Place { name: "Rome".into(), latitude: 41.9, longitude: 12.5 };
//! assert_eq!(atlas::northernmost(&[rome, oslo]).unwrap().name, "Oslo");
//! # }
//! ```
//!
//! Built as a `cdylib` for wasm32 and made a component by `cargo wasm build`, this crate (say its name is `geo`) has the WIT
//!
//! ```wit
//! package component:geo@0.1.0;
//!
//! /// Where things are.
//! interface atlas {
//!   /// A place on a map.
//!   record place { name: string, latitude: f64, longitude: f64 }
//!   /// The northernmost of some places.
//!   northernmost: func(places: list<place>) -> option<place>;
//! }
//!
//! world geo { export atlas; }
//! ```
//!
//! # What can be annotated
//!
//! | Rust | WIT |
//! |---|---|
//! | [`#[wasm::export]`](export) `fn` | a function that the world exports |
//! | [`#[wasm::export]`](export) `mod` | an exported interface: its `pub fn`s, and the `impl`s marked `#[wasm::export]` |
//! | [`#[wasm::export]`](export) `impl T` | an exported resource: `new` is its constructor, `&self` functions its methods, the others statics |
//! | [`#[wasm::import]`](import) `fn …;`, `extern` block | functions that the world imports |
//! | [`#[wasm::import]`](import) `mod` | an imported interface; a unit struct in it is a resource |
//! | [`#[derive(wasm::Record)]`](Record), [`Variant`], [`Enum`], [`Flags`] | a named type |
//! | [`wit!`] | WIT in its own syntax, feature `wit` |
//! | [`#[wasm::host]`](host) `extern` block | none: core imports with references to a host's values, [`ExternRef`] |
//!
//! # Contracts
//!
//! | Rust | promise | checked by |
//! |---|---|---|
//! | [`#[wasm::linear]`](macro@linear), [`#[wasm::consume]`](consume), [`Handle`] | values reach a consumer on every path: [`mod@linear`] | WasmRust's compiler; rustc, less exactly |
//! | [`#[wasm::effect]`](macro@effect) | a function reaches no effects but those | the whole-program check |
//! | [`Pod`], [`SharedSlice`] | plain data, shared by parts that do not overlap | rustc |
//! | [`ExternRef`], [`ExternId`] | a number never names another value than its own: [`mod@reference`] | generations |
//! | [`Exportable`] | a generic result can leave the component | rustc |
//!
//! # Types
//!
//! | Rust | WIT | | Rust | WIT |
//! |---|---|---|---|---|
//! | `bool`, `char` | the same | | `Option<T>` | `option<t>` |
//! | `u8` … `u64`, `i8` … `i64` | `u8` … `u64`, `s8` … `s64` | | `Result<T, E>` | `result<t, e>` |
//! | `f32`, `f64` | the same | | `(A, B)` | `tuple<a, b>` |
//! | `String`, `&str` | `string` | | a resource by value | `own<r>` |
//! | `Vec<T>`, `&[T]` | `list<t>` | | `&R`, `&mut R` | `borrow<r>` |
//!
//! Names become `kebab-case`, doc comments become WIT documentation, and a generic type becomes one WIT type for each use. A type may
//! live in any module of any crate; `wit_rust::embed_world` says where it appears in the WIT.
//!
//! # Cost
//!
//! Signatures and layouts are evaluated by the compiler. Lists of numbers and strings cross without a copy on this side; the crate has
//! no dependency at run time, needs no `std`, and works on stable Rust without WasmRust's compiler.
//!
//! # Limits
//!
//! `async` functions, `future`, `stream`, `map` and lists of fixed length are not supported; the macros say so at the place. Code that
//! says `#![forbid(unsafe_code)]` cannot hold annotated items, for the shims are `unsafe`. The crate must be known as `wasm`.

#![no_std]
extern crate alloc;

pub mod abi;
pub mod effect;
mod exportable;
mod handle;
pub mod linear;
pub mod pod;
pub mod reference;
pub mod shared;
mod slots;

pub use exportable::Exportable;
pub use handle::{Handle, Unnamed};
pub use pod::Pod;
pub use reference::{ExternId, ExternRef, FuncRef};
pub use shared::SharedSlice;
pub use wasm_macros::{
    Enum, Flags, Pod, Record, Variant, consume, effect, export, host, import, linear, wit,
};

/// What the code that [`wit!`] writes stands on: wit-bindgen's runtime.
#[cfg(feature = "wit")]
#[doc(hidden)]
pub mod rt {
    pub use wit_bindgen::rt::*;
}
