//! The engine, and loading.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmi::{Config, Engine, ExternType, FuncType, Linker, Module, Val, ValType};

use super::instance::{State, Stop, WasmiInstance, create};
use super::preview1;
use crate::control::{InstanceCount, Registry, Ticker, TickerHandle, block_on};
use crate::exports::Functions;
use crate::host::import_name;
use crate::value::{Signature, Type, Value};
use crate::{
    BoxFuture, Capabilities, Error, FunctionInfo, ImportInfo, Limit, ModuleId, ModuleKind,
    ResourceLimits, Result, RuntimeCapabilities, RuntimeConfig, WasmInstance, WasmModule,
    WasmRuntime,
};

/// The name by which errors call this backend.
pub(super) const NAME: &str = "wasmi";

/// Bytes of the interpreter's value stack per call frame, on average: turns a stack size into a depth.
const FRAME_BYTES: usize = 64;

/// The wasmi backend.
///
/// ```
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmRuntime, WasmiRuntime};
///
/// let runtime = WasmiRuntime::new(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(module (func (export "seven") (result i32) (i32.const 7)))"#)?;
/// let module = runtime.load_module(&wasm)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// assert_eq!(instance.call_simple_function("seven", &[])?, 7);
/// assert_eq!(runtime.live_instances(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WasmiRuntime {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) id: u64,
    pub(super) config: RuntimeConfig,
    pub(super) ticker: TickerHandle,
    pub(super) count: Arc<InstanceCount>,
    engine: Engine,
    modules: Registry<Loaded>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A module that the wasmi backend translated.
///
/// ```
/// use wasm_sandbox::{Backend, RuntimeConfig, WasmiModule, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig { backend: Backend::Wasmi, ..RuntimeConfig::default() })?;
/// let module = runtime.load_module(&wat::parse_str("(module)")?)?;
/// assert!(module.as_any().downcast_ref::<WasmiModule>().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct WasmiModule {
    loaded: Arc<Loaded>,
}

/// A translated module with its imports already linked.
pub(super) struct Loaded {
    runtime: u64,
    id: ModuleId,
    size: usize,
    pub(super) functions: Functions,
    pub(super) imports: Vec<ImportInfo>,
    pub(super) module: Module,
    pub(super) linker: Linker<State>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("id", &self.id)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

fn value_type(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => Type::S32,
        ValType::I64 => Type::S64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::Unsupported("v128"),
        _ => Type::Unsupported("reference"),
    }
}

fn signature(ty: &FuncType) -> Signature {
    Signature::new(
        ty.params().iter().map(value_type),
        ty.results().iter().map(value_type),
    )
}

pub(super) fn to_val(value: &Value) -> Option<Val> {
    Some(match value {
        Value::S32(number) => Val::I32(*number),
        Value::S64(number) => Val::I64(*number),
        Value::F32(number) => Val::F32((*number).into()),
        Value::F64(number) => Val::F64((*number).into()),
        _ => return None,
    })
}

pub(super) fn from_val(value: &Val) -> Option<Value> {
    Some(match value {
        Val::I32(number) => Value::S32(*number),
        Val::I64(number) => Value::S64(*number),
        Val::F32(number) => Value::F32((*number).into()),
        Val::F64(number) => Value::F64((*number).into()),
        _ => return None,
    })
}

fn load(shared: &Shared, id: ModuleId, bytes: &[u8]) -> Result<Loaded> {
    if let [0, b'a', b's', b'm', _, 0, 1, 0, ..] = bytes {
        return Err(Error::Unsupported {
            runtime: NAME,
            operation: "components",
        });
    }
    let invalid = |reason: String| Error::InvalidModule { reason };
    let module = Module::new(&shared.engine, bytes).map_err(|error| invalid(error.to_string()))?;
    let mut linker = Linker::new(&shared.engine);
    let mut imports = Vec::new();
    let mut defined = Vec::new();
    let mut missing = Vec::new();
    for import in module.imports() {
        let (interface, name) = (import.module(), import.name());
        let info = ImportInfo {
            interface: interface.into(),
            name: name.into(),
        };
        let ExternType::Func(ty) = import.ty() else {
            missing.push(info);
            continue;
        };
        if defined.contains(&info) {
            continue;
        }
        defined.push(info.clone());
        let linked = if interface == preview1::MODULE {
            let Some(name) = preview1::Function::named(name, ty) else {
                missing.push(info);
                continue;
            };
            linker.func_new(
                interface,
                import.name(),
                ty.clone(),
                move |caller, params, results| preview1::call(name, caller, params, results),
            )
        } else {
            let Some(function) = shared.config.host_functions.get(interface, name).cloned() else {
                missing.push(info);
                continue;
            };
            imports.push(info);
            let (signature, label) = (signature(ty), import_name(interface, name));
            linker.func_new(
                interface,
                name,
                ty.clone(),
                move |mut caller, params, results| {
                    let unsupported = || Error::Signature {
                        name: label.clone(),
                        reason: format!("`{signature}` has values that cannot leave the guest"),
                    };
                    let call = || {
                        caller.data_mut().count_host_call()?;
                        let values = params
                            .iter()
                            .map(|value| from_val(value).ok_or_else(unsupported))
                            .collect::<Result<_>>()?;
                        let answers =
                            function.call(caller.data().control.id, &label, &signature, values)?;
                        for (slot, answer) in results.iter_mut().zip(&answers) {
                            *slot = to_val(answer).ok_or_else(unsupported)?;
                        }
                        Ok(())
                    };
                    call_or_stop(call)
                },
            )
        };
        linked.map_err(|error| invalid(error.to_string()))?;
    }
    if !missing.is_empty() {
        return Err(Error::MissingImports { imports: missing });
    }
    let functions = Functions::of_core(
        bytes,
        module.exports().filter_map(|export| match export.ty() {
            ExternType::Func(ty) => Some((export.name(), signature(ty))),
            _ => None,
        }),
    )?;
    Ok(Loaded {
        runtime: shared.id,
        id,
        size: bytes.len(),
        functions,
        imports,
        module,
        linker,
    })
}

