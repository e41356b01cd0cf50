//! Creating and calling instances.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wasmi::{Func, Instance, Memory, ResourceLimiter, ResumableCall, Store, TrapCode, Val};

use super::preview1::Preview1;
use super::runtime::{Loaded, NAME, Shared, from_val, now, ticker, to_val};
use crate::control::{Control, Flight, Gate, InstanceSlot, Ticker, yield_now};
use crate::limits::{Growth, admit};
use crate::lock::Guard;
use crate::session::{Guest, Session};
use crate::simple::{simple_result, simple_values};
use crate::value::{ResourceHandle, Type, Value, ValueErrorKind};
use crate::{
    Backtrace, BoxFuture, Capabilities, Error, FunctionInfo, GuestSession, Limit, Output,
    ResourceLimits, Result, Stdin, Trap, WasmFunctionCaller, WasmInstance, WasmInstanceState,
};

/// Fuel between two looks at the clock: a fraction of a millisecond.
const SLICE: u64 = 100_000;

/// Fuel of a start function, unless the instance's own limit is smaller.
pub(super) const START_FUEL: u64 = 20_000_000;

/// Why one of our own functions ended the guest; travels through the interpreter as a host error.
#[derive(Debug)]
pub(super) struct Stop(std::sync::Mutex<Option<Error>>);

impl Stop {
    pub(super) fn because(error: Error) -> Self {
        Self(std::sync::Mutex::new(Some(error)))
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped by the sandbox")
    }
}

impl wasmi::errors::HostError for Stop {}

/// What travels in the store.
pub(super) struct State {
    pub(super) control: Arc<Control>,
    pub(super) preview1: Preview1,
    host_calls_left: u64,
    growth: Growth,
}

impl State {
    pub(super) fn count_host_call(&mut self) -> Result<()> {
        let left = self
            .host_calls_left
            .checked_sub(1)
            .ok_or(Error::exceeded(Limit::HostCalls))?;
        self.host_calls_left = left;
        Ok(())
    }
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, wasmi_core::LimiterError> {
        Ok(self
            .growth
            .memory(current, desired, maximum)
            .unwrap_or(false))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, wasmi_core::LimiterError> {
        Ok(self
            .growth
            .table(current, desired, maximum)
            .unwrap_or(false))
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        16
    }

    fn memories(&self) -> usize {
        16
    }
}

/// What ended a call.
fn classify(error: wasmi::Error) -> Error {
    if let Some(stop) = error.downcast_ref::<Stop>()
        && let Some(reason) = stop.0.lock().ok().and_then(|mut slot| slot.take())
    {
        return reason;
    }
    let limit = Error::exceeded;
    let trap = match error.as_trap_code() {
        Some(TrapCode::OutOfFuel) => return limit(Limit::Fuel),
        Some(TrapCode::StackOverflow) => return limit(Limit::Stack),
        Some(TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory) => {
            return limit(Limit::Memory);
        }
        Some(TrapCode::UnreachableCodeReached) => Trap::Unreachable,
        Some(TrapCode::MemoryOutOfBounds) => Trap::MemoryOutOfBounds,
        Some(TrapCode::TableOutOfBounds | TrapCode::IndirectCallToNull) => Trap::TableOutOfBounds,
        Some(TrapCode::BadSignature) => Trap::BadSignature,
        Some(TrapCode::IntegerDivisionByZero) => Trap::DivisionByZero,
        Some(TrapCode::IntegerOverflow | TrapCode::BadConversionToInteger) => Trap::IntegerOverflow,
        None => Trap::Other,
    };
    Error::Trap {
        trap,
        message: error.to_string(),
        backtrace: Backtrace::default(),
    }
}

/// An instance of the wasmi backend. Cheap to clone: clones are the same instance.
///
/// ```
/// use wasm_sandbox::{
///     Backend, Capabilities, ResourceLimits, RuntimeConfig, WasmiInstance, create_runtime,
/// };
///
/// let runtime = create_runtime(&RuntimeConfig { backend: Backend::Wasmi, ..RuntimeConfig::default() })?;
/// let module = runtime.load_module(&wat::parse_str("(module)")?)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// assert!(instance.as_any().downcast_ref::<WasmiInstance>().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct WasmiInstance {
    gate: Arc<Gate<Inner>>,
    /// Beside the gate, so that looking a function up never waits for a call.
    loaded: Arc<Loaded>,
}

