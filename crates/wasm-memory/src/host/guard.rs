//! An allocation in a guest that is given up when it goes out of scope.

use super::{GuestMemory, HostController};
use crate::{Region, Result};

/// A region of a guest's memory, freed after the guard is dropped.
///
/// Dropping cannot enter the guest (that may take long and may fail), so it notes the region, and the
/// controller's next call frees it.
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
