//! Proof harness for the WasmIR pipeline.
//!
//! Everything here runs WebAssembly in wasmtime and asks one question: does a module behave the same after a
//! [`Transform`] as before it? Two sources of modules are used:
//!
//! * [`suite`] runs the scripts of the official WebAssembly test suite, with every module of every script passed
//!   through the transform first. The suite knows the right answers, so this finds what is wrong, not only what differs;
//!   it also demands that every invalid or malformed module is refused *by the transform*.
//! * [`differential`] makes modules from a seed ([`generate`]), runs original and transformed side by side, and compares
//!   results, traps, memories, globals and tables after every call.
//! * [`shapes`] makes functions of extreme shapes and any size: answers must be right, and time linear in the size.
//!
//! # Example
//!
//! A transform that does nothing passes; one that breaks a module is caught:
//!
//! ```
//! use wasmir_conformance::{suite, Transform, refuse_invalid};
//!
//! let script = r#"
//!     (module (func (export "two") (result i32) i32.const 2))
//!     (assert_return (invoke "two") (i32.const 2))
//! "#;
//! assert!(suite::run_script("two.wast", script, &refuse_invalid).failures.is_empty());
//!
//! let broken = |wasm: &[u8]| -> Result<Vec<u8>, String> {
//!     let mut out = refuse_invalid(wasm)?;
//!     let at = out.windows(2).rposition(|w| w == [0x41, 2]).ok_or("no constant")?;
//!     out[at + 1] = 3;
//!     Ok(out)
//! };
//! assert_eq!(suite::run_script("two.wast", script, &broken).failures.len(), 1);
//! ```

pub mod clock;
pub mod differential;
pub mod engine;
pub mod generate;
pub mod shapes;
pub mod stages;
pub mod suite;
pub mod value;

/// What is under test: takes a module and gives another that must behave the same, or says why it refuses.
pub type Transform<'a> = dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Sync + 'a;

/// Applies the transform; a panic of it is a refusal that says so, which no directive and no seed expects.
pub(crate) fn apply(transform: &Transform<'_>, wasm: &[u8]) -> Result<Vec<u8>, Refused> {
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| transform(wasm)));
    match unwound {
        Ok(result) => result.map_err(Refused::Said),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
            Err(Refused::Panicked(text.unwrap_or_default()))
        }
    }
}

/// Why a transform gave no module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It said why.
    #[error("{0}")]
    Said(String),
    /// It panicked, which it must not do on any input.
    #[error("panicked: {0}")]
    Panicked(String),
}

/// The identity on valid modules: the baseline every other transform is measured against.
///
/// # Errors
///
/// Says why `wasm` is not a valid module.
pub fn refuse_invalid(wasm: &[u8]) -> Result<Vec<u8>, String> {
    engine::validate(wasm)?;
    Ok(wasm.to_vec())
}
