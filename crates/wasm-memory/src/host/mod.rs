//! The host's half: a controller over a running instance whose guest is not trusted.
//!
//! [`GuestMemory`] is what an engine offers: the bytes, and calls of the two exports.
//! [`HostController`] turns it into an [`AsyncMemoryController`] that checks every answer: a pointer
//! must be aligned, lie within the memory as it is *after* the call, and overlap nothing that is alive.
//!
//! ```
//! use wasm_memory::host::{AsyncMemoryController, GuestMemory, HostController};
//! use wasm_memory::{MemoryError, Result};
//!
//! /// A guest that always answers with the same address.
//! struct Stuck(Vec<u8>);
//!
//! #[async_trait::async_trait]
//! impl GuestMemory for Stuck {
//!     fn bytes(&mut self) -> &mut [u8] {
//!         &mut self.0
//!     }
//!     async fn call_alloc(&mut self, _len: u32, _align: u32) -> Result<u32> {
//!         Ok(8)
//!     }
//!     async fn call_free(&mut self, _ptr: u32, _len: u32) -> Result<i32> {
//!         Ok(0)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let mut memory = HostController::new(Stuck(vec![0; 64]));
//! let first = memory.alloc(16, 8).await?;
//! memory.mut_mem(first, 16)?.fill(7);
//! let lie = memory.alloc(4, 4).await;
//! assert_eq!(lie, Err(MemoryError::Overlap { ptr: 8, len: 4, with: 8 }));
//! # Ok(())
//! # }
//! ```

mod controller;
mod guard;

pub use controller::HostController;
pub use guard::HostAllocation;

use async_trait::async_trait;

use crate::Result;

/// Allocates, frees and reaches regions of an instance's memory from outside.
///
/// Allocating and freeing call into the guest, so they are asynchronous; reaching bytes is not.
///
/// ```
/// use wasm_memory::host::{AsyncMemoryController, HostController};
///
/// # use wasm_memory::host::GuestMemory;
/// # struct Bump(Vec<u8>, u32);
/// # #[async_trait::async_trait]
/// # impl GuestMemory for Bump {
/// #     fn bytes(&mut self) -> &mut [u8] { &mut self.0 }
/// #     async fn call_alloc(&mut self, len: u32, align: u32) -> wasm_memory::Result<u32> {
/// #         let ptr = self.1.next_multiple_of(align);
/// #         self.1 = ptr + len;
/// #         Ok(ptr)
/// #     }
/// #     async fn call_free(&mut self, _: u32, _: u32) -> wasm_memory::Result<i32> { Ok(0) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasm_memory::Result<()> {
/// # let guest = Bump(vec![0; 256], 16);
/// let mut memory = HostController::new(guest);
/// let ptr = memory.alloc(3, 1).await?;
/// memory.mut_mem(ptr, 3)?.copy_from_slice(b"abc");
/// memory.free(ptr, 3).await?;
/// assert!(memory.mut_mem(ptr, 3).is_err(), "it is no longer ours");
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait AsyncMemoryController: Send {
    /// Allocates `len` bytes at a multiple of `align`, and returns their address.
    ///
    /// # Errors
    ///
    /// When `align` is not a power of two, the guest has no room, fails, or lies.
    async fn alloc(&mut self, len: u32, align: u32) -> Result<u32>;

    /// Frees the region that [`alloc`](Self::alloc) answered for `len` bytes.
    ///
    /// # Errors
    ///
    /// When the pointer is foreign, was freed before, has another length, or the guest fails.
    async fn free(&mut self, ptr: u32, len: u32) -> Result<()>;

    /// The bytes of a region, without a copy.
    ///
    /// # Errors
    ///
    /// When the region is not within a live allocation, or no longer within the memory.
    fn mut_mem(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]>;
}

/// What a running instance offers to a [`HostController`].
///
/// The implementation holds the instance exclusively for as long as it lives.
///
/// ```
/// use wasm_memory::Result;
/// use wasm_memory::host::GuestMemory;
///
/// /// A guest without a guest: it hands out one address after another.
/// struct Bump {
///     memory: Vec<u8>,
///     next: u32,
/// }
///
/// #[async_trait::async_trait]
/// impl GuestMemory for Bump {
///     fn bytes(&mut self) -> &mut [u8] {
///         &mut self.memory
///     }
///     async fn call_alloc(&mut self, len: u32, align: u32) -> Result<u32> {
///         let ptr = self.next.next_multiple_of(align);
///         self.next = ptr + len;
///         Ok(ptr)
///     }
///     async fn call_free(&mut self, _ptr: u32, _len: u32) -> Result<i32> {
///         Ok(0)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let mut guest = Bump { memory: vec![0; 64], next: 9 };
/// assert_eq!(guest.call_alloc(8, 4).await?, 12);
/// guest.bytes()[12..20].fill(1);
/// assert_eq!(guest.call_free(12, 8).await?, 0);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait GuestMemory: Send {
    /// The whole linear memory as it is now.
    fn bytes(&mut self) -> &mut [u8];

    /// Calls `__alloc` and returns its answer unchecked.
    ///
    /// # Errors
    ///
    /// [`GuestFailed`](crate::MemoryError::GuestFailed) when the call does not return,
    /// [`MissingExport`](crate::MemoryError::MissingExport) when there is no such function.
    async fn call_alloc(&mut self, len: u32, align: u32) -> Result<u32>;

    /// Calls `__free` and returns its status unchecked.
    ///
    /// # Errors
    ///
    /// As [`call_alloc`](Self::call_alloc).
    async fn call_free(&mut self, ptr: u32, len: u32) -> Result<i32>;
}

#[async_trait]
impl<G: GuestMemory + ?Sized> GuestMemory for Box<G> {
    fn bytes(&mut self) -> &mut [u8] {
        (**self).bytes()
    }

    async fn call_alloc(&mut self, len: u32, align: u32) -> Result<u32> {
        (**self).call_alloc(len, align).await
    }

    async fn call_free(&mut self, ptr: u32, len: u32) -> Result<i32> {
        (**self).call_free(ptr, len).await
    }
}

#[async_trait]
impl<G: GuestMemory + ?Sized> GuestMemory for &mut G {
    fn bytes(&mut self) -> &mut [u8] {
        (**self).bytes()
    }

    async fn call_alloc(&mut self, len: u32, align: u32) -> Result<u32> {
        (**self).call_alloc(len, align).await
    }

    async fn call_free(&mut self, ptr: u32, len: u32) -> Result<i32> {
        (**self).call_free(ptr, len).await
    }
}
