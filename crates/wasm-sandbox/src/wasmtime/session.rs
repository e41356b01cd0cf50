//! Exclusive access to a core instance's memory.

use wasmtime::Memory;

use super::instance::Inner;
use crate::lock::Guard;
use crate::session::Guest;
use crate::value::Value;
use crate::{Error, Result};

/// The instance, locked, with its exported memory.
pub(super) struct Locked<'a> {
    inner: Guard<'a, Inner>,
    memory: Memory,
}

impl<'a> Locked<'a> {
    pub(super) fn new(mut inner: Guard<'a, Inner>) -> Result<Self> {
        let memory = inner.memory().ok_or(Error::NoMemory)?;
        Ok(Self { inner, memory })
    }
}

impl Guest for Locked<'_> {
    fn bytes(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.inner.store)
    }

    async fn call(&mut self, name: &str, params: [i32; 2]) -> Result<Vec<Value>> {
        self.inner.call(name, params.map(Value::S32).to_vec()).await
    }

    fn value_bytes(&self) -> usize {
        self.inner.limits.value_bytes
    }
}
