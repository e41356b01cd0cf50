//! The synchronous controller of the guest's half, and a guard that frees what it allocated.

use crate::Result;

/// Allocates, frees and reaches regions of a linear memory.
///
/// Synchronous, for use inside a module; the host's counterpart is `host::AsyncMemoryController`.
///
/// ```
/// use wasm_memory::{Arena, MemoryController, MemoryError, Tracked};
///
/// fn store(memory: &mut dyn MemoryController, text: &str) -> Result<u32, MemoryError> {
///     let len = u32::try_from(text.len()).map_err(|_| MemoryError::OutOfMemory { len: u32::MAX, align: 1 })?;
///     let ptr = memory.alloc(len, 1)?;
///     memory.try_mut_mem(ptr, len)?.copy_from_slice(text.as_bytes());
///     Ok(ptr)
/// }
///
/// let mut memory = Tracked::new(Arena::new(16, 64));
/// let ptr = store(&mut memory, "kept")?;
/// assert_eq!(memory.mut_mem(ptr, 4), b"kept");
/// memory.free(ptr, 4)?;
/// assert_eq!(memory.free(ptr, 4), Err(MemoryError::DoubleFree { ptr }));
/// # Ok::<(), MemoryError>(())
/// ```
pub trait MemoryController {
    /// Allocates `len` bytes at a multiple of `align`, and returns their address.
    ///
    /// # Errors
    ///
    /// When `align` is not a power of two, or there is no room.
    fn alloc(&mut self, len: u32, align: u32) -> Result<u32>;

    /// Frees the region that [`alloc`](Self::alloc) answered for `len` bytes.
    ///
    /// # Errors
    ///
    /// When the pointer is foreign, was freed before, or was allocated with another length.
    fn free(&mut self, ptr: u32, len: u32) -> Result<()>;

    /// The bytes of a region within one live allocation.
    ///
    /// # Errors
    ///
    /// When the region is not within a live allocation.
    fn try_mut_mem(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]>;

    /// The bytes of a region that is known to be allocated.
    ///
    /// # Panics
    ///
    /// When it is not; [`try_mut_mem`](Self::try_mut_mem) says so instead.
    fn mut_mem(&mut self, ptr: u32, len: u32) -> &mut [u8] {
        match self.try_mut_mem(ptr, len) {
            Ok(bytes) => bytes,
            Err(error) => panic!("{error}"),
        }
    }
}

/// An allocation that is freed when it goes out of scope.
///
/// ```
/// use wasm_memory::{Allocation, Arena, MemoryController, Tracked};
///
/// let mut memory = Tracked::new(Arena::new(16, 64));
/// {
///     let mut bytes = Allocation::new(&mut memory, 3, 1)?;
///     assert_eq!(bytes.ptr(), 16);
///     bytes.bytes().copy_from_slice(b"abc");
/// }
/// assert_eq!(memory.live(), 0);
/// // Given away, it is not freed at the end of the scope.
/// let (ptr, len) = Allocation::new(&mut memory, 3, 1)?.into_raw();
/// memory.free(ptr, len)?;
/// # Ok::<(), wasm_memory::MemoryError>(())
/// ```
#[derive(Debug)]
pub struct Allocation<'a, C: MemoryController + ?Sized> {
    controller: &'a mut C,
    ptr: u32,
    len: u32,
}

impl<'a, C: MemoryController + ?Sized> Allocation<'a, C> {
    /// Allocates `len` bytes aligned to `align`.
    ///
    /// # Errors
    ///
    /// As [`MemoryController::alloc`].
    pub fn new(controller: &'a mut C, len: u32, align: u32) -> Result<Self> {
        let ptr = controller.alloc(len, align)?;
        Ok(Self {
            controller,
            ptr,
            len,
        })
    }

    /// The address of the first byte.
    #[must_use]
    pub fn ptr(&self) -> u32 {
        self.ptr
    }

    /// The region's bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.controller.mut_mem(self.ptr, self.len)
    }

    /// Hands the region over to somebody else, who must free it.
    #[must_use]
    pub fn into_raw(self) -> (u32, u32) {
        let raw = (self.ptr, self.len);
        core::mem::forget(self);
        raw
    }
}

impl<C: MemoryController + ?Sized> Drop for Allocation<'_, C> {
    fn drop(&mut self) {
        // The guard allocated exactly this region and nobody else could free it through the borrowed
        // controller, so there is no error to report here.
        let _ = self.controller.free(self.ptr, self.len);
    }
}
