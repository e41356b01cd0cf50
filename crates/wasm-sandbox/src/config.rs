//! What is fixed for all instances of a runtime.

use std::time::Duration;

use crate::host::HostFunctions;

/// Which engine executes the guests.
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
    /// Bytes of stack for guest code. Default 512 KiB.
    pub stack_bytes: usize,
    /// The most instances alive at a time. Default 1,000. With pooling, address space for all of them
    /// is reserved when the runtime is created.
    pub max_instances: u32,
    /// The most memory any instance may be limited to. Default 1 GiB; with pooling it is also the
    /// address space reserved for each instance.
    pub max_memory_bytes: usize,
    /// The most modules loaded at a time. Default 1,000.
    pub max_modules: usize,
    /// The largest module accepted. Default 64 MiB.
    pub max_module_bytes: usize,
    /// Whether instances come from a pool of pre-reserved slots. Default true.
    pub pooling: bool,
    /// The functions that modules may import besides WASI.
    pub host_functions: HostFunctions,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            fuel_metering: false,
            tick: Duration::from_millis(5),
            stack_bytes: 512 << 10,
            max_instances: 1000,
            max_memory_bytes: 1 << 30,
            max_modules: 1000,
            max_module_bytes: 64 << 20,
            pooling: true,
            host_functions: HostFunctions::default(),
        }
    }
}
