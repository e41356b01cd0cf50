//! An allocation in a guest that is given up when it goes out of scope.

use super::{GuestMemory, HostController};
use crate::{Region, Result};

/// A region of a guest's memory, freed after the guard is dropped.
///
/// Dropping cannot enter the guest (that may take long and may fail), so it notes the region, and the
/// controller's next call frees it.
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
/// let mut guard = memory.guard(8, 8).await?;
/// guard.bytes()?.fill(1);
/// let region = guard.region();
/// assert_eq!(guard.guest().bytes()[region.ptr as usize], 1);
/// let region = guard.into_region();
/// assert_eq!((region.len, memory.live()), (8, 1), "nobody frees it but us");
/// memory.free(region.ptr, region.len).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HostAllocation<'a, G: GuestMemory> {
    controller: &'a mut HostController<G>,
    region: Region,
}

impl<'a, G: GuestMemory> HostAllocation<'a, G> {
    pub(super) fn new(controller: &'a mut HostController<G>, region: Region) -> Self {
        Self { controller, region }
    }

    /// The region's address and length.
    #[must_use]
    pub fn region(&self) -> Region {
        self.region
    }

    /// The region's bytes, without a copy.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](crate::MemoryError::OutOfBounds) when the memory no longer holds the region.
    pub fn bytes(&mut self) -> Result<&mut [u8]> {
        self.controller.peek(self.region.ptr, self.region.len)
    }

    /// The guest, to be called while the region is alive.
    pub fn guest(&mut self) -> &mut G {
        self.controller.guest()
    }

    /// Keeps the region alive past the guard; it must be freed by hand.
    #[must_use]
    pub fn into_region(self) -> Region {
        let region = self.region;
        std::mem::forget(self);
        region
    }
}

impl<G: GuestMemory> Drop for HostAllocation<'_, G> {
    fn drop(&mut self) {
        self.controller.give_up(self.region);
    }
}
