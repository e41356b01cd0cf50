//! Creating instances, and the instance as its users see it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmtime::component::Instance as ComponentInstance;
use wasmtime::{CallHook, Instance, Memory, Store};

use super::call::{ShortName, Simple, Target};
use super::error::classify_instantiation;
use super::module::{Code, Loaded};
use super::runtime::{NAME, Shared};
use super::session::Locked;
use super::state::{Handles, HostCalls, State};
use super::wasi::Wasi;
use crate::control::{Control, Gate, InstanceSlot, Ticker};
use crate::limits::{Growth, admit, refuse_deadline};
use crate::session::Session;
use crate::value::{ResourceHandle, Value, read_result, result, values, write_arguments};
use crate::{
    BoxFuture, Capabilities, Error, FunctionInfo, GuestSession, Limit, Output, ResourceLimits,
    Result, WasmFunctionCaller, WasmInstance, WasmInstanceState,
};

/// An instance of the wasmtime backend. Cheap to clone: clones are the same instance.
///
/// ```
/// use wasm_sandbox::{
///     Capabilities, ResourceLimits, RuntimeConfig, WasmInstance, WasmtimeInstance, create_runtime,
/// };
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let module = runtime.load_module(&wat::parse_str(r#"(module (func (export "nothing")))"#)?)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// let instance = instance.as_any().downcast_ref::<WasmtimeInstance>().expect("the default backend");
/// let same = instance.clone();
/// instance.terminate();
/// assert!(same.call_simple_function("nothing", &[]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct WasmtimeInstance {
    gate: Arc<Gate<Inner>>,
    /// Beside the gate, so that looking a function up never waits for a call.
    loaded: Arc<Loaded>,
}

/// What stands behind the gate.
pub(super) struct Inner {
    // Dropped first: the store gives its slot back before the count goes down.
    pub(super) store: Store<State>,
    pub(super) shared: Arc<Shared>,
    pub(super) loaded: Arc<Loaded>,
    pub(super) limits: ResourceLimits,
    pub(super) body: Body,
    /// Calls must run on a fiber.
    pub(super) on_fiber: bool,
    pub(super) deadline_ticks: u64,
    /// The tick that the latest call began in; none after a new deadline.
    pub(super) tick: u64,
    pub(super) poison: Option<String>,
    /// The function that was called last.
    pub(super) last: usize,
    pub(super) last_name: ShortName,
    /// The functions as resolved so far.
    pub(super) targets: Vec<Option<Target>>,
    pub(super) simple: Vec<Option<Simple>>,
    pub(super) _slot: InstanceSlot,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("loaded", &self.loaded)
            .field("poison", &self.poison)
            .finish_non_exhaustive()
    }
}

pub(super) enum Body {
    Core(Instance),
    Component(ComponentInstance),
}

/// How many ticks a call may take.
fn ticks(ticker: &Ticker, deadline: Option<Duration>) -> u64 {
    deadline.map_or(u64::MAX, |deadline| ticker.ticks_in(deadline))
}

/// The largest guest stack that is taken from the caller's thread. Rust gives its threads two megabytes
/// unless told otherwise.
const DIRECT_STACK_BYTES: usize = 1 << 20;

