//! The traits that every runtime implements, and those that extend them for everybody.
//!
//! The core traits ([`WasmRuntime`], [`WasmModule`], [`WasmInstance`], [`WasmFunctionCaller`]) are
//! dyn-compatible: a program holds `Box<dyn WasmRuntime>` and does not know which engine it has. What
//! is generic or asynchronous lives in the extension traits ([`WasmRuntimeExt`], [`WasmInstanceExt`]),
//! implemented once for every core type, trait objects included, so a new runtime gets them for free.

mod ext;
mod message;
mod traits;

pub use ext::{InstanceSpec, WasmInstanceExt, WasmRuntimeExt};
pub use message::call_message;
pub use traits::{
    BoxFuture, FunctionInfo, GuestSession, ImportInfo, ModuleId, ModuleKind, Output,
    RuntimeCapabilities, WasmFunctionCaller, WasmInstance, WasmInstanceState, WasmModule,
    WasmRuntime,
};
