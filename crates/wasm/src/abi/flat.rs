//! Core values: slots of 64 bits, and their core types at the edge.
//!
//! rustc's C ABI for wasm32 drops zero-sized `#[repr(C)]` parameters and results. So one `extern "C"` shape with
//! [`MAX_SLOTS`] parameters, unused ones of type [`Absent`], has exactly the core signature that [`Signature`] computed.
//!
//! [`Signature`]: super::Signature

use super::types::{MAX_SLOTS, core_kind};

/// A parameter or result that is not there.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Absent {}

/// A core value as it stands in an `extern "C"` signature.
pub trait Core: Copy {
    /// From the low bits of a slot.
    fn from_bits(bits: u64) -> Self;
    /// To the low bits of a slot, the rest zero.
    fn to_bits(self) -> u64;
}

impl Core for Absent {
    #[inline(always)]
    fn from_bits(_: u64) -> Self {
        Self {}
    }
    #[inline(always)]
    fn to_bits(self) -> u64 {
        0
    }
}

impl Core for i32 {
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        bits as u32 as Self
    }
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self as u32)
    }
}

impl Core for i64 {
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        bits as Self
    }
    #[inline(always)]
    fn to_bits(self) -> u64 {
        self as u64
    }
}

impl Core for f32 {
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Core for f64 {
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
    #[inline(always)]
    fn to_bits(self) -> u64 {
        self.to_bits()
    }
}

/// Maps a [`core_kind`] to its type in a signature.
#[derive(Debug)]
pub struct Slot<const KIND: u8>;

/// The type of a [`Slot`].
pub trait SlotType {
    /// The core type.
    type Core: Core;
}

impl SlotType for Slot<{ core_kind::NONE }> {
    type Core = Absent;
}
impl SlotType for Slot<{ core_kind::I32 }> {
    type Core = i32;
}
impl SlotType for Slot<{ core_kind::I64 }> {
    type Core = i64;
}
impl SlotType for Slot<{ core_kind::F32 }> {
    type Core = f32;
}
impl SlotType for Slot<{ core_kind::F64 }> {
    type Core = f64;
}

/// Core values to be read one after the other.
#[derive(Debug)]
pub struct FlatIn {
    slots: [u64; MAX_SLOTS],
    next: usize,
}

impl FlatIn {
    /// Reads from `slots`.
    #[inline(always)]
    #[must_use]
    pub fn new(slots: [u64; MAX_SLOTS]) -> Self {
        Self { slots, next: 0 }
    }

    /// The next slot.
    #[inline(always)]
    pub fn bits(&mut self) -> u64 {
        let bits = self.slots[self.next];
        self.next += 1;
        bits
    }

    /// The next slot's low 32 bits.
    #[inline(always)]
    pub fn word(&mut self) -> u32 {
        self.bits() as u32
    }

    /// The next slot as an address or a length.
    #[inline(always)]
    pub fn address(&mut self) -> usize {
        self.bits() as usize
    }

    /// Reads one case of a variant whose cases take up to `payload` slots.
    #[inline(always)]
    pub fn case<T>(&mut self, payload: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let end = self.next + payload;
        let value = read(self);
        self.next = end;
        value
    }
}

/// Core values as they are written one after the other.
#[derive(Debug)]
pub struct FlatOut {
    slots: [u64; MAX_SLOTS],
    next: usize,
}

impl Default for FlatOut {
    #[inline(always)]
    fn default() -> Self {
        Self {
            slots: [0; MAX_SLOTS],
            next: 0,
        }
    }
}

impl FlatOut {
    /// Writes the next slot.
    #[inline(always)]
    pub fn bits(&mut self, bits: u64) {
        self.slots[self.next] = bits;
        self.next += 1;
    }

    /// Writes a number of up to 32 bits.
    #[inline(always)]
    pub fn word(&mut self, word: u32) {
        self.bits(u64::from(word));
    }

    /// Writes an address or a length.
    #[inline(always)]
    pub fn address(&mut self, address: usize) {
        self.bits(address as u64);
    }

    /// Writes one case of a variant: its number and `write`'s slots, padded to `payload`.
    #[inline(always)]
    pub fn case(&mut self, case: u32, payload: usize, write: impl FnOnce(&mut Self)) {
        self.word(case);
        let end = self.next + payload;
        write(self);
        while self.next < end {
            self.bits(0);
        }
    }

    /// What was written.
    #[inline(always)]
    #[must_use]
    pub fn slots(&self) -> [u64; MAX_SLOTS] {
        self.slots
    }
}