/// A failure of ours as the interpreter's.
fn call_or_stop(call: impl FnOnce() -> Result<()>) -> Result<(), wasmi::Error> {
    call().map_err(|error| wasmi::Error::host(Stop::because(error)))
}

impl WasmModule for WasmiModule {
    fn id(&self) -> ModuleId {
        self.loaded.id
    }

    fn kind(&self) -> ModuleKind {
        ModuleKind::Core
    }

    fn exports(&self) -> Vec<FunctionInfo> {
        self.loaded.functions.to_vec()
    }

    fn imports(&self) -> Vec<ImportInfo> {
        self.loaded.imports.clone()
    }

    fn size(&self) -> usize {
        self.loaded.size
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl WasmiRuntime {
    /// A runtime of this configuration, whose `backend` and `pooling` are not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`].
    pub fn new(config: &RuntimeConfig) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if config.max_instances == 0 {
            return Err(Error::InvalidConfig {
                reason: "`max_instances` must not be zero".into(),
            });
        }
        let mut engine = Config::default();
        engine
            .consume_fuel(true)
            .set_max_recursion_depth((config.stack_bytes / FRAME_BYTES).max(1))
            .set_max_stack_height(config.stack_bytes.max(2048))
            .ignore_custom_sections(true);
        Ok(Self {
            shared: Arc::new(Shared {
                id: NEXT.fetch_add(1, Ordering::Relaxed),
                ticker: Ticker::start(config.tick, || {})?,
                count: InstanceCount::new(config.max_instances as usize),
                engine: Engine::new(&engine),
                modules: Registry::new(config),
                config: config.clone(),
            }),
        })
    }

    /// The number of instances alive.
    #[must_use]
    pub fn live_instances(&self) -> usize {
        self.shared.count.live()
    }

    fn loaded(&self, module: &dyn WasmModule) -> Result<Arc<Loaded>> {
        match module.as_any().downcast_ref::<WasmiModule>() {
            Some(module) if module.loaded.runtime == self.shared.id => Ok(module.loaded.clone()),
            _ => Err(Error::ForeignModule { runtime: NAME }),
        }
    }
}

fn boxed(instance: WasmiInstance) -> Box<dyn WasmInstance> {
    Box::new(instance)
}

impl WasmRuntime for WasmiRuntime {
    fn load_module(&self, wasm_bytes: &[u8]) -> Result<Box<dyn WasmModule>> {
        if wasm_bytes.len() > self.shared.config.max_module_bytes {
            return Err(Error::exceeded(Limit::ModuleBytes));
        }
        let loaded = self
            .shared
            .modules
            .load(wasm_bytes, |id| load(&self.shared, id, wasm_bytes))?;
        Ok(Box::new(WasmiModule { loaded }))
    }

    fn get_module(&self, id: ModuleId) -> Result<Box<dyn WasmModule>> {
        Ok(Box::new(WasmiModule {
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
        create(&self.shared, self.loaded(module)?, resources, &capabilities).map(boxed)
    }

    fn create_instance_boxed<'a>(
        &'a self,
        module: &'a dyn WasmModule,
        resources: ResourceLimits,
        capabilities: Capabilities,
    ) -> BoxFuture<'a, Result<Box<dyn WasmInstance>>> {
        Box::pin(async move {
            // A start function is short by construction; others get their turn between instances.
            crate::control::yield_now().await;
            self.create_instance(module, resources, capabilities)
        })
    }

    fn runtime_type(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> RuntimeCapabilities {
        RuntimeCapabilities {
            fuel: self.shared.config.fuel_metering,
            deadlines: true,
            host_call_budget: true,
            async_yield: true,
            stack_bytes: self.shared.config.stack_bytes,
            max_memory_bytes: self.shared.config.max_memory_bytes,
            ..RuntimeCapabilities::none()
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Drives a call that never waits.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    block_on(future)
}

/// The ticker as instances hold it.
pub(super) fn ticker(shared: &Shared) -> Arc<Ticker> {
    Arc::clone(&shared.ticker)
}
