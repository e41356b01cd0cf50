//! Slices of plain data that threads share by parts.
//!
//! # Invariants
//!
//! A [`SharedSlice`] is the only one that reaches its elements, and the parts it is split into do not overlap: it *is* an exclusive slice,
//! so the borrow checker proves both. What it adds is that its elements are [`Pod`], so that it may lie over memory which somebody else
//! wrote, and may be seen as a slice of another plain type.
//!
//! # Cost
//!
//! None: two words, and the bounds checks of slices.

use crate::pod::Pod;
use core::fmt;
use core::iter::FusedIterator;

/// A slice of plain data that is shared among threads by giving each of them a part.
///
/// ```
/// use wasm::SharedSlice;
///
/// let mut samples = [1.0f32; 2500];
/// let data = SharedSlice::new(&mut samples);
/// std::thread::scope(|scope| {
///     for mut chunk in data.chunks(1000) {
///         scope.spawn(move || chunk.iter_mut().for_each(|sample| *sample *= 2.0));
///     }
/// });
/// assert!(samples.iter().all(|&sample| sample == 2.0));
/// ```
#[repr(transparent)]
pub struct SharedSlice<'a, T: Pod>(&'a mut [T]);

/// An index or a length that does not fit a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// What was asked for.
    pub index: usize,
    /// The slice's length.
    pub len: usize,
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, len } = self;
        write!(
            f,
            "index {index} is out of bounds of a shared slice of length {len}"
        )
    }
}

impl core::error::Error for OutOfBounds {}

/// Why a slice cannot be seen as a slice of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CastError {
    /// The slice does not begin at a multiple of the type's alignment.
    Misaligned {
        /// The alignment.
        align: usize,
    },
    /// The slice's size is not a multiple of the type's.
    Remainder {
        /// The slice's size in bytes.
        size: usize,
        /// The size of an element of the other type.
        element: usize,
    },
}

impl fmt::Display for CastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misaligned { align } => {
                write!(f, "the slice does not begin at a multiple of {align} bytes")
            }
            Self::Remainder { size, element } => {
                write!(
                    f,
                    "{size} bytes are no whole number of elements of {element} bytes"
                )
            }
        }
    }
}

impl core::error::Error for CastError {}

impl<'a, T: Pod> SharedSlice<'a, T> {
    /// Shares a slice for as long as it is borrowed.
    pub const fn new(slice: &'a mut [T]) -> Self {
        Self(slice)
    }

    /// Shares memory that is known by its address, as a host hands it over.
    ///
    /// # Safety
    ///
    /// For all of `'a`, `data` must be aligned and point to `len` elements in memory that stays allocated, and nobody else (no other slice,
    /// thread or host) reads or writes them.
    pub const unsafe fn from_raw_parts(data: *mut T, len: usize) -> Self {
        // SAFETY: the caller's promise; any bytes are valid elements.
        Self(unsafe { core::slice::from_raw_parts_mut(data, len) })
    }

    /// The number of elements.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A copy of an element.
    ///
    /// # Errors
    ///
    /// If there is no such element.
    pub fn get(&self, index: usize) -> Result<T, OutOfBounds> {
        self.0.get(index).copied().ok_or(self.beyond(index))
    }

    /// Replaces an element.
    ///
    /// # Errors
    ///
    /// If there is no such element.
    pub fn set(&mut self, index: usize, value: T) -> Result<(), OutOfBounds> {
        let error = self.beyond(index);
        *self.0.get_mut(index).ok_or(error)? = value;
        Ok(())
    }

    /// The elements.
    pub const fn as_slice(&self) -> &[T] {
        self.0
    }

    /// The elements, to change them.
    pub const fn as_mut_slice(&mut self) -> &mut [T] {
        self.0
    }

