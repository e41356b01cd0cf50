//! What travels in the store: budgets, deadlines, WASI and resource handles.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::component::ResourceAny;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use super::error::Stop;
use super::wasi::Wasi;
use crate::control::{Control, Ticker};
use crate::value::ResourceHandle;
use crate::{Error, Limit, Result};

/// The data of a store.
pub(super) struct State {
    pub(super) budget: Budget,
    pub(super) control: Arc<Control>,
    pub(super) ticker: Arc<Ticker>,
    /// The tick at which the current call ends.
    pub(super) deadline: u64,
    /// Whether the current call may yield.
    pub(super) asynchronous: bool,
    pub(super) wasi: Option<Box<Wasi>>,
    pub(super) host_calls_left: u64,
    pub(super) handles: Handles,
}

impl State {
    /// What the epoch callback does at every tick.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.control.terminated.load(Ordering::Relaxed) {
            return Err(Stop::because(Error::Cancelled));
        }
        if self.ticker.now() >= self.deadline {
            return Err(Stop::because(Error::exceeded(Limit::Deadline)));
        }
        Ok(if self.asynchronous {
            UpdateDeadline::Yield(1)
        } else {
            UpdateDeadline::Continue(1)
        })
    }

    /// What the call hook does at every call of a host function.
    pub(super) fn count_host_call(&mut self) -> wasmtime::Result<()> {
        match self.host_calls_left.checked_sub(1) {
            Some(left) => {
                self.host_calls_left = left;
                Ok(())
            }
            None => Err(Stop::because(Error::exceeded(Limit::HostCalls))),
        }
    }
}

/// The instance's memory and table budgets, counted over all its memories and tables.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) control: Arc<Control>,
    pub(super) memory_bytes: usize,
    pub(super) table_elements: usize,
    pub(super) tables_used: usize,
    /// While instantiating, what does not fit is an error; later, `memory.grow` answers -1.
    pub(super) instantiating: bool,
    /// The limit that refused growth last.
    pub(super) refused: Option<Limit>,
}

impl Budget {
    fn refuse(&mut self, limit: Limit) -> wasmtime::Result<bool> {
        self.refused = Some(limit);
        if self.instantiating {
            Err(Stop::because(Error::exceeded(limit)))
        } else {
            Ok(false)
        }
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.control.memory_bytes.load(Ordering::Relaxed);
        let total = used.saturating_sub(current).saturating_add(desired);
        if total > self.memory_bytes {
            return self.refuse(Limit::Memory);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.control.memory_bytes.store(total, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self
            .tables_used
            .saturating_sub(current)
            .saturating_add(desired);
        if total > self.table_elements {
            return self.refuse(Limit::Tables);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.tables_used = total;
        Ok(true)
    }
}

/// The resources that the host holds, by handle.
#[derive(Default)]
pub(super) struct Handles {
    live: HashMap<u64, ResourceAny>,
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
