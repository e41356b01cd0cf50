//! The wasmtime backend: compiled code, core modules and components.
//!
//! # How a call is bounded
//!
//! Compiled code checks the engine's epoch at loops and calls. The runtime's ticker raises the epoch;
//! the callback then compares the tick with the call's deadline, looks for termination, and, in an
//! asynchronous call, gives the thread back to the executor. A call sets its deadline with two stores.
//!
//! # Synchronous and asynchronous
//!
//! An instance whose module imports WASI needs asynchronous host functions, so its calls always run on
//! a fiber; a blocking call drives that fiber on the caller's thread while the runtime's own tokio
//! worker drives timers and sockets. All other instances are called directly.

mod call;
mod canonical;
mod convert;
mod error;
mod functions;
mod instance;
mod module;
mod runtime;
mod session;
mod state;
mod wasi;
mod wit;

pub use instance::WasmtimeInstance;
pub use module::{WASI_PACKAGES, WasmtimeModule};
pub use runtime::WasmtimeRuntime;