    /// Iterates over the elements.
    pub fn iter(&self) -> core::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// Iterates over the elements, to change them.
    pub fn iter_mut(&mut self) -> core::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// The same elements for a shorter time.
    pub const fn reborrow(&mut self) -> SharedSlice<'_, T> {
        SharedSlice(self.0)
    }

    /// Two parts that do not overlap: the first `mid` elements, and the rest.
    ///
    /// # Errors
    ///
    /// If there are fewer than `mid` elements.
    pub const fn split_at(self, mid: usize) -> Result<(Self, Self), OutOfBounds> {
        let len = self.0.len();
        match self.0.split_at_mut_checked(mid) {
            Some((first, second)) => Ok((Self(first), Self(second))),
            None => Err(OutOfBounds { index: mid, len }),
        }
    }

    /// Parts of `size` elements each that do not overlap; the last one may be shorter.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[track_caller]
    pub const fn chunks(self, size: usize) -> Chunks<'a, T> {
        assert!(size > 0, "the size of a chunk must be at least 1");
        Chunks { rest: self.0, size }
    }

    /// At most `count` parts that do not overlap, as equal in size as can be: one for each of so many threads.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    #[track_caller]
    pub const fn parts(self, count: usize) -> Chunks<'a, T> {
        assert!(count > 0, "a slice has at least one part");
        let size = self.0.len().div_ceil(count);
        Chunks {
            size: if size == 0 { 1 } else { size },
            rest: self.0,
        }
    }

    /// The bytes of the elements.
    pub const fn as_bytes(&self) -> &[u8] {
        // SAFETY: elements are initialised bytes without padding, and cannot change behind a shared reference.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(self.0)) }
    }

    /// The same memory as elements of another plain type.
    ///
    /// ```
    /// # use wasm::SharedSlice;
    /// let mut words = [0u32; 4];
    /// let mut bytes = SharedSlice::new(&mut words).cast::<u8>().unwrap();
    /// bytes.set(4, 1).unwrap();
    /// assert_eq!(words, [0, u32::from_ne_bytes([1, 0, 0, 0]), 0, 0]);
    /// ```
    ///
    /// # Errors
    ///
    /// If the memory is not aligned for the other type, or no whole number of elements.
    pub fn cast<U: Pod>(self) -> Result<SharedSlice<'a, U>, CastError> {
        let (data, size) = (self.0.as_mut_ptr(), size_of_val(self.0));
        if !data.cast::<U>().is_aligned() {
            let align = align_of::<U>();
            return Err(CastError::Misaligned { align });
        }
        let len = match size_of::<U>() {
            // Elements without size: as many as there were.
            0 if size == 0 => self.0.len(),
            0 => return Err(CastError::Remainder { size, element: 0 }),
            element if size % element == 0 => size / element,
            element => return Err(CastError::Remainder { size, element }),
        };
        // SAFETY: aligned, `len` elements of `U` cover the bytes exactly, any bytes are valid as `U` and were as `T`, and `self` is given up.
        Ok(SharedSlice(unsafe {
            core::slice::from_raw_parts_mut(data.cast::<U>(), len)
        }))
    }

    const fn beyond(&self, index: usize) -> OutOfBounds {
        OutOfBounds {
            index,
            len: self.0.len(),
        }
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedSlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a, T: Pod> From<&'a mut [T]> for SharedSlice<'a, T> {
    fn from(slice: &'a mut [T]) -> Self {
        Self(slice)
    }
}

/// Parts of a shared slice that do not overlap. Made by [`SharedSlice::chunks`] and [`SharedSlice::parts`].
#[derive(Debug)]
pub struct Chunks<'a, T: Pod> {
    rest: &'a mut [T],
    size: usize,
}

impl<'a, T: Pod> Iterator for Chunks<'a, T> {
    type Item = SharedSlice<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let size = self.size.min(self.rest.len());
        // Taken out of `self`, so that the part may outlive the iterator.
        let (chunk, rest) = core::mem::take(&mut self.rest).split_at_mut(size);
        self.rest = rest;
        Some(SharedSlice(chunk))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.rest.len().div_ceil(self.size);
        (count, Some(count))
    }
}

impl<T: Pod> ExactSizeIterator for Chunks<'_, T> {}
impl<T: Pod> FusedIterator for Chunks<'_, T> {}
