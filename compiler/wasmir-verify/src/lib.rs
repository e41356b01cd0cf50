//! Whole-program contracts on WasmIR: which effects a program has, and whether it keeps its promises.
//!
//! [`infer`] finds for every function the effects it may have, whatever it was compiled from: imports reached, atomics
//! executed, memories grown. [`Report`] shows them for each entry of the program with a shortest chain of calls as a
//! witness; [`check`] compares them with what functions declared ([`declare`] reads that from the module itself);
//! [`without`] takes effects out of a program; [`check_abi`] compares exports and imports with a WIT world.
//!
//! # Example
//!
//! ```
//! use wasmir_verify::{Effect, Options, Report, infer};
//!
//! let module = wasmir::parse_module(r#"wasmir 1
//! type type0 = func(i32, i32, i32, i32) -> (i32)
//! type type1 = func() -> ()
//! func %fd_write type0 import "wasi_snapshot_preview1" "fd_write"
//! func %log type1 {
//!   local l0: i32
//! b0:
//!   l0 = call %fd_write(l0, l0, l0, l0)
//!   return
//! }
//! export "log" func %log
//! "#)?;
//! let inferred = infer(&module, &Options::default())?;
//! assert_eq!(Report::new(&module, &inferred).tree(), "\
//! log
//! └─ io  log → wasi_snapshot_preview1::fd_write
//! ");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Soundness
//!
//! A function whose inferred set lacks an effect cannot have it, given that the import rules are right, and that the host
//! neither writes to exported tables nor calls back into the module in ways the import's rule does not say. A function
//! may be given an effect it never has: paths are not distinguished, and an indirect call may reach every function of
//! its type whose address is taken by what the program can come to (in a module with symbols, vtables that nothing refers to
//! take no addresses).

mod abi;
mod contract;
mod effect;
mod graph;
mod imports;
mod infer;
mod live;
mod panic;
mod records;
mod report;
mod signatures;
mod without;

pub use abi::{AbiMismatch, check_abi, signature};
pub use contract::{Finding, check};
pub use effect::{Effect, EffectSet, Effects, TooManyEffects};
pub use imports::{ImportRules, Rule};
pub use infer::{InferError, Inferred, Options, Source, Step, Witness, infer};
pub use records::{
    Declarations, Record, RecordError, SECTION, Subject, UnknownEffect, declare, parse_records,
};
pub use report::{Entry, ImportEntry, Link, Reason, Report, function_name, reason};
pub use signatures::{CoreSignatures, WitFolderError};
pub use without::{Removed, WithoutError, affected, without};
