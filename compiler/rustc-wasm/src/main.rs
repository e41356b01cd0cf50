//! `rustc-wasm`: rustc's front end with WasmRust's code generator.
//!
//! Used in place of `rustc` (as `RUSTC`). An invocation for a wasm32 target runs rustc's own driver in this process, with
//! [`backend::WasmBackend`] as its code generation backend; any other goes to the host's rustc, unchanged, so that build
//! scripts and procedural macros are compiled as ever.
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
extern crate rustc_driver_impl;
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
mod intrinsics;
mod ops;
mod simd;
mod simd_memory;
mod statics;
mod times;
mod types;
mod value;

/// A front end lives on small allocations: with the C library's allocator it takes about a twentieth longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    driver::main()
}
