//! Run untrusted WebAssembly behind object-safe traits.
//!
//! ```
//! use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmRuntime, create_runtime};
//!
//! let runtime: Box<dyn WasmRuntime> = create_runtime(&RuntimeConfig::default())?;
//! let wasm = wat::parse_str(
//!     r#"(module (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))"#,
//! )?;
//! let module = runtime.load_module(&wasm)?;
//! let instance =
//!     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
//! assert_eq!(instance.call_simple_function("add", &[5, 7])?, 12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`runtime`]: the core traits, dyn-compatible, and the extension traits, generic and asynchronous.
//! - [`value`]: values that cross the border, and how serde reaches them.
//! - [`ResourceLimits`] and [`Capabilities`]: what an instance may use up, and what it may reach.
//! - [`rpc`]: channels between programs, for those who put a sandbox into another process.
//!
//! # Backends
//!
//! | | wasmtime | wasmi (feature `wasmi`) |
//! |---|---|---|
//! | core modules | compiled | interpreted |
//! | components | yes | no |
//! | fuel | with `fuel_metering` | with `fuel_metering` |
//! | deadlines, termination | epochs | slices of fuel |
//! | WASI | preview 1 and 2 | preview 1 without files and sockets |
//! | directories, network, the host's standard input | yes | refused |
//! | call stacks in errors, names of types, caches of code | yes | no |
//!
//! # Limits
//!
//! Everything in [`ResourceLimits`] is enforced, and what a backend cannot enforce it refuses when the
//! instance is created. Time is counted in [ticks](RuntimeConfig::tick); a host function that blocks is
//! the host's own code and is not interrupted.

mod backtrace;
mod capabilities;
mod config;
mod control;
mod error;
mod exports;
pub mod host;
mod limits;
mod lock;
mod random;
pub mod rpc;
pub mod runtime;
mod session;
mod simple;
pub mod value;
#[cfg(feature = "wasmi")]
mod wasmi;
mod wasmtime;

pub use backtrace::{Backtrace, Frame, SourceLine};
pub use capabilities::{
    Access, Capabilities, Clocks, DirectoryGrant, HostGrant, NetworkGrant, NetworkTarget, Random,
    Stdin, Stdio,
};
pub use config::{Backend, RuntimeConfig};
pub use error::{Error, Limit, Result, Trap};
pub use host::{HostError, HostFunctions};
pub use limits::ResourceLimits;
pub use rpc::{RpcChannel, RpcChannelExt, create_memory_channel};
pub use runtime::{
    BoxFuture, FunctionInfo, GuestSession, ImportInfo, InstanceSpec, ModuleId, ModuleKind, Output,
    RuntimeCapabilities, WasmFunctionCaller, WasmInstance, WasmInstanceExt, WasmInstanceState,
    WasmModule, WasmRuntime, WasmRuntimeExt,
};
pub use value::{ResourceHandle, Signature, Type, Value, ValueError, WitFunction, WitType};
#[cfg(feature = "wasmi")]
pub use wasmi::{WasmiInstance, WasmiModule, WasmiRuntime};
pub use wasmtime::{WASI_PACKAGES, WasmtimeInstance, WasmtimeModule, WasmtimeRuntime};

/// Makes the runtime that `config` asks for.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig { max_instances: 16, ..RuntimeConfig::default() })?;
/// assert_eq!(runtime.runtime_type(), "wasmtime");
/// assert!(create_runtime(&RuntimeConfig { max_instances: 0, ..RuntimeConfig::default() }).is_err());
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidConfig`] when the engine refuses the configuration.
pub fn create_runtime(config: &RuntimeConfig) -> Result<Box<dyn WasmRuntime>> {
    match config.backend {
        Backend::Wasmtime => Ok(Box::new(WasmtimeRuntime::new(config)?)),
        #[cfg(feature = "wasmi")]
        Backend::Wasmi => Ok(Box::new(WasmiRuntime::new(config)?)),
    }
}
