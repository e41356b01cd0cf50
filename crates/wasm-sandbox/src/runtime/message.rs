//! Calls of message functions through the memory ABI, the same for every runtime.

use wasm_memory::host::{AsyncMemoryController, HostController};
use wasm_memory::{MemoryError, message};

use super::WasmInstance;
use crate::{Error, Limit, Result};

/// Calls a core function that takes and returns bytes: allocates, writes, calls, reads, frees.
///
/// ```
/// use wasm_sandbox::runtime::call_message;
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, create_runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// // It answers with the very message it was given.
/// let wasm = wat::parse_str(r#"(module
///     (memory (export "memory") 1)
///     (func (export "__alloc") (param i32 i32) (result i32) (i32.const 1024))
///     (func (export "__free") (param i32 i32) (result i32) (i32.const 0))
///     (func (export "echo") (param i32 i32) (result i64)
///       (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
///     (@custom "wasm-memory.messages" "echo=raw\n"))"#)?;
/// let module = runtime.load_module(&wasm)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// assert_eq!(call_message(instance.as_ref(), "echo", b"bytes").await?, b"bytes");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// What the guest failed with, or how it broke the memory ABI.
pub async fn call_message<I: WasmInstance + ?Sized>(
    instance: &I,
    name: &str,
    payload: &[u8],
) -> Result<Vec<u8>> {
    let session = instance.guest_session().await?;
    let value_bytes = session.value_bytes();
    let mut memory = HostController::new(session);
    let outcome = exchange(&mut memory, name, payload, value_bytes).await;
    match (outcome, memory.guest().take_error()) {
        // The guest's own failure says more than the step of the exchange it happened in.
        (Err(Error::Memory(MemoryError::GuestFailed { .. })), Some(error)) => Err(error),
        (outcome, _) => outcome,
    }
}

async fn exchange(
    memory: &mut HostController<Box<dyn super::GuestSession + '_>>,
    name: &str,
    payload: &[u8],
    value_bytes: usize,
) -> Result<Vec<u8>> {
    let too_long = |_| {
        Error::Memory(MemoryError::OutOfMemory {
            len: u32::MAX,
            align: 1,
        })
    };
    let len = u32::try_from(payload.len()).map_err(too_long)?;
    let ptr = memory.alloc(len, 1).await?;
    memory.mut_mem(ptr, len)?.copy_from_slice(payload);
    let answer = memory.guest().call_packed(name, ptr, len).await?;
    // A guest may answer in place; the region is then freed once, as the answer.
    let region = message::unpack(answer);
    if region.len as usize > value_bytes {
        return Err(Error::exceeded(Limit::ValueBytes));
    }
    if (region.ptr, region.len) == (ptr, len) {
        let bytes = memory.mut_mem(ptr, len)?.to_vec();
        memory.free(ptr, len).await?;
        return Ok(bytes);
    }
    memory.free(ptr, len).await?;
    memory.adopt(region)?;
    let bytes = memory.mut_mem(region.ptr, region.len)?.to_vec();
    memory.free(region.ptr, region.len).await?;
    Ok(bytes)
}
