//! Calling into the guest.
//!
//! # Invariants
//!
//! - A call begins by setting the deadline and ends by poisoning the instance if it failed fatally.
//! - A future dropped in mid-call poisons the instance ([`Flight`]): its guest never runs again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use wasmtime::component::{Func as ComponentFunc, ResourceAny, Type as ComponentType, Val};
use wasmtime::{AsContextMut, Func, TypedFunc, Val as CoreVal};

use super::canonical::{Arguments, PlainFunc, Results, plain};
use super::convert::{self, Resources};
use super::error::classify;
use super::instance::{Body, Inner};
use super::module::Code;
use super::state::Handles;
use crate::control::{Control, Flight, block_on};
use crate::simple::{simple_result, simple_values};
use crate::value::{ResourceHandle, Type, Value, ValueError, ValueErrorKind};
use crate::{Error, Limit, Result};

/// An exported function.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Core(Func),
    /// A component's function whose values go straight to the canonical ABI.
    Plain(PlainFunc),
    /// A component's function that exchanges resources.
    Component(ComponentFunc),
}

/// A function as `call_simple_function` calls it: without allocation or lookup.
pub(super) enum Simple {
    None0(TypedFunc<(), ()>),
    None1(TypedFunc<i32, ()>),
    Int0(TypedFunc<(), i32>),
    Int1(TypedFunc<i32, i32>),
    Int2(TypedFunc<(i32, i32), i32>),
    Int3(TypedFunc<(i32, i32, i32), i32>),
    Int4(TypedFunc<(i32, i32, i32, i32), i32>),
    /// By its values.
    Other,
}

/// What ended a driven future.
pub(super) enum Ended {
    Guest(wasmtime::Error),
    Deadline,
}

/// Drives a guest's future: within the worker's tokio context, and no longer than the deadline, when
/// the guest may wait for WASI; as it is when it cannot.
pub(super) async fn driven<T>(
    worker: Option<tokio::runtime::Handle>,
    deadline: Option<Duration>,
    future: impl Future<Output = wasmtime::Result<T>> + Send,
) -> Result<T, Ended> {
    let Some(worker) = worker else {
        return future.await.map_err(Ended::Guest);
    };
    let bounded = {
        let _entered = worker.enter();
        // Epochs only bound a guest that executes; this one also bounds waiting. One tick later, so
        // that a guest which executes is stopped by its epoch.
        deadline
            .map(|deadline| tokio::time::sleep(deadline.saturating_add(Duration::from_millis(10))))
    };
    let within = Within {
        worker,
        future: std::pin::pin!(future),
    };
    match bounded {
        None => within.await.map_err(Ended::Guest),
        Some(sleep) => {
            tokio::select! {
                biased;
                outcome = within => outcome.map_err(Ended::Guest),
                () = sleep => Err(Ended::Deadline),
            }
        }
    }
}

/// Polls a future within a tokio context.
struct Within<'a, F> {
    worker: tokio::runtime::Handle,
    future: Pin<&'a mut F>,
}

impl<F: Future> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = this.worker.enter();
        this.future.as_mut().poll(context)
    }
}

impl Inner {
    fn poison(&mut self, reason: &str) {
        if self.poison.is_none() {
            self.poison = Some(reason.into());
            self.store
                .data()
                .control
                .poisoned
                .store(true, Ordering::Relaxed);
        }
    }

    /// Sorts an error and poisons the instance if it is fatal.
    #[cold]
    pub(super) fn fail<T>(&mut self, error: wasmtime::Error) -> Result<T> {
        self.failed(classify(error))
    }

    #[cold]
    pub(super) fn failed<T>(&mut self, error: Error) -> Result<T> {
        if error.is_fatal() {
            self.poison(&error.to_string());
        }
        Err(error)
    }

    #[cold]
    fn dead(&self) -> Error {
        let reason = self
            .poison
            .clone()
            .unwrap_or_else(|| "its call was cancelled".into());
        Error::Poisoned { reason }
    }

    /// The executor of WASI, when the guest has that.
    fn worker(&self) -> Result<Option<tokio::runtime::Handle>> {
        self.loaded.wasi.then(|| self.shared.worker()).transpose()
    }

    /// Opens a call: refuses a dead instance, and sets the deadline.
    #[inline]
    fn begin(&mut self, asynchronous: bool) -> Result<()> {
        let state = self.store.data_mut();
        if state.control.poisoned.load(Ordering::Relaxed) {
            return Err(self.dead());
        }
        if state.control.terminated.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let now = state.ticker.now();
        state.deadline = now.saturating_add(self.deadline_ticks);
        state.host_calls.begin(now);
        state.asynchronous = asynchronous;
        self.store.set_epoch_deadline(1);
        Ok(())
    }

