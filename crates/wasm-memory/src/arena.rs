//! A first-fit allocator over a fixed block of bytes: the backing for tests, for hosts without a guest
//! allocator, and for guests that must not touch the global heap.

use alloc::vec;
use alloc::vec::Vec;

use crate::{Backing, Region};

/// A fixed block of bytes that begins at a chosen address.
///
/// Free space is a list of holes in the order of their addresses; freeing merges neighbours.
/// Allocation and release cost O(holes).
///
/// ```
/// use wasm_memory::{Arena, Backing};
///
/// let mut arena = Arena::new(8, 32);
/// assert_eq!(arena.allocate(16, 16), Some(16));
/// assert_eq!(arena.allocate(32, 1), None);
/// ```
#[derive(Debug)]
pub struct Arena {
    base: u32,
    bytes: Vec<u8>,
    holes: Vec<Region>,
}

impl Arena {
    /// `size` zeroed bytes whose first one has the address `base`.
    ///
    /// Address 0 stands for "no room" in the memory ABI and is never handed out; bytes past the
    /// 32-bit address space are not used.
    ///
    /// ```
    /// use wasm_memory::{Arena, Backing};
    ///
    /// // Sixteen bytes at the addresses 100 to 115.
    /// let mut arena = Arena::new(100, 16);
    /// assert_eq!(arena.allocate(16, 4), Some(100));
    /// ```
    #[must_use]
    pub fn new(base: u32, size: u32) -> Self {
        let size = size.min(u32::MAX - base);
        let (ptr, len) = if base == 0 {
            (1, size.saturating_sub(1))
        } else {
            (base, size)
        };
        let holes = if len == 0 {
            Vec::new()
        } else {
            vec![Region { ptr, len }]
        };
        Self {
            base,
            bytes: vec![0; size as usize],
            holes,
        }
    }
}

impl Backing for Arena {
    fn allocate(&mut self, len: u32, align: u32) -> Option<u32> {
        let len = len.max(1);
        let (index, ptr) = self.holes.iter().enumerate().find_map(|(index, hole)| {
            let ptr = hole.ptr.checked_next_multiple_of(align)?;
            let fits = u64::from(ptr) + u64::from(len) <= u64::from(hole.ptr) + u64::from(hole.len);
            fits.then_some((index, ptr))
        })?;
        let hole = self.holes.remove(index);
        let rest = Region {
            ptr: ptr + len,
            len: hole.ptr + hole.len - (ptr + len),
        };
        let gap = Region {
            ptr: hole.ptr,
            len: ptr - hole.ptr,
        };
        for part in [rest, gap] {
            if part.len > 0 {
                self.holes.insert(index, part);
            }
        }
        let start = (ptr - self.base) as usize;
        self.bytes[start..start + len as usize].fill(0);
        Some(ptr)
    }

    fn release(&mut self, ptr: u32, len: u32, _align: u32) {
        let len = len.max(1);
        let index = self.holes.partition_point(|hole| hole.ptr < ptr);
        self.holes.insert(index, Region { ptr, len });
        if let Some(&next) = self.holes.get(index + 1)
            && ptr + len == next.ptr
        {
            self.holes[index].len += next.len;
            self.holes.remove(index + 1);
        }
        if let Some(&previous) = index
            .checked_sub(1)
            .and_then(|before| self.holes.get(before))
            && previous.ptr + previous.len == ptr
        {
            self.holes[index - 1].len += self.holes[index].len;
            self.holes.remove(index);
        }
    }

    fn bytes(&mut self, ptr: u32, len: u32) -> &mut [u8] {
        let start = (ptr - self.base) as usize;
        &mut self.bytes[start..start + len as usize]
    }
}