struct Inner {
    store: Store<State>,
    instance: Instance,
    memory: Option<Memory>,
    loaded: Arc<Loaded>,
    limits: ResourceLimits,
    ticker: Arc<Ticker>,
    deadline_ticks: u64,
    metered: bool,
    fuel_left: u64,
    poison: Option<String>,
    _slot: InstanceSlot,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("loaded", &self.loaded)
            .field("poison", &self.poison)
            .finish_non_exhaustive()
    }
}

/// Refuses what the interpreter cannot grant.
fn refuse(capabilities: &Capabilities) -> Result<()> {
    let ungrantable = |capability: String| {
        Err(Error::CapabilityUnsupported {
            runtime: NAME,
            capability,
            help: "use the `wasmtime` runtime",
        })
    };
    if let Some(directory) = capabilities.directories.first() {
        return ungrantable(format!("the directory `{}`", directory.guest));
    }
    if !capabilities.network.is_empty() {
        return ungrantable("network".into());
    }
    if capabilities.stdin == Stdin::Inherit {
        // Waiting for it would block the interpreter, which then keeps no deadline.
        return ungrantable("the host's standard input".into());
    }
    Ok(())
}

/// Makes an instance.
pub(super) fn create(
    shared: &Shared,
    loaded: Arc<Loaded>,
    limits: ResourceLimits,
    capabilities: &Capabilities,
) -> Result<WasmiInstance> {
    admit(
        NAME,
        &shared.config,
        true,
        &loaded.imports,
        &limits,
        capabilities,
    )?;
    refuse(capabilities)?;
    let slot = shared.count.enter()?;
    let control = Control::new(limits.deadline);
    let state = State {
        control: control.clone(),
        preview1: Preview1::new(capabilities, limits.output_bytes),
        host_calls_left: limits.host_calls.unwrap_or(u64::MAX),
        growth: Growth::new(&limits, control.clone()),
    };
    let mut store = Store::new(loaded.module.engine(), state);
    store.limiter(|state| state);
    let fuel = limits.fuel.unwrap_or(u64::MAX);
    let start_fuel = fuel.min(START_FUEL);
    let set = |store: &mut Store<State>| store.set_fuel(start_fuel).map_err(classify);
    set(&mut store)?;
    let instance = loaded
        .linker
        .instantiate_and_start(&mut store, &loaded.module)
        .map_err(|error| {
            let is_guests =
                error.as_trap_code().is_some() || error.downcast_ref::<Stop>().is_some();
            match store.data().growth.refused {
                Some(limit) if !is_guests => Error::exceeded(limit),
                // The fuel was a start function's, not the instance's own.
                _ if error.as_trap_code() == Some(TrapCode::OutOfFuel)
                    && limits.fuel.is_none_or(|fuel| fuel > START_FUEL) =>
                {
                    Error::exceeded(Limit::Deadline)
                }
                _ if is_guests => classify(error),
                _ => Error::Instantiation {
                    reason: error.to_string(),
                },
            }
        })?;
    let used = start_fuel.saturating_sub(store.get_fuel().unwrap_or(0));
    let memory = instance.get_memory(&store, wasm_memory::MEMORY_EXPORT);
    let ticker = ticker(shared);
    let inner = Inner {
        instance,
        memory,
        deadline_ticks: limits
            .deadline
            .map_or(u64::MAX, |deadline| ticker.ticks_in(deadline)),
        ticker,
        metered: shared.config.fuel_metering,
        fuel_left: fuel.saturating_sub(used),
        limits,
        store,
        loaded,
        poison: None,
        _slot: slot,
    };
    let loaded = inner.loaded.clone();
    Ok(WasmiInstance {
        gate: Arc::new(Gate::new(inner, control)),
        loaded,
    })
}

impl Inner {
    fn failed<T>(&mut self, error: Error) -> Result<T> {
        if error.is_fatal() && self.poison.is_none() {
            self.poison = Some(error.to_string());
            self.store
                .data()
                .control
                .poisoned
                .store(true, Ordering::Relaxed);
        }
        Err(error)
    }