    /// The index of a function; the one called last is found by one comparison.
    #[inline]
    fn index(&mut self, name: &str) -> Result<usize> {
        if let Some(function) = self.loaded.functions.get(self.last)
            && *function.name == *name
        {
            return Ok(self.last);
        }
        self.last = self.loaded.functions.find(name)?;
        Ok(self.last)
    }

    fn target(&mut self, index: usize) -> Result<Target> {
        if self.targets.len() <= index {
            self.targets.resize(index + 1, None);
        }
        if let Some(target) = self.targets[index] {
            return Ok(target);
        }
        let name = &self.loaded.functions[index].name;
        let target = match (&self.body, &self.loaded.code) {
            (Body::Component(instance), Code::Component(_, exports)) => {
                let export = &exports[index];
                let func = instance.get_func(&mut self.store, export.index);
                func.map(|func| match export.plain {
                    true => Target::Plain(plain(func)),
                    false => Target::Component(func),
                })
            }
            (Body::Core(instance), _) => instance.get_func(&mut self.store, name).map(Target::Core),
            (Body::Component(_), Code::Core(_)) => None,
        };
        let target = target.ok_or_else(|| Error::UnknownFunction {
            name: (**name).into(),
        })?;
        self.targets[index] = Some(target);
        Ok(target)
    }

    #[cold]
    fn resolve_simple(&mut self, index: usize) -> Result<()> {
        if self.simple.len() <= index {
            self.simple.resize_with(index + 1, || None);
        }
        let target = self.target(index)?;
        let simple = match target {
            Target::Core(func) if !self.on_fiber => {
                let store = &self.store;
                let ty = func.ty(store);
                let all_ints = ty.params().chain(ty.results()).all(|ty| ty.is_i32());
                let typed = match (ty.params().len(), ty.results().len()) {
                    _ if !all_ints => Ok(Simple::Other),
                    (0, 0) => func.typed(store).map(Simple::None0),
                    (1, 0) => func.typed(store).map(Simple::None1),
                    (0, 1) => func.typed(store).map(Simple::Int0),
                    (1, 1) => func.typed(store).map(Simple::Int1),
                    (2, 1) => func.typed(store).map(Simple::Int2),
                    (3, 1) => func.typed(store).map(Simple::Int3),
                    (4, 1) => func.typed(store).map(Simple::Int4),
                    _ => Ok(Simple::Other),
                };
                typed.unwrap_or(Simple::Other)
            }
            _ => Simple::Other,
        };
        self.simple[index] = Some(simple);
        Ok(())
    }

    /// Calls a function of integers.
    #[inline]
    pub(super) fn simple(&mut self, name: &str, params: &[i32]) -> Result<i32> {
        let index = self.index(name)?;
        if !matches!(self.simple.get(index), Some(Some(_))) {
            self.resolve_simple(index)?;
        }
        self.begin(false)?;
        let store = &mut self.store;
        let outcome = match (self.simple[index].as_ref(), params) {
            (Some(Simple::Int2(func)), &[a, b]) => func.call(store, (a, b)),
            (Some(Simple::Int1(func)), &[a]) => func.call(store, a),
            (Some(Simple::Int0(func)), []) => func.call(store, ()),
            (Some(Simple::Int3(func)), &[a, b, c]) => func.call(store, (a, b, c)),
            (Some(Simple::Int4(func)), &[a, b, c, d]) => func.call(store, (a, b, c, d)),
            (Some(Simple::None0(func)), []) => func.call(store, ()).map(|()| 0),
            (Some(Simple::None1(func)), &[a]) => func.call(store, a).map(|()| 0),
            _ => return self.simple_by_value(index, params),
        };
        match outcome {
            Ok(value) => Ok(value),
            Err(error) => self.fail(error),
        }
    }

    fn simple_by_value(&mut self, index: usize, params: &[i32]) -> Result<i32> {
        let signature = self.loaded.functions[index].signature.clone();
        let name = self.loaded.functions[index].name.clone();
        let values = simple_values(&name, &signature, params)?;
        let results = self.call_blocking(&name, values)?;
        simple_result(&results).ok_or_else(|| Error::Signature {
            name: (*name).into(),
            reason: format!("`{signature}` does not answer with one integer"),
        })
    }

    /// Calls with values, blocking.
    pub(super) fn call_blocking(&mut self, name: &str, params: Vec<Value>) -> Result<Vec<Value>> {
        let index = self.index(name)?;
        if self.on_fiber {
            return block_on(self.call_index(index, params, false));
        }
        let call = self.lower(index, params)?;
        self.begin(false)?;
        match call {
            Call::Core(func, params, mut results) => {
                match func.call(&mut self.store, &params, &mut results) {
                    Ok(()) => self.lift_core(index, &results),
                    Err(error) => self.fail(error),
                }
            }
            Call::Plain(func, params) => match func.call(&mut self.store, params) {
                Ok(Results(result)) => Ok(Vec::from_iter(result)),
                Err(error) => self.fail(error),
            },
            Call::Component(func, params, mut results) => {
                match func.call(&mut self.store, &params, &mut results) {
                    Ok(()) => self.lift(index, results),
                    Err(error) => self.fail(error),
                }
            }
        }
    }

