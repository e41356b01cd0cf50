//! Exclusive access to a core instance's memory.

use async_lock::MutexGuard;
use wasm_memory::host::GuestMemory;
use wasm_memory::{ALLOC_EXPORT, FREE_EXPORT, MemoryError};
use wasmtime::Memory;

use super::instance::Inner;
use crate::value::Value;
use crate::{BoxFuture, Error, GuestSession, Result};

/// The instance, locked, with its exported memory.
pub(super) struct Session<'a> {
    inner: MutexGuard<'a, Inner>,
    memory: Memory,
    error: Option<Error>,
}

impl<'a> Session<'a> {
    pub(super) fn new(mut inner: MutexGuard<'a, Inner>) -> Result<Self> {
        let memory = inner.memory().ok_or(Error::NoMemory)?;
        Ok(Self {
            inner,
            memory,
            error: None,
        })
    }

    async fn call(&mut self, name: &'static str, params: [i32; 2]) -> wasm_memory::Result<i32> {
        match self.inner.call(name, params.map(Value::S32).to_vec()).await {
            Ok(results) => match results.as_slice() {
                [Value::S32(answer)] => Ok(*answer),
                _ => Err(MemoryError::MissingExport { name }),
            },
            Err(Error::UnknownFunction { .. } | Error::Value(_)) => {
                Err(MemoryError::MissingExport { name })
            }
            Err(error) => {
                let reason = error.to_string();
                self.error = Some(error);
                Err(MemoryError::GuestFailed { reason })
            }
        }
    }
}

#[async_trait::async_trait]
impl GuestMemory for Session<'_> {
    fn bytes(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.inner.store)
    }

    async fn call_alloc(&mut self, len: u32, align: u32) -> wasm_memory::Result<u32> {
        Ok(self
            .call(ALLOC_EXPORT, [len.cast_signed(), align.cast_signed()])
            .await?
            .cast_unsigned())
    }

    async fn call_free(&mut self, ptr: u32, len: u32) -> wasm_memory::Result<i32> {
        self.call(FREE_EXPORT, [ptr.cast_signed(), len.cast_signed()])
            .await
    }
}

impl GuestSession for Session<'_> {
    fn call_packed<'a>(
        &'a mut self,
        name: &'a str,
        ptr: u32,
        len: u32,
    ) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            let params = [ptr, len].map(|number| Value::S32(number.cast_signed()));
            match self.inner.call(name, params.to_vec()).await?.as_slice() {
                [Value::S64(answer)] => Ok(answer.cast_unsigned()),
                _ => Err(Error::Signature {
                    name: name.into(),
                    reason: "it does not answer with one i64".into(),
                }),
            }
        })
    }

    fn value_bytes(&self) -> usize {
        self.inner.limits.value_bytes
    }

    fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }
}
