//! WasmIR to WebAssembly through Cranelift's mid-end.
//!
//! The heart is [`Emitter`]: it takes a Cranelift function, runs the target-independent mid-end on it, and emits
//! the body of a WebAssembly function. Cranelift offers no WebAssembly target; everything after the mid-end is here:
//! [selection](select) with legalisation, [tree building](stackify), [structured control flow](flow),
//! [locals](locals) and [encoding](encode).
//!
//! [`emit_module`] makes a final module of a WasmIR module, [`emit_object`] what `wasm-ld` links; both compile function by
//! function, in parallel, take finished ones from a [`Cache`] if they are given one, and write line tables for the code
//! as it lies in the output.
//!
//! # Example
//!
//! ```
//! use codegen_cranelift::{Emitter, env::Standalone};
//! use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, Signature, types};
//! use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
//! use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
//!
//! let mut func = Function::new();
//! func.signature = Signature::new(CallConv::SystemV);
//! func.signature.params.push(AbiParam::new(types::I32));
//! func.signature.returns.push(AbiParam::new(types::I32));
//! let mut fb_ctx = FunctionBuilderContext::new();
//! let mut b = FunctionBuilder::new(&mut func, &mut fb_ctx);
//! let entry = b.create_block();
//! b.append_block_params_for_function_params(entry);
//! b.switch_to_block(entry);
//! let x = b.block_params(entry)[0];
//! let two = b.ins().iconst(types::I32, 2);
//! let y = b.ins().imul(x, two);
//! b.ins().return_(&[y]);
//! b.seal_all_blocks();
//! b.finalize(TargetFrontendConfig {
//!     default_call_conv: CallConv::SystemV,
//!     pointer_width: target_lexicon::PointerWidth::U32,
//!     page_size_align_log2: 16,
//! });
//!
//! let body = Emitter::new().emit(func, &Standalone::default()).unwrap();
//! // No locals; local.get 0; local.get 0; i32.add; end: doubling is cheapest as a sum.
//! assert_eq!(body.bytes, [0, 0x20, 0, 0x20, 0, 0x6a, 0x0b]);
//! ```

mod bodies;
mod bounds;
pub mod cache;
mod checker;
pub mod dead_sets;
mod dwarf;
pub mod emit;
pub mod encode;
pub mod env;
pub mod error;
mod fields;
pub mod flow;
pub mod ifconv;
pub mod irreducible;
pub mod leb;
pub mod lir;
mod live_sets;
pub mod locals;
mod loop_exits;
mod loop_forest;
pub mod merge;
pub mod module;
pub mod number;
pub mod object;
pub mod ops;
pub mod optimize;
mod resolve;
pub mod results;
mod segments;
pub mod select;
pub mod sink;
mod split;
pub mod stackify;
pub mod standalone;
pub mod translate;
pub mod values;

pub use cache::{Cache, CacheStats};
pub use emit::{EmitStats, Emitter};
pub use encode::FunctionBody;
pub use error::{Error, ErrorKind};
pub use module::{Options, emit_module};
pub use object::emit_object;
pub use optimize::MidEnd;