    /// Calls with values.
    pub(super) async fn call(&mut self, name: &str, params: Vec<Value>) -> Result<Vec<Value>> {
        let index = self.index(name)?;
        self.call_index(index, params, true).await
    }

    /// Calls the function of this index with values. `yielding` says whether an executor wants its
    /// thread back at every tick; a thread that is blocked on this call does not, and so the guest is
    /// only ever pending while it waits for the host.
    pub(super) async fn call_index(
        &mut self,
        index: usize,
        params: Vec<Value>,
        yielding: bool,
    ) -> Result<Vec<Value>> {
        let call = self.lower(index, params)?;
        self.begin(yielding)?;
        let worker = self.worker()?;
        let deadline = self.limits.deadline;
        let control = self.store.data().control.clone();
        let flight = Flight::begin(&control);
        let outcome = match call {
            Call::Core(func, params, mut results) => {
                let future = func.call_async(&mut self.store, &params, &mut results);
                driven(worker, deadline, future)
                    .await
                    .map(|()| Returned::Core(results))
            }
            Call::Plain(func, params) => {
                let future = func.call_async(&mut self.store, params);
                driven(worker, deadline, future)
                    .await
                    .map(|Results(result)| Returned::Plain(result))
            }
            Call::Component(func, params, mut results) => {
                let future = func.call_async(&mut self.store, &params, &mut results);
                driven(worker, deadline, future)
                    .await
                    .map(|()| Returned::Component(results))
            }
        };
        flight.finish();
        match outcome {
            Ok(Returned::Core(results)) => self.lift_core(index, &results),
            Ok(Returned::Plain(result)) => Ok(Vec::from_iter(result)),
            Ok(Returned::Component(results)) => self.lift(index, results),
            Err(Ended::Guest(error)) => self.fail(error),
            Err(Ended::Deadline) => self.failed(Error::exceeded(Limit::Deadline)),
        }
    }

    /// The function of this index when calling it takes nothing but the guest: its values go straight to
    /// the canonical ABI, and it never waits for WASI.
    pub(super) fn plain(&mut self, index: usize) -> Result<Option<PlainFunc>> {
        Ok(match self.target(index)? {
            Target::Plain(func) if !self.loaded.wasi => Some(func),
            _ => None,
        })
    }

    /// Calls such a function with arguments that are known to be of its types.
    pub(super) async fn call_plain(
        &mut self,
        control: &Control,
        func: PlainFunc,
        params: Vec<Value>,
    ) -> Result<Option<Value>> {
        self.begin(true)?;
        let flight = Flight::begin(control);
        let outcome = func.call_async(&mut self.store, Arguments(params)).await;
        flight.finish();
        match outcome {
            Ok(Results(result)) => Ok(result),
            Err(error) => self.fail(error),
        }
    }

    /// The arguments in wasmtime's form, with room for the results.
    fn lower(&mut self, index: usize, params: Vec<Value>) -> Result<Call> {
        let target = self.target(index)?;
        let signature = &*self.loaded.functions[index].signature;
        if signature.params.len() != params.len() {
            let (expected, found) = (signature.params.len(), params.len());
            let kind = ValueErrorKind::Length { expected, found };
            return Err(Error::Value(ValueError {
                path: String::new(),
                kind,
            }));
        }
        if signature
            .results
            .iter()
            .any(|ty| matches!(ty, Type::Unsupported(_)))
        {
            return Err(Error::Signature {
                name: (*self.loaded.functions[index].name).into(),
                reason: format!("`{signature}` has values that cannot cross the sandbox's border"),
            });
        }
        let results = signature.results.len();
        match target {
            Target::Core(func) => {
                let typed = params.iter().zip(&signature.params);
                let values = typed.map(|(value, param)| match convert::to_core(value) {
                    Some(lowered) if value.is(&param.ty) => Ok(lowered),
                    _ => Err(convert::mismatch(&param.ty)),
                });
                Ok(Call::Core(
                    func,
                    values.collect::<Result<_>>()?,
                    vec![CoreVal::I32(0); results],
                ))
            }
            Target::Plain(func) => {
                let typed = params.iter().zip(&signature.params);
                for (value, param) in typed {
                    if !value.is(&param.ty) {
                        return Err(convert::mismatch(&param.ty));
                    }
                }
                Ok(Call::Plain(func, Arguments(params)))
            }
            Target::Component(func) => {
                let handles = &mut self.store.data_mut().handles;
                // Owned handles leave the table only when all arguments are known to be right.
                let mut owned = Vec::new();
                let mut lowering = Lowering {
                    handles,
                    owned: &mut owned,
                };
                let typed = params.into_iter().zip(&signature.params);
                let values = typed
                    .map(|(value, param)| convert::to_val(value, &param.ty, &mut lowering))
                    .collect::<Result<_>>()?;
                for handle in owned {
                    handles.remove(handle)?;
                }
                Ok(Call::Component(
                    func,
                    values,
                    vec![Val::Bool(false); results],
                ))
            }
        }
    }

