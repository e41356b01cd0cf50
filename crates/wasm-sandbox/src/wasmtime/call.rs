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
use crate::value::{ResourceHandle, Tape, Type, Value, ValueError, ValueErrorKind};
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

/// A short name as two words that may overlap, so that comparing it costs no call and follows no pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ShortName {
    len: usize,
    words: [u64; 2],
}

impl ShortName {
    /// The name, if it is not empty and has at most sixteen bytes.
    #[inline]
    fn of(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        let len = bytes.len();
        let words = if len > 16 {
            return None;
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            [first, last].map(|word| u64::from_le_bytes(*word))
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            [first, last].map(|half| u32::from_le_bytes(*half).into())
        } else {
            let (first, last) = (bytes.first()?, bytes.last()?);
            let pair = u16::from_le_bytes([*first, *last]);
            [pair.into(), bytes[len / 2].into()]
        };
        Some(Self { len, words })
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
        state.asynchronous = asynchronous;
        // Within one tick everything stands where the previous call, or its epoch callback, put it.
        let now = state.ticker.now();
        if self.tick != now {
            self.tick = now;
            state.deadline = now.saturating_add(self.deadline_ticks);
            state.host_calls.begin(now);
            self.store.set_epoch_deadline(1);
        }
        Ok(())
    }

    /// The index of a function; the one called last is found by one comparison.
    #[inline]
    fn index(&mut self, name: &str) -> Result<usize> {
        let short = ShortName::of(name);
        if short.is_some_and(|name| name == self.last_name) {
            return Ok(self.last);
        }
        self.last = self.loaded.functions.find(name)?;
        self.last_name = short.unwrap_or_default();
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
                Ok(Results(results)) => self.values(index, &results),
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
                    .map(|Results(results)| Returned::Plain(results))
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
            Ok(Returned::Plain(results)) => self.values(index, &results),
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
        params: Tape,
    ) -> Result<Tape> {
        self.begin(true)?;
        let flight = Flight::begin(control);
        let outcome = func.call_async(&mut self.store, Arguments(params)).await;
        flight.finish();
        match outcome {
            Ok(Results(results)) => Ok(results),
            Err(error) => self.fail(error),
        }
    }

    /// The results on a tape as values.
    fn values(&self, index: usize, tape: &Tape) -> Result<Vec<Value>> {
        let mut reader = tape.reader();
        let types = self.loaded.functions[index].signature.results.iter();
        let values = types.map(|ty| reader.value(ty));
        Ok(values.collect::<Result<_, ValueError>>()?)
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
                let tape = Tape::of_arguments(&params, &signature.params)?;
                Ok(Call::Plain(func, Arguments(tape)))
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
    Plain(Tape),
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

#[cfg(test)]
mod tests {
    use super::ShortName;

    #[test]
    fn short_names_are_told_apart_by_every_byte_and_by_their_length() {
        let text = "abcdefghijklmnopq";
        let mut known = Vec::new();
        for len in 1..=16 {
            let name = &text[..len];
            let short = ShortName::of(name).expect("it is short");
            for at in 0..len {
                let mut other = name.as_bytes().to_vec();
                other[at] ^= 1;
                let other = String::from_utf8(other).expect("ASCII");
                assert_ne!(ShortName::of(&other), Some(short), "{name} and {other}");
            }
            assert!(!known.contains(&short) && short != ShortName::default());
            known.push(short);
        }
        assert_eq!((ShortName::of(""), ShortName::of(text)), (None, None));
    }
}
