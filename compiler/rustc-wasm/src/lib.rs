//! rustc's front end with WasmRust's code generator.
//!
//! [`main`] is the program `rustc-wasm`, used in place of `rustc` (as `RUSTC`). An invocation for a wasm32 target runs rustc's own
//! driver in this process, with [`backend::WasmBackend`] as its code generation backend; any other goes to the host's rustc, unchanged, so
//! that build scripts and procedural macros are compiled as ever. [`__rustc_codegen_backend`] is the same backend for a rustc that loads
//! this library as a plugin (`-Zcodegen-backend`).
//!
//! These sources are built in two ways, by two manifests. One compiles rustc's crates from their source and links everything into
//! one program. The other, `dylib/`, takes them from the toolchain, where its component `rustc-dev` has them: in one dynamic library
//! (`rustc_driver`), with metadata beside it. In the first manifest the name `rustc_driver` stands for `rustc_driver_impl`, which that
//! library consists of.
//!
//! MIR is lowered by `rustc_codegen_ssa`, the part of rustc that LLVM and GCC share, which knows places, enums, niches,
//! drop glue, virtual tables, unsizing, `#[track_caller]` and the ABI. What stands here is the other side of its
//! interface: types ([`types`]), values ([`value`]), constants and statics ([`consts`], [`statics`]), instructions
//! ([`builder`]), intrinsics ([`intrinsics`]) and the driver. Beside it stands the
//! checker of linear types, which needs no code generation ([`checker`]).
#![feature(rustc_private)]
#![warn(unreachable_pub)]

extern crate rustc_abi;
extern crate rustc_ast;
extern crate rustc_codegen_ssa;
extern crate rustc_data_structures;
// Whatever else of the compiler is mentioned here is part of that library, and must be linked by it.
extern crate rustc_driver;
extern crate rustc_errors;
extern crate rustc_fs_util;
extern crate rustc_hir;
extern crate rustc_incremental;
extern crate rustc_index;
extern crate rustc_interface;
extern crate rustc_lint;
extern crate rustc_metadata;
extern crate rustc_middle;
extern crate rustc_mir_transform;
extern crate rustc_session;
extern crate rustc_span;
extern crate rustc_symbol_mangling;
extern crate rustc_target;

mod allocator;
mod archive;
mod asm;
mod atomics;
mod backend;
mod builder;
mod checker;
mod consts;
mod cx;
mod debuginfo;
mod driver;
mod emit;
mod host;
mod intrinsics;
mod ops;
mod simd;
mod simd_memory;
mod statics;
mod times;
mod types;
mod value;

pub use driver::main;

/// The backend, for a rustc that was told to load this library. rustc looks it up by its name.
///
/// Linear types and lints are the driver's business, and so are its settings: whoever does without the driver names the linker
/// (`-Clinker=wasmir-ld`) and asks for MIR's passes (`-Zmir-opt-level=2 -Zinline-mir`) himself.
#[unsafe(no_mangle)]
pub fn __rustc_codegen_backend() -> Box<dyn rustc_codegen_ssa::traits::CodegenBackend> {
    Box::new(backend::WasmBackend::default())
}