    fn begin(&self) -> Result<u64> {
        let control = &self.store.data().control;
        if control.poisoned.load(Ordering::Relaxed) {
            let reason = self
                .poison
                .clone()
                .unwrap_or_else(|| "its call was cancelled".into());
            return Err(Error::Poisoned { reason });
        }
        if control.terminated.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        Ok(self.ticker.now().saturating_add(self.deadline_ticks))
    }

    /// The function, and the arguments in the interpreter's form.
    fn lower(&self, name: &str, params: &[Value]) -> Result<(Func, Vec<Val>, usize)> {
        let info = self.loaded.functions.named(name)?;
        let signature = &info.signature;
        if signature.params.len() != params.len() {
            let (expected, found) = (signature.params.len(), params.len());
            let kind = ValueErrorKind::Length { expected, found };
            return Err(Error::Value(crate::ValueError {
                path: String::new(),
                kind,
            }));
        }
        if signature
            .results
            .iter()
            .any(|ty| matches!(ty, Type::Unsupported(_)))
        {
            let reason = format!("`{signature}` has values that cannot cross the sandbox's border");
            return Err(Error::Signature {
                name: name.into(),
                reason,
            });
        }
        let values = params.iter().zip(&signature.params).map(|(value, param)| {
            to_val(value)
                .filter(|_| value.is(&param.ty))
                .ok_or_else(|| {
                    let (expected, found) =
                        (param.ty.to_string(), "a value of another type".into());
                    Error::Value(crate::ValueError {
                        path: String::new(),
                        kind: ValueErrorKind::Mismatch { expected, found },
                    })
                })
        });
        let values = values.collect::<Result<_>>()?;
        let func = self.instance.get_func(&self.store, name);
        let func = func.ok_or_else(|| Error::UnknownFunction { name: name.into() })?;
        Ok((func, values, signature.results.len()))
    }

    /// Calls, in slices of fuel.
    async fn call(
        &mut self,
        name: &str,
        params: &[Value],
        asynchronous: bool,
    ) -> Result<Vec<Value>> {
        let (func, params, results) = self.lower(name, params)?;
        let deadline = self.begin()?;
        let control = self.store.data().control.clone();
        let flight = Flight::begin(&control);
        let outcome = self
            .run(func, &params, results, deadline, asynchronous)
            .await;
        flight.finish();
        match outcome {
            Ok(results) => Ok(results.iter().filter_map(from_val).collect()),
            Err(error) => self.failed(error),
        }
    }

    async fn run(
        &mut self,
        func: Func,
        params: &[Val],
        results: usize,
        deadline: u64,
        asynchronous: bool,
    ) -> Result<Vec<Val>> {
        let mut results = vec![Val::I32(0); results];
        let mut slice = self.refuel(1)?;
        let mut call = func.call_resumable(&mut self.store, params, &mut results);
        loop {
            let left = self.store.get_fuel().map_err(classify)?;
            self.fuel_left = self.fuel_left.saturating_sub(slice.saturating_sub(left));
            let paused = match call {
                Ok(ResumableCall::Finished) => return Ok(results),
                Ok(ResumableCall::HostTrap(trap)) => return Err(classify(trap.into_host_error())),
                Ok(ResumableCall::OutOfFuel(paused)) => paused,
                Err(error) => return Err(classify(error)),
            };
            if self.store.data().control.terminated.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            if self.ticker.now() >= deadline {
                return Err(Error::exceeded(Limit::Deadline));
            }
            if asynchronous {
                yield_now().await;
            }
            slice = self.refuel(paused.required_fuel())?;
            call = paused.resume(&mut self.store, &mut results);
        }
    }

    /// Gives the interpreter its next slice, of at least `required`.
    fn refuel(&mut self, required: u64) -> Result<u64> {
        if required > self.fuel_left {
            return Err(Error::exceeded(Limit::Fuel));
        }
        let slice = SLICE.max(required).min(self.fuel_left);
        self.store.set_fuel(slice).map_err(classify)?;
        Ok(slice)
    }
}

const FUEL: Error = Error::Unsupported {
    runtime: NAME,
    operation: "fuel, unless `RuntimeConfig::fuel_metering` is set",
};

impl WasmInstance for WasmiInstance {
    fn state(&self) -> WasmInstanceState {
        self.gate.state()
    }

    fn memory_usage(&self) -> usize {
        self.gate.control.memory_bytes.load(Ordering::Relaxed)
    }

