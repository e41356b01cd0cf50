//! The record of live allocations that both halves check every pointer against.
//!
//! # Algorithm
//!
//! Live regions stand in a map ordered by address, so that a new region is compared with its two
//! neighbours only. The addresses freed last are kept in a short ring: a pointer that is not alive but
//! stands in the ring is a double free, any other a foreign pointer.
//!
//! # Cost
//!
//! O(log n) per operation; memory grows with the live allocations, at most `limit` of them.

use alloc::collections::{BTreeMap, VecDeque};

use crate::{MemoryError, Result};

/// How many freed addresses are remembered to tell a double free from a foreign pointer.
const REMEMBERED_FREES: usize = 64;

/// A region of linear memory: `len` bytes from `ptr`.
///
/// ```
/// use wasm_memory::Region;
///
/// let greeting = Region { ptr: 16, len: 5 };
/// assert_eq!(greeting.within(64)?, 16..21);
/// # Ok::<(), wasm_memory::MemoryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// The address of the first byte.
    pub ptr: u32,
    /// The number of bytes.
    pub len: u32,
}

impl Region {
    /// The region's byte range, if it lies within a memory of `size` bytes.
    ///
    /// ```
    /// use wasm_memory::Region;
    ///
    /// assert_eq!(Region { ptr: 4, len: 4 }.within(8), Ok(4..8));
    /// assert!(Region { ptr: u32::MAX, len: 2 }.within(8).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// [`MemoryError::OutOfBounds`] when it does not.
    pub fn within(self, size: usize) -> Result<core::ops::Range<usize>> {
        let end = u64::from(self.ptr) + u64::from(self.len);
        if end > size as u64 {
            return Err(MemoryError::OutOfBounds {
                ptr: self.ptr,
                len: self.len,
                size: size as u64,
            });
        }
        Ok(self.ptr as usize..end as usize)
    }
}

#[derive(Clone, Copy, Debug)]
struct Live {
    len: u32,
    align: u32,
}

/// The live allocations of one memory.
///
/// ```
/// use wasm_memory::{Ledger, MemoryError, Region};
///
/// let mut ledger = Ledger::new(2);
/// // First the question whether there is room in the ledger, then what the allocator answered.
/// ledger.admit(8)?;
/// let region = Region { ptr: 8, len: 8 };
/// ledger.record(region, 8)?;
/// let across = ledger.record(Region { ptr: 12, len: 8 }, 4);
/// assert_eq!(across, Err(MemoryError::Overlap { ptr: 12, len: 8, with: 8 }));
/// assert_eq!(ledger.check(region)?, 8);
/// assert!(ledger.covers(Region { ptr: 10, len: 2 }).is_ok());
/// assert_eq!((ledger.len(), ledger.iter().next()), (1, Some(region)));
/// assert_eq!(ledger.forget(region)?, 8);
/// assert_eq!(ledger.forget(region), Err(MemoryError::DoubleFree { ptr: 8 }));
/// assert!(ledger.is_empty());
/// # Ok::<(), MemoryError>(())
/// ```
#[derive(Debug)]
pub struct Ledger {
    live: BTreeMap<u32, Live>,
    freed: VecDeque<u32>,
    limit: usize,
}

impl Ledger {
    /// An empty ledger for at most `limit` live allocations.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            live: BTreeMap::new(),
            freed: VecDeque::new(),
            limit,
        }
    }

    /// The number of live allocations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether nothing is allocated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Whether another allocation would be remembered; ask before allocating.
    ///
    /// # Errors
    ///
    /// [`MemoryError::BadAlignment`] or [`MemoryError::TooManyAllocations`].
    pub fn admit(&self, align: u32) -> Result<()> {
        if !align.is_power_of_two() {
            return Err(MemoryError::BadAlignment { align });
        }
        if self.live.len() >= self.limit {
            return Err(MemoryError::TooManyAllocations { limit: self.limit });
        }
        Ok(())
    }

    /// Records what the allocator answered, after checking that the answer can be true.
    ///
    /// A region of length 0 counts as one byte: its pointer must be unique too.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Misaligned`] or [`MemoryError::Overlap`] when the allocator lied.
    pub fn record(&mut self, region: Region, align: u32) -> Result<()> {
        let Region { ptr, len } = region;
        if !ptr.is_multiple_of(align) {
            return Err(MemoryError::Misaligned { ptr, align });
        }
        let end = u64::from(ptr) + u64::from(len.max(1));
        let below = self.live.range(..=ptr).next_back();
        if let Some((&with, live)) = below
            && u64::from(with) + u64::from(live.len.max(1)) > u64::from(ptr)
        {
            return Err(MemoryError::Overlap { ptr, len, with });
        }
        if let Some((&with, _)) = self.live.range(ptr..).next()
            && u64::from(with) < end
        {
            return Err(MemoryError::Overlap { ptr, len, with });
        }
        self.live.insert(ptr, Live { len, align });
        self.freed.retain(|&freed| freed != ptr);
        Ok(())
    }

    /// Forgets an allocation and tells the alignment it had.
    ///
    /// # Errors
    ///
    /// [`MemoryError::DoubleFree`], [`MemoryError::ForeignPointer`] or [`MemoryError::LengthMismatch`];
    /// the ledger is then unchanged.
    pub fn forget(&mut self, region: Region) -> Result<u32> {
        let align = self.check(region)?;
        self.live.remove(&region.ptr);
        if self.freed.len() == REMEMBERED_FREES {
            self.freed.pop_front();
        }
        self.freed.push_back(region.ptr);
        Ok(align)
    }

    /// Whether `region` is exactly a live allocation; its alignment.
    ///
    /// # Errors
    ///
    /// As [`forget`](Self::forget).
    pub fn check(&self, region: Region) -> Result<u32> {
        let Region { ptr, len: given } = region;
        match self.live.get(&ptr) {
            Some(live) if live.len == given => Ok(live.align),
            Some(live) => Err(MemoryError::LengthMismatch {
                ptr,
                allocated: live.len,
                given,
            }),
            None if self.freed.contains(&ptr) => Err(MemoryError::DoubleFree { ptr }),
            None => Err(MemoryError::ForeignPointer { ptr }),
        }
    }

    /// Whether `region` lies within one live allocation.
    ///
    /// # Errors
    ///
    /// [`MemoryError::ForeignPointer`] when no allocation holds its start,
    /// [`MemoryError::OutOfBounds`] when it runs over the allocation's end.
    pub fn covers(&self, region: Region) -> Result<()> {
        let Region { ptr, len } = region;
        let below = self.live.range(..=ptr).next_back();
        let Some((&start, live)) = below.filter(|(start, live)| ptr - **start < live.len.max(1))
        else {
            return Err(MemoryError::ForeignPointer { ptr });
        };
        if u64::from(ptr - start) + u64::from(len) > u64::from(live.len) {
            return Err(MemoryError::OutOfBounds {
                ptr,
                len,
                size: u64::from(live.len),
            });
        }
        Ok(())
    }

    /// The live allocations in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = Region> + '_ {
        self.live
            .iter()
            .map(|(&ptr, live)| Region { ptr, len: live.len })
    }
}