/// Makes an instance. `asynchronous` says whether the start function may yield to an executor.
pub(super) async fn create(
    shared: Arc<Shared>,
    loaded: Arc<Loaded>,
    limits: ResourceLimits,
    capabilities: Capabilities,
    asynchronous: bool,
) -> Result<WasmtimeInstance> {
    admit(
        NAME,
        &shared.config,
        shared.config.interruption,
        &loaded.imports,
        &limits,
        &capabilities,
    )?;
    let slot = shared.count.enter()?;
    let control = Control::new(limits.deadline);
    let wasi = match loaded.wasi {
        true => Some(Box::new(Wasi::new(
            &capabilities,
            limits.output_bytes,
            loaded.kind(),
        )?)),
        false => {
            // Without WASI no import can reach a directory, but a wrong grant is still a mistake.
            for grant in &capabilities.directories {
                std::fs::read_dir(&grant.host).map_err(|error| Error::InvalidCapability {
                    capability: grant.to_string(),
                    reason: error.to_string(),
                })?;
            }
            None
        }
    };
    let ticker: Arc<Ticker> = Arc::clone(&shared.ticker);
    let deadline_ticks = ticks(&ticker, limits.deadline);
    let hooked = limits.host_calls.is_some() && loaded.wasi;
    let state = State {
        growth: Growth::new(&limits, control.clone()),
        instantiating: true,
        control: control.clone(),
        deadline: ticker.now().saturating_add(deadline_ticks),
        ticker,
        asynchronous,
        wasi,
        host_calls: HostCalls::new(limits.host_calls, hooked),
        handles: Handles::new(limits.resources),
    };
    let mut store = Store::try_new(&shared.engine, state).map_err(classify_instantiation)?;
    store.limiter(|state| state);
    store.epoch_deadline_callback(|mut context| context.data_mut().tick());
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(limits.value_bytes);
    if hooked {
        store.call_hook(|mut context, hook| match hook {
            CallHook::CallingHost => context.data_mut().left_guest(),
            _ => Ok(()),
        });
    }
    if shared.config.fuel_metering {
        store
            .set_fuel(limits.fuel.unwrap_or(u64::MAX))
            .map_err(classify_instantiation)?;
    }
    let on_fiber = loaded.wasi || shared.config.stack_bytes > DIRECT_STACK_BYTES;
    let body = if on_fiber || asynchronous {
        let worker = if loaded.wasi {
            Some(shared.worker()?)
        } else {
            None
        };
        let start = async {
            Ok(match &loaded.code {
                Code::Core(pre) => Body::Core(pre.instantiate_async(&mut store).await?),
                Code::Component(pre, _) => {
                    Body::Component(pre.instantiate_async(&mut store).await?)
                }
            })
        };
        super::call::driven(worker, limits.deadline, start)
            .await
            .map_err(|error| match error {
                super::call::Ended::Guest(error) => classify_instantiation(error),
                super::call::Ended::Deadline => Error::exceeded(Limit::Deadline),
            })
    } else {
        match &loaded.code {
            Code::Core(pre) => pre.instantiate(&mut store).map(Body::Core),
            Code::Component(pre, _) => pre.instantiate(&mut store).map(Body::Component),
        }
        .map_err(classify_instantiation)
    };
    let body = body?;
    store.data_mut().instantiating = false;
    let inner = Inner {
        store,
        shared,
        limits,
        body,
        on_fiber,
        deadline_ticks,
        tick: u64::MAX,
        poison: None,
        last: 0,
        last_name: ShortName::default(),
        targets: Vec::new(),
        simple: Vec::new(),
        loaded,
        _slot: slot,
    };
    let loaded = inner.loaded.clone();
    Ok(WasmtimeInstance {
        gate: Arc::new(Gate::new(inner, control)),
        loaded,
    })
}

const FUEL: Error = Error::Unsupported {
    runtime: NAME,
    operation: "fuel, unless `RuntimeConfig::fuel_metering` is set",
};

impl Inner {
    /// The exported memory. Looked up when it is wanted, since most instances never want it.
    pub(super) fn memory(&mut self) -> Option<Memory> {
        match self.body {
            Body::Core(instance) => {
                instance.get_memory(&mut self.store, wasm_memory::MEMORY_EXPORT)
            }
            Body::Component(_) => None,
        }
    }
}

impl WasmtimeInstance {
    /// [`call_function`](crate::WasmInstanceExt::call_function) without a trait object in between;
    /// [`None`] when the function takes messages.
    pub(crate) async fn call_typed<P, R>(&self, name: &str, params: &P) -> Result<Option<R>>
    where
        P: Serialize + Sync + ?Sized,
        R: DeserializeOwned,
    {
        let index = self.loaded.functions.find(name)?;
        let FunctionInfo {
            signature, codec, ..
        } = &self.loaded.functions[index];
        if codec.is_some() {
            return Ok(None);
        }
        // What can be done without the instance is done before it is locked.
        let tape = write_arguments(signature, params)?;
        let mut inner = self.gate.enter_async().await?;
        let Some(func) = inner.plain(index)? else {
            let values = values(&tape, signature)?;
            let results = inner.call_index(index, values, true).await?;
            drop(inner);
            return Ok(Some(result(signature, results)?));
        };
        let results = inner.call_plain(&self.gate.control, func, tape).await?;
        drop(inner);
        Ok(Some(read_result(signature, &results)?))
    }

