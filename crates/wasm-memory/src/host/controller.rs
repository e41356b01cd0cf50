//! The checked controller over a [`GuestMemory`].

use async_trait::async_trait;

use super::{AsyncMemoryController, GuestMemory, HostAllocation};
use crate::{Ledger, MemoryError, Region, Result};

/// The most allocations a host keeps alive in one guest unless told otherwise.
const DEFAULT_LIMIT: usize = 1 << 16;

/// An [`AsyncMemoryController`] that believes nothing the guest says.
///
/// Regions given up by dropped [`HostAllocation`]s are freed at the next call that may enter the guest,
/// or by [`reclaim`](Self::reclaim).
///
/// ```
/// use wasm_memory::Region;
/// use wasm_memory::host::HostController;
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
/// {
///     let mut guard = memory.guard(3, 1).await?;
///     guard.bytes()?.copy_from_slice(b"abc");
/// }
/// memory.reclaim().await?;
/// assert_eq!(memory.live(), 0);
/// // What the guest allocated itself and gave to the host, such as a message's answer.
/// memory.adopt(Region { ptr: 128, len: 8 })?;
/// assert_eq!(memory.live(), 1);
/// // Any bytes may be looked at, whoever owns them.
/// assert_eq!(memory.peek(16, 3)?, b"abc");
/// assert!(memory.peek(255, 2).is_err());
/// assert_eq!(memory.guest().bytes().len(), 256);
/// let guest = memory.into_guest();
/// # assert_eq!(guest.0.len(), 256);
/// # Ok(())
/// # }
/// ```
///
/// # Cancellation
///
/// A future dropped in mid-call leaves the ledger right: an allocation is recorded only when its call
/// has returned, and a region being freed is forgotten before the guest is asked.
#[derive(Debug)]
pub struct HostController<G> {
    guest: G,
    ledger: Ledger,
    pending: Vec<Region>,
}

impl<G: GuestMemory> HostController<G> {
    /// A controller over `guest`.
    #[must_use]
    pub fn new(guest: G) -> Self {
        Self {
            guest,
            ledger: Ledger::new(DEFAULT_LIMIT),
            pending: Vec::new(),
        }
    }

    /// The guest underneath.
    pub fn guest(&mut self) -> &mut G {
        &mut self.guest
    }

    /// Gives the guest back; what is still allocated stays allocated.
    #[must_use]
    pub fn into_guest(self) -> G {
        self.guest
    }

    /// The number of regions that the host has to free.
    #[must_use]
    pub fn live(&self) -> usize {
        self.ledger.len()
    }

    /// The bytes of any region of the memory, whoever owns it.
    ///
    /// # Errors
    ///
    /// [`MemoryError::OutOfBounds`] when the region leaves the memory.
    pub fn peek(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]> {
        let bytes = self.guest.bytes();
        let range = Region { ptr, len }.within(bytes.len())?;
        Ok(&mut bytes[range])
    }

    /// Takes over a region that the guest allocated itself and says the host must free: a message
    /// function's answer.
    ///
    /// # Errors
    ///
    /// When the region leaves the memory or overlaps one the host already owns.
    pub fn adopt(&mut self, region: Region) -> Result<()> {
        self.ledger.admit(1)?;
        if region.ptr == 0 {
            return Err(MemoryError::ForeignPointer { ptr: 0 });
        }
        region.within(self.guest.bytes().len())?;
        self.ledger.record(region, 1)
    }

    /// Allocates a region that is freed when its guard is dropped.
    ///
    /// # Errors
    ///
    /// As [`AsyncMemoryController::alloc`].
    pub async fn guard(&mut self, len: u32, align: u32) -> Result<HostAllocation<'_, G>> {
        let ptr = self.alloc(len, align).await?;
        Ok(HostAllocation::new(self, Region { ptr, len }))
    }

    /// Frees what dropped guards gave up.
    ///
    /// # Errors
    ///
    /// The first error of the guest; the rest stays pending.
    pub async fn reclaim(&mut self) -> Result<()> {
        while let Some(region) = self.pending.pop() {
            self.release(region).await?;
        }
        Ok(())
    }

    /// Notes a region whose guard is gone.
    pub(super) fn give_up(&mut self, region: Region) {
        self.pending.push(region);
    }

    async fn release(&mut self, region: Region) -> Result<()> {
        self.ledger.forget(region)?;
        let status = self.guest.call_free(region.ptr, region.len).await?;
        match MemoryError::from_status(status, region.ptr) {
            None => Ok(()),
            // The ledger knows better than the guest: this region was alive with this length.
            Some(_) => Err(MemoryError::GuestRefused { status }),
        }
    }
}

#[async_trait]
impl<G: GuestMemory> AsyncMemoryController for HostController<G> {
    async fn alloc(&mut self, len: u32, align: u32) -> Result<u32> {
        self.reclaim().await?;
        self.ledger.admit(align)?;
        let ptr = self.guest.call_alloc(len, align).await?;
        if ptr == 0 {
            return Err(MemoryError::OutOfMemory { len, align });
        }
        let region = Region { ptr, len };
        // The call may have grown the memory, so its size is asked for only now.
        region.within(self.guest.bytes().len())?;
        self.ledger.record(region, align)?;
        Ok(ptr)
    }

    async fn free(&mut self, ptr: u32, len: u32) -> Result<()> {
        self.release(Region { ptr, len }).await?;
        self.reclaim().await
    }

    fn mut_mem(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]> {
        self.ledger.covers(Region { ptr, len })?;
        self.peek(ptr, len)
    }
}
