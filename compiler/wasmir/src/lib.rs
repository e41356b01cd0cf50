//! WasmIR: WasmRust's intermediate form between front ends and code generation.
//!
//! Front ends and the lifter make a [`Module`]; passes change it; the back end emits it. WasmIR knows
//! neither rustc nor Cranelift nor an engine, and does no input or output. `docs/wasmir.md` defines
//! the form, its text, its semantics and what a valid module is.
//!
//! ```
//! use wasmir::{BodyBuilder, Export, FuncBody, FuncData, FuncType, Item, Module, Opcode, Symbol, Type};
//!
//! // fn double(x: i32) -> i32 { x + x }
//! let mut module = Module::new();
//! let ty = module.types.intern_func(FuncType::new([Type::I32], [Type::I32]));
//! let mut b = BodyBuilder::new(&[Type::I32]);
//! let entry = b.block();
//! b.switch_to(entry);
//! let sum = b.binary(Opcode::I32Add, Type::I32, b.param(0), b.param(0));
//! b.ret(&[sum]);
//! let func = module.funcs.push(FuncData {
//!     ty,
//!     import: None,
//!     symbol: Symbol::local("double"),
//!     body: FuncBody::Ir(Box::new(b.finish())),
//! });
//! module.exports.push(Export { name: "double".into(), item: Item::Func(func) });
//!
//! wasmir::verify_module(&module).unwrap();
//! let text = "  param l0: i32\n  local l1: i32\nb0:\n  l1 = i32.add l0, l0\n  return l1\n";
//! assert!(wasmir::print_module(&module).to_string().contains(text));
//! ```

pub mod analysis;
pub mod archive;
mod binary;
mod body;
mod builder;
mod debug;
mod entities;
mod inst;
pub mod layout;
pub mod leb;
mod library;
mod link;
mod module;
mod names;
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

pub use binary::{
    BINARY_MAGIC, BINARY_VERSION, DecodeError, LazyModule, decode_module, decode_shared,
    encode_body, encode_module,
};
pub use body::{BlockData, Body, Pool, StackSlotData};
pub use builder::BodyBuilder;
pub use cranelift_entity as entity;
pub use debug::{DebugInfo, LineRow, RowReader};
pub use entities::*;
pub use inst::*;
pub use leb::Malformed;
pub use library::needed_of_library;
pub use link::{LinkError, link};
pub use module::*;
pub use names::{Names, Order};
pub use op::{ImmKind, OpClass, OpInfo, Opcode, OperandTy, Traits, WASMIR_PREFIX};
pub use symbol::{Import, Linkage, Reloc, RelocKind, RelocTarget, Symbol};
pub use text::{ModulePrinter, ParseError, TEXT_VERSION, parse_module, print_func, print_module};
pub use types::*;
pub use verify::{Place, Subtyping, VerifyError, verify_body, verify_module};
