//! Lifts WebAssembly modules to WasmIR.
//!
//! [`lift`] reads a module: it validates all of it, and keeps the code of each function as it came. [`lift_body`] turns
//! the code of one function into instructions, when somebody wants to look into it or change it. So lifting a large
//! module costs little, lifting its bodies can be done in parallel, and a function that nobody touches is emitted from
//! its own bytes.
//!
//! # Example
//!
//! ```
//! let wasm = [
//!     0, b'a', b's', b'm', 1, 0, 0, 0, // header
//!     1, 5, 1, 0x60, 0, 1, 0x7f, // type: () -> i32
//!     3, 2, 1, 0, // one function of that type
//!     7, 5, 1, 1, b'f', 0, 0, // exported as `f`
//!     10, 6, 1, 4, 0, 0x41, 42, 0x0b, // its code: i32.const 42
//! ];
//! let module = wasmir_lift::lift(&wasm)?;
//! assert_eq!(module.exports[0].name, "f");
//!
//! let func = module.funcs.keys().next().unwrap();
//! let body = wasmir_lift::lift_body(&module, func)?;
//! assert_eq!(body.num_insts(), 2); // a constant and a return
//! # Ok::<(), wasmir_lift::LiftError>(())
//! ```
//!
//! # What survives
//!
//! Every section; names of the module, functions, tables, memories, globals, tags and segments; `producers` and all
//! custom sections that are not interpreted, in their places; line tables (as [`wasmir::DebugInfo`]). What does not:
//! names of variables, labels, types and fields; code metadata, which names offsets of instructions.
//!
//! # Limits
//!
//! Modules may use every feature that `wasmparser` enables by default, and custom page sizes. Not supported: custom
//! descriptors and exact types, stack switching, shared-everything threads, legacy exceptions, components.

mod archive;
mod body;
mod convert;
mod decode;
mod dwarf;
mod error;
mod module;
mod names;
mod object;

use std::sync::Arc;

use rayon::prelude::*;
use wasmir::{Func, FuncBody, Module};

pub use archive::{Member, archive_members};
pub use body::lift_body;
pub use error::LiftError;
pub use module::lift_shared;

/// Lifts a module, with the bodies of its functions as they came.
///
/// The bytes are copied once and shared by the bodies and data; [`lift_shared`] does without the copy.
///
/// # Errors
/// If the bytes are not a valid core module, or use what WasmIR does not have.
pub fn lift(bytes: &[u8]) -> Result<Module, LiftError> {
    lift_shared(&Arc::from(bytes))
}

/// Lifts the bodies of all functions of `module`, in parallel.
///
/// A body that is too large in three-address form ([`LiftError::TooLarge`]) stays as it came.
///
/// # Errors
/// The first function, in order, whose body does not fit the module.
pub fn lift_bodies(module: &mut Module) -> Result<(), (Func, LiftError)> {
    let raw: Vec<Func> = module
        .funcs
        .iter()
        .filter(|(_, data)| matches!(data.body, FuncBody::Raw(_)))
        .map(|(func, _)| func)
        .collect();
    let shared = &*module;
    let bodies: Vec<_> = raw
        .par_iter()
        .map(|&func| lift_body(shared, func).map(Box::new))
        .collect();
    for (func, body) in raw.into_iter().zip(bodies) {
        match body {
            Ok(body) => module.funcs[func].body = FuncBody::Ir(body),
            Err(LiftError::TooLarge { .. }) => {}
            Err(error) => return Err((func, error)),
        }
    }
    Ok(())
}