    fn lift_core(&mut self, index: usize, results: &[CoreVal]) -> Result<Vec<Value>> {
        let values = results
            .iter()
            .map(convert::from_core)
            .collect::<Option<_>>();
        values.ok_or_else(|| Error::UnknownFunction {
            name: (*self.loaded.functions[index].name).into(),
        })
    }

    fn lift(&mut self, index: usize, results: Vec<Val>) -> Result<Vec<Value>> {
        let signature = self.loaded.functions[index].signature.clone();
        let mut lifting = Lifting {
            handles: &mut self.store.data_mut().handles,
        };
        let typed = results.into_iter().zip(&signature.results);
        let values = typed
            .map(|(value, ty)| convert::from_val(value, ty, &mut lifting))
            .collect();
        match values {
            Ok(values) => Ok(values),
            Err(error) => self.failed(error),
        }
    }

    /// The exported functions whose first parameter is this very resource type. Resource types are only
    /// distinct in an instance, so its types are asked, not the component's.
    pub(super) fn methods_of(&mut self, handle: ResourceHandle) -> Result<Vec<Arc<str>>> {
        let receiver = self.store.data().handles.get(handle)?.ty();
        let mut methods = Vec::new();
        for index in 0..self.loaded.functions.len() {
            let name = &self.loaded.functions[index].name;
            let (Body::Component(instance), Code::Component(_, exports)) =
                (&self.body, &self.loaded.code)
            else {
                continue;
            };
            if !name.contains("[method]") {
                continue;
            }
            let Some(func) = instance.get_func(&mut self.store, exports[index].index) else {
                continue;
            };
            let first = func.ty(&self.store).params().next().map(|(_, ty)| ty);
            if matches!(first, Some(ComponentType::Borrow(ty) | ComponentType::Own(ty)) if ty == receiver)
            {
                methods.push(name.clone());
            }
        }
        Ok(methods)
    }

    pub(super) fn drop_resource(&mut self, handle: ResourceHandle) -> Result<()> {
        self.begin(false)?;
        let resource = self.store.data_mut().handles.remove(handle)?;
        let outcome = if self.on_fiber {
            let worker = self.worker()?;
            let deadline = self.limits.deadline;
            let future = resource.resource_drop_async(&mut self.store);
            match block_on(driven(worker, deadline, future)) {
                Ok(()) => Ok(()),
                Err(Ended::Guest(error)) => Err(error),
                Err(Ended::Deadline) => {
                    return self.failed(Error::exceeded(Limit::Deadline));
                }
            }
        } else {
            resource.resource_drop(self.store.as_context_mut())
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error),
        }
    }
}

enum Call {
    Core(Func, Vec<CoreVal>, Vec<CoreVal>),
    Plain(PlainFunc, Arguments),
    Component(ComponentFunc, Vec<Val>, Vec<Val>),
}

enum Returned {
    Core(Vec<CoreVal>),
    Plain(Option<Value>),
    Component(Vec<Val>),
}

struct Lowering<'a> {
    handles: &'a Handles,
    owned: &'a mut Vec<ResourceHandle>,
}

impl Resources for Lowering<'_> {
    fn lower(&mut self, handle: ResourceHandle, owned: bool) -> Result<ResourceAny> {
        if owned {
            if self.owned.contains(&handle) {
                return Err(Error::UnknownResource { handle: handle.0 });
            }
            self.owned.push(handle);
        }
        self.handles.get(handle)
    }

    fn lift(&mut self, _: ResourceAny) -> Result<ResourceHandle> {
        Err(Error::Unsupported {
            runtime: super::runtime::NAME,
            operation: "lifting while lowering",
        })
    }
}

struct Lifting<'a> {
    handles: &'a mut Handles,
}

impl Resources for Lifting<'_> {
    fn lower(&mut self, handle: ResourceHandle, _: bool) -> Result<ResourceAny> {
        self.handles.get(handle)
    }

    fn lift(&mut self, resource: ResourceAny) -> Result<ResourceHandle> {
        self.handles.insert(resource)
    }
}