    fn fuel_usage(&self) -> Option<u64> {
        let inner = self.gate.enter().ok()?;
        let limit = inner.limits.fuel.unwrap_or(u64::MAX);
        inner.metered.then(|| limit.saturating_sub(inner.fuel_left))
    }

    fn reset_fuel(&self) -> Result<()> {
        let mut inner = self.gate.enter()?;
        if !inner.metered {
            return Err(FUEL);
        }
        inner.fuel_left = inner.limits.fuel.unwrap_or(u64::MAX);
        Ok(())
    }

    fn add_fuel(&self, fuel: u64) -> Result<()> {
        let mut inner = self.gate.enter()?;
        if !inner.metered {
            return Err(FUEL);
        }
        // What is added is a new allowance: usage is counted against the larger limit.
        if let Some(limit) = &mut inner.limits.fuel {
            *limit = limit.saturating_add(fuel);
        }
        inner.fuel_left = inner.fuel_left.saturating_add(fuel);
        Ok(())
    }

    unsafe fn memory_ptr(&self) -> Result<*mut u8> {
        let inner = self.gate.enter()?;
        inner
            .memory
            .map(|memory| memory.data_ptr(&inner.store))
            .ok_or(Error::NoMemory)
    }

    fn memory_size(&self) -> usize {
        match self.gate.enter().as_deref() {
            Ok(Inner {
                memory: Some(memory),
                store,
                ..
            }) => memory.data_size(store),
            _ => 0,
        }
    }

    fn function_caller(&self) -> Box<dyn WasmFunctionCaller> {
        Box::new(self.clone())
    }

    fn call_simple_function(&self, function_name: &str, params: &[i32]) -> Result<i32> {
        let signature = &self.loaded.functions.named(function_name)?.signature;
        let values = simple_values(function_name, signature, params)?;
        let results = now(self.gate.enter()?.call(function_name, &values, false))?;
        simple_result(&results).ok_or_else(|| Error::Signature {
            name: function_name.into(),
            reason: format!("`{signature}` does not answer with one integer"),
        })
    }

    fn guest_session(&self) -> BoxFuture<'_, Result<Box<dyn GuestSession + '_>>> {
        Box::pin(async move {
            let inner = self.gate.enter_async().await?;
            let memory = inner.memory.ok_or(Error::NoMemory)?;
            Ok(Session::boxed(Locked { inner, memory }))
        })
    }

    fn output(&self) -> Output {
        self.gate
            .enter()
            .map(|inner| inner.store.data().preview1.output())
            .unwrap_or_default()
    }

    fn drop_resource(&self, handle: ResourceHandle) -> Result<()> {
        Err(Error::UnknownResource { handle: handle.0 })
    }

    fn set_deadline(&self, deadline: Option<Duration>) -> Result<()> {
        let mut inner = self.gate.enter()?;
        inner.deadline_ticks =
            deadline.map_or(u64::MAX, |deadline| inner.ticker.ticks_in(deadline));
        inner.limits.deadline = deadline;
        Ok(())
    }

    fn refused_growth(&self) -> Option<Limit> {
        self.gate.enter().ok()?.store.data().growth.refused
    }

    fn methods_of(&self, handle: ResourceHandle) -> Result<Vec<Arc<str>>> {
        Err(Error::UnknownResource { handle: handle.0 })
    }

    fn terminate(&self) {
        self.gate.control.terminated.store(true, Ordering::Relaxed);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl WasmFunctionCaller for WasmiInstance {
    fn function(&self, name: &str) -> Result<FunctionInfo> {
        Ok(self.loaded.functions.named(name)?.clone())
    }

    fn call_blocking(&self, name: &str, params: &[Value]) -> Result<Vec<Value>> {
        now(self.gate.enter()?.call(name, params, false))
    }

    fn call<'a>(&'a self, name: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async move {
            self.gate
                .enter_async()
                .await?
                .call(name, params, true)
                .await
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The instance, locked, with its exported memory.
struct Locked<'a> {
    inner: Guard<'a, Inner>,
    memory: Memory,
}

impl Guest for Locked<'_> {
    fn bytes(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.inner.store)
    }

    async fn call(&mut self, name: &str, params: [i32; 2]) -> Result<Vec<Value>> {
        self.inner.call(name, &params.map(Value::S32), true).await
    }

    fn value_bytes(&self) -> usize {
        self.inner.limits.value_bytes
    }
}
