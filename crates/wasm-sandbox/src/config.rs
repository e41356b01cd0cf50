//! What is fixed for all instances of a runtime.

use std::path::PathBuf;
use std::time::Duration;

use crate::host::HostFunctions;

/// Which engine executes the guests.
///
/// ```
/// use wasm_sandbox::{Backend, RuntimeConfig, create_runtime};
///
/// let config = RuntimeConfig { backend: Backend::Wasmi, ..RuntimeConfig::default() };
/// assert_eq!(create_runtime(&config)?.runtime_type(), "wasmi");
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Backend {
    /// wasmtime: compiled code, core modules and components.
    #[default]
    Wasmtime,
    /// wasmi: a pure-Rust interpreter, core modules only.
    #[cfg(feature = "wasmi")]
    Wasmi,
}

/// The configuration of a runtime.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig { fuel_metering: true, ..RuntimeConfig::default() })?;
/// assert!(runtime.capabilities().fuel);
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// The engine.
    pub backend: Backend,
    /// Whether instructions are counted. Costs execution time, so it is off by default;
    /// [`ResourceLimits::fuel`](crate::ResourceLimits::fuel) needs it.
    pub fuel_metering: bool,
    /// How often running guests are looked at: the precision of deadlines, of cancellation, and the
    /// longest time a guest keeps an async executor's thread. Default 5 ms.
    pub tick: Duration,
    /// Whether a running guest can be stopped from outside: by its deadline, or by
    /// [`terminate`](crate::WasmInstance::terminate). Costs compiled code execution time; without it,
    /// instances have no deadline. Default true. The interpreter can always be stopped.
    pub interruption: bool,
    /// Bytes of stack for guest code. Default 512 KiB. With more than that, calls into compiled code
    /// leave the caller's thread for a stack of their own, since a thread may not have as much.
    pub stack_bytes: usize,
    /// The most instances alive at a time. Default 1,000. With pooling, address space for all of them
    /// is reserved when the runtime is created.
    pub max_instances: u32,
    /// The most memory any instance may be limited to. Default 1 GiB; with pooling it is also the
    /// address space reserved for each instance.
    pub max_memory_bytes: usize,
    /// The most modules loaded at a time. Default 1,000.
    pub max_modules: usize,
    /// Whether loading bytes that are loaded already gives the same module. Costs a hash of every module
    /// that is loaded. Default true; without it, each load is a module of its own.
    pub share_modules: bool,
    /// The largest module accepted. Default 64 MiB.
    pub max_module_bytes: usize,
    /// Whether instances come from a pool of pre-reserved slots. Default true.
    pub pooling: bool,
    /// Where compiled code is kept between processes, so that the same bytes are not compiled again;
    /// [`None`], the default, keeps none. Whoever can write to this folder decides what the host
    /// executes. The interpreter compiles nothing.
    pub code_cache: Option<PathBuf>,
    /// Where the code of single functions is kept between processes, at most 256 MiB, so that of a module that changed only what
    /// changed is compiled; [`None`], the default, keeps none. Helps where modules are edited, and costs the first compilation of
    /// each a little. Must not lie in `code_cache`; and as there, whoever can write to this folder decides what the host executes.
    pub function_cache: Option<PathBuf>,
    /// The most frames that a [`Backtrace`](crate::Backtrace) has; 0 keeps none. Default 20.
    pub backtrace_frames: usize,
    /// Whether backtraces tell the lines of source that the guest's own debug information claims.
    /// Reading that takes time and memory, at every trap. Default false.
    pub source_lines: bool,
    /// The functions that modules may import besides WASI.
    pub host_functions: HostFunctions,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            fuel_metering: false,
            tick: Duration::from_millis(5),
            interruption: true,
            stack_bytes: 512 << 10,
            max_instances: 1000,
            max_memory_bytes: 1 << 30,
            max_modules: 1000,
            share_modules: true,
            max_module_bytes: 64 << 20,
            pooling: true,
            code_cache: None,
            function_cache: None,
            backtrace_frames: 20,
            source_lines: false,
            host_functions: HostFunctions::default(),
        }
    }
}
