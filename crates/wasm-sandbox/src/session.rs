//! Exclusive access to an instance's memory, on top of what a backend says about its locked instance.

use wasm_memory::host::GuestMemory;
use wasm_memory::{ALLOC_EXPORT, FREE_EXPORT, MemoryError};

use crate::value::Value;
use crate::{BoxFuture, Error, GuestSession, Result};

/// A locked instance with its exported memory: all that differs between backends.
pub(crate) trait Guest: Send {
    /// The memory's bytes as they are now.
    fn bytes(&mut self) -> &mut [u8];

    /// Calls a function of two integers.
    fn call(
        &mut self,
        name: &str,
        params: [i32; 2],
    ) -> impl Future<Output = Result<Vec<Value>>> + Send;

    /// The most bytes that an answer may have.
    fn value_bytes(&self) -> usize;
}

/// The session that every backend hands out.
pub(crate) struct Session<G> {
    guest: G,
    error: Option<Error>,
}

impl<'g, G: Guest + 'g> Session<G> {
    /// The session as its users hold it.
    pub(crate) fn boxed(guest: G) -> Box<dyn GuestSession + 'g> {
        Box::new(Self { guest, error: None })
    }
}

impl<G: Guest> Session<G> {
    /// Calls one of the memory ABI's own functions.
    async fn call(&mut self, name: &'static str, params: [u32; 2]) -> wasm_memory::Result<i32> {
        match self.guest.call(name, params.map(u32::cast_signed)).await {
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
impl<G: Guest> GuestMemory for Session<G> {
    fn bytes(&mut self) -> &mut [u8] {
        self.guest.bytes()
    }

    async fn call_alloc(&mut self, len: u32, align: u32) -> wasm_memory::Result<u32> {
        Ok(self.call(ALLOC_EXPORT, [len, align]).await?.cast_unsigned())
    }

    async fn call_free(&mut self, ptr: u32, len: u32) -> wasm_memory::Result<i32> {
        self.call(FREE_EXPORT, [ptr, len]).await
    }
}

impl<G: Guest> GuestSession for Session<G> {
    fn call_packed<'a>(
        &'a mut self,
        name: &'a str,
        ptr: u32,
        len: u32,
    ) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            let params = [ptr, len].map(u32::cast_signed);
            match self.guest.call(name, params).await?.as_slice() {
                [Value::S64(answer)] => Ok(answer.cast_unsigned()),
                _ => Err(Error::Signature {
                    name: name.into(),
                    reason: "it does not answer with one i64".into(),
                }),
            }
        })
    }

    fn value_bytes(&self) -> usize {
        self.guest.value_bytes()
    }

    fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }
}