    fn fuel_limit(inner: &Inner) -> u64 {
        inner.limits.fuel.unwrap_or(u64::MAX)
    }
}

impl WasmInstance for WasmtimeInstance {
    fn state(&self) -> WasmInstanceState {
        self.gate.state()
    }

    fn memory_usage(&self) -> usize {
        self.gate.control.memory_bytes.load(Ordering::Relaxed)
    }

    fn fuel_usage(&self) -> Option<u64> {
        let inner = self.gate.enter().ok()?;
        let left = inner.store.get_fuel().ok()?;
        Some(Self::fuel_limit(&inner).saturating_sub(left))
    }

    fn reset_fuel(&self) -> Result<()> {
        let mut inner = self.gate.enter()?;
        let limit = Self::fuel_limit(&inner);
        inner.store.set_fuel(limit).map_err(|_| FUEL)
    }

    fn add_fuel(&self, fuel: u64) -> Result<()> {
        let mut inner = self.gate.enter()?;
        let left = inner.store.get_fuel().map_err(|_| FUEL)?;
        // What is added is a new allowance: usage is counted against the larger limit.
        if let Some(limit) = &mut inner.limits.fuel {
            *limit = limit.saturating_add(fuel);
        }
        inner
            .store
            .set_fuel(left.saturating_add(fuel))
            .map_err(|_| FUEL)
    }

    unsafe fn memory_ptr(&self) -> Result<*mut u8> {
        let mut inner = self.gate.enter()?;
        let memory = inner.memory().ok_or(Error::NoMemory)?;
        Ok(memory.data_ptr(&inner.store))
    }

    fn memory_size(&self) -> usize {
        let Ok(mut inner) = self.gate.enter() else {
            return 0;
        };
        inner
            .memory()
            .map_or(0, |memory| memory.data_size(&inner.store))
    }

    fn function_caller(&self) -> Box<dyn WasmFunctionCaller> {
        Box::new(self.clone())
    }

    #[inline]
    fn call_simple_function(&self, function_name: &str, params: &[i32]) -> Result<i32> {
        let mut inner = match self.gate.try_enter() {
            Some(inner) => inner,
            None => self.gate.enter()?,
        };
        inner.simple(function_name, params)
    }

    fn guest_session(&self) -> BoxFuture<'_, Result<Box<dyn GuestSession + '_>>> {
        Box::pin(async move {
            let inner = self.gate.enter_async().await?;
            Ok(Session::boxed(Locked::new(inner)?))
        })
    }

    fn output(&self) -> Output {
        let Ok(inner) = self.gate.enter() else {
            return Output::default();
        };
        inner
            .store
            .data()
            .wasi
            .as_ref()
            .map(|wasi| wasi.output())
            .unwrap_or_default()
    }

    fn drop_resource(&self, handle: ResourceHandle) -> Result<()> {
        self.gate.enter()?.drop_resource(handle)
    }

    fn set_deadline(&self, deadline: Option<Duration>) -> Result<()> {
        let mut inner = self.gate.enter()?;
        if deadline.is_some() {
            refuse_deadline(NAME, inner.shared.config.interruption)?;
        }
        inner.deadline_ticks = ticks(&inner.shared.ticker, deadline);
        inner.tick = u64::MAX;
        inner.limits.deadline = deadline;
        Ok(())
    }

    fn refused_growth(&self) -> Option<Limit> {
        self.gate.enter().ok()?.store.data().growth.refused
    }

    fn methods_of(&self, handle: ResourceHandle) -> Result<Vec<Arc<str>>> {
        self.gate.enter()?.methods_of(handle)
    }

    fn terminate(&self) {
        self.gate.control.terminated.store(true, Ordering::Relaxed);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl WasmFunctionCaller for WasmtimeInstance {
    fn function(&self, name: &str) -> Result<FunctionInfo> {
        Ok(self.loaded.functions.named(name)?.clone())
    }

    fn call_blocking(&self, name: &str, params: &[Value]) -> Result<Vec<Value>> {
        self.call_with(name, params.to_vec())
    }

    fn call_with(&self, name: &str, params: Vec<Value>) -> Result<Vec<Value>> {
        self.gate.enter()?.call_blocking(name, params)
    }

    fn call<'a>(&'a self, name: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async move {
            let mut inner = self.gate.enter_async().await?;
            inner.call(name, params.to_vec()).await
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
