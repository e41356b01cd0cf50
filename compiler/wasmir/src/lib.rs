//! WasmIR: WasmRust's intermediate form between front ends and code generation
//!
//! Front ends and the lifter make a [`Module`]; passes change it; the back end emits it. WasmIR knows
//! neither rustc nor Cranelift nor an engine, and does no input or output.
pub mod analysis;
mod binary;
mod body;
mod builder;
mod debug;
mod entities;
mod inst;
mod leb;
mod link;
mod module;
mod op;
pub mod passes;
pub mod raw;
pub mod reach;
pub mod refs;
mod renumber;
mod symbol;
mod text;
mod types;
mod verify;

pub use binary::{BINARY_MAGIC, BINARY_VERSION, DecodeError, decode_module, decode_shared, encode_module};
pub use body::{BlockData, Body, Pool, StackSlotData};
pub use builder::BodyBuilder;
pub use cranelift_entity as entity;
pub use debug::{DebugInfo, LineRow};
pub use entities::*;
pub use inst::*;
pub use leb::Malformed;
pub use link::{LinkError, link};
pub use module::*;
pub use op::{ImmKind, OpClass, OpInfo, Opcode, OperandTy, Traits, WASMIR_PREFIX};
pub use symbol::{Import, Linkage, Reloc, RelocKind, RelocTarget, Symbol};
pub use text::{ModulePrinter, ParseError, TEXT_VERSION, parse_module, print_func, print_module};
pub use types::*;
pub use verify::{Place, Subtyping, VerifyError, verify_body, verify_module};
