//! What travels in the store: budgets, deadlines, WASI and resource handles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::component::ResourceAny;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use super::error::Stop;
use super::wasi::Wasi;
use crate::control::{Control, Ticker};
use crate::limits::Growth;
use crate::value::ResourceHandle;
use crate::{Error, Limit, Result};

/// The data of a store.
pub(super) struct State {
    pub(super) growth: Growth,
    /// Whether the instance is still being made.
    pub(super) instantiating: bool,
    pub(super) control: Arc<Control>,
    pub(super) ticker: Arc<Ticker>,
    /// The tick at which the current call ends.
    pub(super) deadline: u64,
    /// Whether the current call may yield.
    pub(super) asynchronous: bool,
    pub(super) wasi: Option<Box<Wasi>>,
    pub(super) host_calls: HostCalls,
    pub(super) handles: Handles,
}

impl State {
    /// What the epoch callback does at every tick.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = self.ticker.now();
        self.host_calls.ticked(now);
        if self.control.terminated.load(Ordering::Relaxed) {
            return Err(Stop::because(Error::Cancelled));
        }
        if now >= self.deadline {
            return Err(Stop::because(Error::exceeded(Limit::Deadline)));
        }
        Ok(if self.asynchronous {
            UpdateDeadline::Yield(1)
        } else {
            UpdateDeadline::Continue(1)
        })
    }

    /// What the call hook does at every call that leaves the guest.
    pub(super) fn left_guest(&mut self) -> wasmtime::Result<()> {
        let now = self.ticker.now();
        self.host_calls.left_guest(now).map_err(Stop::because)
    }
}

/// The budget of host calls.
///
/// Our own host functions count themselves. WASI's cannot, so an instance that has WASI is counted by
/// wasmtime's call hook, which sees every call that leaves the guest: those of the engine's own
/// functions as well, and among them, at every tick, that of the epoch callback. The callback gives back
/// what its own call took. When nothing is left, a call is let through on credit if it may be the
/// callback's; the callback pays the credit back, our own functions refuse to be called on it, and a
/// second call finds it spent. So time never uses up the budget, and what goes beyond it is at most one
/// call of WASI.
#[derive(Debug)]
pub(super) struct HostCalls {
    left: u64,
    hooked: bool,
    on_credit: bool,
    /// The tick that the callback saw last, or at which the call began.
    seen: u64,
}

impl HostCalls {
    /// A budget of `limit` calls, counted by the hook or by the functions themselves.
    pub(super) fn new(limit: Option<u64>, hooked: bool) -> Self {
        Self {
            left: limit.unwrap_or(u64::MAX),
            hooked,
            on_credit: false,
            seen: 0,
        }
    }

    /// Begins a call into the guest.
    #[inline]
    pub(super) fn begin(&mut self, now: u64) {
        self.seen = now;
    }

    /// Counts a call of one of our own functions.
    pub(super) fn called(&mut self) -> Result<()> {
        match self.hooked {
            true if self.on_credit => Err(Error::exceeded(Limit::HostCalls)),
            true => Ok(()),
            false => self.take(),
        }
    }

    fn take(&mut self) -> Result<()> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| Error::exceeded(Limit::HostCalls))?;
        Ok(())
    }

    fn left_guest(&mut self, now: u64) -> Result<()> {
        let may_be_the_callback = now > self.seen && !self.on_credit;
        match self.take() {
            Err(_) if may_be_the_callback => {
                self.on_credit = true;
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn ticked(&mut self, now: u64) {
        self.seen = now;
        if self.hooked && !std::mem::take(&mut self.on_credit) {
            self.left = self.left.saturating_add(1);
        }
    }
}

impl State {
    /// While instantiating, what is refused is an error; later, `memory.grow` answers -1.
    fn grown(&self, answer: Result<bool, Limit>) -> wasmtime::Result<bool> {
        match answer {
            Err(limit) if self.instantiating => Err(Stop::because(Error::exceeded(limit))),
            answer => Ok(answer.unwrap_or(false)),
        }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let answer = self.growth.memory(current, desired, maximum);
        self.grown(answer)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let answer = self.growth.table(current, desired, maximum);
        self.grown(answer)
    }
}

/// The resources that the host holds, by handle.
#[derive(Default)]
pub(super) struct Handles {
    live: BTreeMap<u64, ResourceAny>,
    next: u64,
    max: usize,
}

impl Handles {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    pub(super) fn insert(&mut self, resource: ResourceAny) -> Result<ResourceHandle> {
        if self.live.len() >= self.max {
            return Err(Error::exceeded(Limit::Resources));
        }
        self.next += 1;
        self.live.insert(self.next, resource);
        Ok(ResourceHandle(self.next))
    }

    pub(super) fn get(&self, handle: ResourceHandle) -> Result<ResourceAny> {
        self.live
            .get(&handle.0)
            .copied()
            .ok_or(Error::UnknownResource { handle: handle.0 })
    }

    pub(super) fn remove(&mut self, handle: ResourceHandle) -> Result<ResourceAny> {
        self.live
            .remove(&handle.0)
            .ok_or(Error::UnknownResource { handle: handle.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::HostCalls;

    #[test]
    fn time_does_not_use_up_the_budget() {
        let mut calls = HostCalls::new(Some(1), true);
        calls.begin(0);
        for tick in 1..100 {
            calls.left_guest(tick).expect("it is the callback");
            calls.ticked(tick);
        }
        calls.left_guest(99).expect("the one call there is");
        calls.called().expect("it is counted already");
        for tick in 100..200 {
            calls.left_guest(tick).expect("it is the callback");
            calls.ticked(tick);
        }
        calls
            .left_guest(199)
            .expect_err("nothing is left, no tick is due");
    }

    #[test]
    fn credit_is_given_once_and_not_to_our_own_functions() {
        let mut calls = HostCalls::new(Some(0), true);
        calls.begin(0);
        calls.left_guest(1).expect("it may be the callback");
        calls.called().expect_err("it was not");
        calls.left_guest(2).expect_err("the credit is spent");
    }

    #[test]
    fn without_the_hook_our_own_functions_count() {
        let mut calls = HostCalls::new(Some(2), false);
        calls.begin(0);
        calls.called().expect("the first");
        calls.ticked(1);
        calls.called().expect("the second");
        calls.called().expect_err("there is no third");
    }
}
