//! A controller that checks every request against its ledger before the allocator sees it.

use crate::{Ledger, MemoryController, MemoryError, Region, Result};

/// What actually allocates, without any checks of its own.
///
/// ```
/// use wasm_memory::{Arena, Backing};
///
/// let mut arena = Arena::new(64, 64);
/// let ptr = arena.allocate(8, 8).expect("there is room");
/// arena.bytes(ptr, 8).fill(1);
/// arena.release(ptr, 8, 8);
/// ```
pub trait Backing {
    /// Zeroed room for `len` bytes at a multiple of `align` (a power of two), never at address 0.
    fn allocate(&mut self, len: u32, align: u32) -> Option<u32>;

    /// Takes back what [`allocate`](Self::allocate) answered for the same `len` and `align`.
    fn release(&mut self, ptr: u32, len: u32, align: u32);

    /// The bytes of a region within what was allocated.
    fn bytes(&mut self, ptr: u32, len: u32) -> &mut [u8];
}

/// The most allocations that may be alive at a time unless [`Tracked::with_limit`] says otherwise.
pub(crate) const DEFAULT_LIMIT: usize = 1 << 20;

/// A [`MemoryController`] over any [`Backing`].
///
/// ```
/// use wasm_memory::{Arena, MemoryController, MemoryError, Tracked};
///
/// let mut memory = Tracked::new(Arena::new(64, 64));
/// assert_eq!(memory.alloc(1, 3), Err(MemoryError::BadAlignment { align: 3 }));
/// assert_eq!(memory.free(99, 1), Err(MemoryError::ForeignPointer { ptr: 99 }));
///
/// let mut small = Tracked::with_limit(Arena::new(64, 64), 1);
/// small.alloc(1, 1)?;
/// assert_eq!(small.alloc(1, 1), Err(MemoryError::TooManyAllocations { limit: 1 }));
/// assert_eq!(small.live(), 1);
/// # Ok::<(), MemoryError>(())
/// ```
#[derive(Debug)]
pub struct Tracked<B> {
    backing: B,
    ledger: Ledger,
}

impl<B: Backing> Tracked<B> {
    /// A controller over `backing`.
    #[must_use]
    pub fn new(backing: B) -> Self {
        Self::with_limit(backing, DEFAULT_LIMIT)
    }

    /// A controller that refuses more than `limit` live allocations.
    #[must_use]
    pub fn with_limit(backing: B, limit: usize) -> Self {
        Self {
            backing,
            ledger: Ledger::new(limit),
        }
    }

    /// The number of live allocations.
    #[must_use]
    pub fn live(&self) -> usize {
        self.ledger.len()
    }
}

impl<B: Backing> MemoryController for Tracked<B> {
    fn alloc(&mut self, len: u32, align: u32) -> Result<u32> {
        self.ledger.admit(align)?;
        let ptr = self
            .backing
            .allocate(len, align)
            .ok_or(MemoryError::OutOfMemory { len, align })?;
        self.ledger.record(Region { ptr, len }, align)?;
        Ok(ptr)
    }

    fn free(&mut self, ptr: u32, len: u32) -> Result<()> {
        let align = self.ledger.forget(Region { ptr, len })?;
        self.backing.release(ptr, len, align);
        Ok(())
    }

    fn try_mut_mem(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]> {
        self.ledger.covers(Region { ptr, len })?;
        Ok(self.backing.bytes(ptr, len))
    }
}
