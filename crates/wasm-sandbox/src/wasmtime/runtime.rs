//! The engine with all that its instances share.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, Linker,
    PoolingAllocationConfig, WasmBacktraceDetails, component::Linker as ComponentLinker,
};

use super::functions::FunctionCache;
use super::instance::{WasmtimeInstance, create};
use super::module::{Loaded, WasmtimeModule, load};
use super::state::State;
use super::wasi::preview1;
use crate::control::{InstanceCount, Registry, Ticker, TickerHandle, block_on};
use crate::{
    BoxFuture, Capabilities, Error, Limit, ModuleId, ResourceLimits, Result, RuntimeCapabilities,
    RuntimeConfig, WasmInstance, WasmModule, WasmRuntime,
};

/// The name by which errors call this backend.
pub(super) const NAME: &str = "wasmtime";

/// Room on a fiber for host functions beneath the guest's own stack.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Tables of one instance, at most.
const TABLES_PER_INSTANCE: u32 = 4;

/// Core instances within one component, at most: its own modules, adapters and shims.
const CORE_PER_COMPONENT: u32 = 16;

/// The wasmtime backend.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, WasmRuntime, WasmtimeRuntime};
///
/// let runtime = WasmtimeRuntime::new(&RuntimeConfig::default())?;
/// assert_eq!((runtime.runtime_type(), runtime.live_instances()), ("wasmtime", 0));
/// // The engine itself, for what only wasmtime offers.
/// assert!(!runtime.engine().is_pulley());
/// // Behind a trait object, it can be found again.
/// let runtime: Box<dyn WasmRuntime> = Box::new(runtime);
/// assert!(runtime.as_any().is::<WasmtimeRuntime>());
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Debug)]
pub struct WasmtimeRuntime {
    shared: Arc<Shared>,
}

/// What a runtime's modules and instances refer to.
pub(super) struct Shared {
    pub(super) id: u64,
    pub(super) config: RuntimeConfig,
    pub(super) engine: Engine,
    pub(super) ticker: TickerHandle,
    pub(super) count: Arc<InstanceCount>,
    core_wasi: OnceLock<Linker<State>>,
    component: OnceLock<ComponentLinker<State>>,
    modules: Registry<Loaded>,
    functions: Option<Arc<FunctionCache>>,
    worker: OnceLock<Worker>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The tokio runtime that drives WASI's timers, files and sockets, whatever executor the caller uses.
struct Worker(Option<tokio::runtime::Runtime>);

impl Drop for Worker {
    fn drop(&mut self) {
        // An ordinary drop waits for blocking tasks, which is forbidden on an executor's thread.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    /// A linker that offers core modules WASI preview 1. Made when the first module wants it: a process
    /// that runs one program needs one linker.
    pub(super) fn core_wasi(&self) -> Result<&Linker<State>> {
        if let Some(linker) = self.core_wasi.get() {
            return Ok(linker);
        }
        let mut linker = Linker::new(&self.engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut linker, preview1).map_err(invalid_config)?;
        Ok(self.core_wasi.get_or_init(|| linker))
    }

    /// A linker that offers components WASI 0.2.
    pub(super) fn component(&self) -> Result<&ComponentLinker<State>> {
        if let Some(linker) = self.component.get() {
            return Ok(linker);
        }
        let mut linker = ComponentLinker::new(&self.engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(invalid_config)?;
        linker.allow_shadowing(true);
        Ok(self.component.get_or_init(|| linker))
    }

    /// The handle of the worker, which is started when it is first needed.
    pub(super) fn worker(&self) -> Result<tokio::runtime::Handle> {
        if self.worker.get().is_none() {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("wasm-sandbox-wasi")
                .enable_all()
                .build()
                .map_err(|error| Error::io("starting the WASI worker", error))?;
            // Another thread may have been faster; then this one is shut down again.
            let _ = self.worker.set(Worker(Some(runtime)));
        }
        match self.worker.get() {
            Some(Worker(Some(runtime))) => Ok(runtime.handle().clone()),
            _ => Err(Error::InvalidConfig {
                reason: "the WASI worker is shut down".into(),
            }),
        }
    }
}

fn invalid_config(error: wasmtime::Error) -> Error {
    Error::InvalidConfig {
        reason: format!("{error:#}"),
    }
}

fn engine_config(config: &RuntimeConfig, functions: Option<&Arc<FunctionCache>>) -> Result<Config> {
    let mut engine = Config::new();
    engine
        .epoch_interruption(config.interruption)
        .consume_fuel(config.fuel_metering)
        .max_wasm_stack(config.stack_bytes)
        .async_stack_size(config.stack_bytes.saturating_add(HOST_STACK_BYTES))
        // The guest calls one function at a time; without this, every call pays for more.
        .concurrency_support(false)
        // Threads of one module would share memory beyond any instance's budget. The instructions do
        // no harm on memory that is not shared.
        .shared_memory(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(config.backtrace_frames))
        .wasm_backtrace_details(match config.source_lines {
            true => WasmBacktraceDetails::Enable,
            false => WasmBacktraceDetails::Disable,
        });
    if let Some(folder) = &config.code_cache {
        let mut cache = CacheConfig::new();
        // Between compiling and running, somebody waits; what is used often is compressed better later.
        cache
            .with_directory(folder)
            .with_baseline_compression_level(1);
        engine.cache(Some(Cache::new(cache).map_err(invalid_config)?));
    }
    if let Some(functions) = functions {
        engine
            .enable_incremental_compilation(functions.clone())
            .map_err(invalid_config)?;
    }
    if config.pooling {
        let count = config.max_instances;
        let tables = count.saturating_mul(2).max(TABLES_PER_INSTANCE);
        let cores = count
            .saturating_mul(CORE_PER_COMPONENT / 4)
            .max(CORE_PER_COMPONENT);
        let mut pool = PoolingAllocationConfig::default();
        pool.total_core_instances(cores)
            .total_component_instances(count)
            .total_memories(count)
            .total_tables(tables)
            .total_stacks(count)
            .total_gc_heaps(0)
            .max_core_instances_per_component(CORE_PER_COMPONENT)
            .max_memories_per_component(2.min(count))
            .max_tables_per_component(TABLES_PER_INSTANCE)
            .max_tables_per_module(TABLES_PER_INSTANCE)
            .max_memories_per_module(1)
            .max_memory_size(config.max_memory_bytes);
        engine
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .wasm_gc(false);
    }
    Ok(engine)
}

impl WasmtimeRuntime {
    /// A runtime of this configuration, whose `backend` is not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] when wasmtime refuses the configuration.
    pub fn new(config: &RuntimeConfig) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if config.max_instances == 0 {
            return Err(Error::InvalidConfig {
                reason: "`max_instances` must not be zero".into(),
            });
        }
        if let (Some(functions), Some(code)) = (&config.function_cache, &config.code_cache)
            && functions.starts_with(code)
        {
            return Err(Error::InvalidConfig {
                reason: "`function_cache` must not lie in `code_cache`, where wasmtime removes what it does not know".into(),
            });
        }
        let functions = config.function_cache.clone().map(FunctionCache::new);
        let engine =
            Engine::new(&engine_config(config, functions.as_ref())?).map_err(invalid_config)?;
        let ticker = if config.interruption {
            let weak = engine.weak();
            Ticker::start(config.tick, move || {
                if let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                }
            })?
        } else {
            Ticker::idle()
        };
        Ok(Self {
            shared: Arc::new(Shared {
                id: NEXT.fetch_add(1, Ordering::Relaxed),
                core_wasi: OnceLock::new(),
                component: OnceLock::new(),
                ticker,
                engine,
                count: InstanceCount::new(config.max_instances as usize),
                modules: Registry::new(config),
                functions,
                worker: OnceLock::new(),
                config: config.clone(),
            }),
        })
    }

    /// The number of instances alive.
    #[must_use]
    pub fn live_instances(&self) -> usize {
        self.shared.count.live()
    }

    /// The engine, for those who know wasmtime.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    fn loaded(&self, module: &dyn WasmModule) -> Result<Arc<Loaded>> {
        match module.as_any().downcast_ref::<WasmtimeModule>() {
            Some(module) if module.loaded.runtime == self.shared.id => Ok(module.loaded.clone()),
            _ => Err(Error::ForeignModule { runtime: NAME }),
        }
    }
}

fn load_shared(shared: &Shared, bytes: &[u8]) -> Result<Box<dyn WasmModule>> {
    if bytes.len() > shared.config.max_module_bytes {
        return Err(Error::exceeded(Limit::ModuleBytes));
    }
    let loaded = shared.modules.load(bytes, |id| {
        let loaded = load(shared, id, bytes);
        if let Some(functions) = &shared.functions {
            functions.save();
        }
        loaded
    })?;
    Ok(Box::new(WasmtimeModule { loaded }))
}

fn boxed(instance: WasmtimeInstance) -> Box<dyn WasmInstance> {
    Box::new(instance)
}

impl WasmRuntime for WasmtimeRuntime {
    fn load_module(&self, wasm_bytes: &[u8]) -> Result<Box<dyn WasmModule>> {
        load_shared(&self.shared, wasm_bytes)
    }

    fn load_module_boxed<'a>(
        &'a self,
        wasm_bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Box<dyn WasmModule>>> {
        Box::pin(async move {
            let (shared, bytes) = (self.shared.clone(), wasm_bytes.to_vec());
            let task = self
                .shared
                .worker()?
                .spawn_blocking(move || load_shared(&shared, &bytes));
            task.await.map_err(|error| Error::InvalidModule {
                reason: format!("compilation failed: {error}"),
            })?
        })
    }

    fn get_module(&self, id: ModuleId) -> Result<Box<dyn WasmModule>> {
        Ok(Box::new(WasmtimeModule {
            loaded: self.shared.modules.get(id)?,
        }))
    }

    fn unload_module(&self, id: ModuleId) -> Result<()> {
        self.shared.modules.remove(id)
    }

    fn create_instance(
        &self,
        module: &dyn WasmModule,
        resources: ResourceLimits,
        capabilities: Capabilities,
    ) -> Result<Box<dyn WasmInstance>> {
        let loaded = self.loaded(module)?;
        // Nothing but WASI and asynchronous creation ever waits, so this is polled once.
        block_on(create(
            self.shared.clone(),
            loaded,
            resources,
            capabilities,
            false,
        ))
        .map(boxed)
    }

    fn create_instance_boxed<'a>(
        &'a self,
        module: &'a dyn WasmModule,
        resources: ResourceLimits,
        capabilities: Capabilities,
    ) -> BoxFuture<'a, Result<Box<dyn WasmInstance>>> {
        Box::pin(async move {
            let loaded = self.loaded(module)?;
            create(self.shared.clone(), loaded, resources, capabilities, true)
                .await
                .map(boxed)
        })
    }

    fn runtime_type(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> RuntimeCapabilities {
        RuntimeCapabilities {
            components: true,
            fuel: self.shared.config.fuel_metering,
            deadlines: self.shared.config.interruption,
            host_call_budget: true,
            directories: true,
            network: true,
            async_yield: true,
            pooling: self.shared.config.pooling,
            stack_bytes: self.shared.config.stack_bytes,
            max_memory_bytes: self.shared.config.max_memory_bytes,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
