//! Whole calls: arguments in, result out, for both directions.

use super::compound::field;
use super::realloc::{allocate, free};
use super::types::{Layout, MAX_SLOTS, Signature};
use super::{FlatIn, FlatOut, Lift, Lower, Scratch};
use core::cell::UnsafeCell;

/// The arguments of an exported function.
#[derive(Debug)]
pub struct Incoming {
    flat: FlatIn,
    memory: Option<(*mut u8, Layout)>,
    end: usize,
}

impl Incoming {
    /// Reads the arguments of a call with this signature.
    ///
    /// # Safety
    ///
    /// `slots` must hold the call's core parameters, in order.
    #[inline(always)]
    #[must_use]
    pub unsafe fn new(signature: &Signature, slots: [u64; MAX_SLOTS]) -> Self {
        let mut flat = FlatIn::new(slots);
        let memory = signature.spilled.map(|layout| {
            let base = core::ptr::with_exposed_provenance_mut(flat.address());
            (base, layout)
        });
        Self {
            flat,
            memory,
            end: 0,
        }
    }

    /// The next argument.
    ///
    /// # Safety
    ///
    /// `T` must be the type of that parameter in the signature.
    #[inline(always)]
    pub unsafe fn next<T: Lift>(&mut self) -> T {
        match self.memory {
            // SAFETY: the slots hold a `T` next.
            None => unsafe { T::lift(&mut self.flat) },
            // SAFETY: the block holds a `T` at this offset.
            Some((base, _)) => unsafe { T::load(base.add(field::<T>(&mut self.end))) },
        }
    }
}

impl Drop for Incoming {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some((base, layout)) = self.memory {
            // SAFETY: the caller allocated the block with `cabi_realloc` and gave it to us.
            unsafe { free(base, layout.size, layout.align) }
        }
    }
}

/// Where an exported function leaves a result that does not fit in a core value.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct Area<const WORDS: usize>(UnsafeCell<[u64; WORDS]>);

// SAFETY: a component instance runs one call at a time, and the canonical ABI reads a result before the next call begins.
unsafe impl<const WORDS: usize> Sync for Area<WORDS> {}

impl<const WORDS: usize> Area<WORDS> {
    /// An empty area.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a `static` needs a `const fn`")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; WORDS]))
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> *mut u8 {
        self.0.get().cast()
    }
}

/// Hands an exported function's result over, as the bits of its core result.
///
/// # Safety
///
/// `area` must be valid for writes of `T::SIZE` bytes and aligned if `T` takes more than one core value.
#[inline(always)]
pub unsafe fn deliver<T: Lower>(value: T, area: *mut u8) -> u64 {
    let mut scratch = Scratch::handing_over();
    if T::FLAT > 1 {
        // SAFETY: the caller vouches for the area.
        unsafe { value.store(area, &mut scratch) };
        area.expose_provenance() as u64
    } else {
        let mut out = FlatOut::default();
        value.lower(&mut out, &mut scratch);
        out.slots()[0]
    }
}

/// Frees what [`deliver`] handed over, once the caller has read it: the post-return function.
///
/// # Safety
///
/// `bits` must be what `deliver` returned for this type, released once.
#[inline(always)]
pub unsafe fn release<T: Lower>(bits: u64) {
    if T::FLAT > 1 {
        // SAFETY: the area holds the stored value; a single core value owns no memory.
        unsafe { T::release(core::ptr::with_exposed_provenance_mut(bits as usize)) }
    }
}

/// The arguments of an imported function.
#[derive(Debug)]
pub struct Outgoing {
    flat: FlatOut,
    memory: Option<*mut u8>,
    end: usize,
    scratch: Scratch,
}

impl Outgoing {
    /// Prepares a call with this signature.
    #[inline(always)]
    #[must_use]
    pub fn new(signature: &Signature) -> Self {
        let mut flat = FlatOut::default();
        let mut scratch = Scratch::keeping();
        let memory = signature.spilled.map(|layout| {
            let base = allocate(layout.size, layout.align);
            // SAFETY: just allocated so; read by the callee during the call, before the scratch is freed.
            unsafe { scratch.keep(base, layout.size, layout.align) }
            flat.address(base.expose_provenance());
            base
        });
        Self {
            flat,
            memory,
            end: 0,
            scratch,
        }
    }

    /// Adds the next argument.
    ///
    /// # Safety
    ///
    /// `T` must be the type of that parameter in the signature.
    #[inline(always)]
    pub unsafe fn push<T: Lower>(&mut self, value: T) {
        match self.memory {
            None => value.lower(&mut self.flat, &mut self.scratch),
            // SAFETY: the block has room for a `T` at this offset.
            Some(base) => unsafe {
                value.store(base.add(field::<T>(&mut self.end)), &mut self.scratch)
            },
        }
    }

    /// The core parameters, the last being `area` if the result comes back through memory.
    #[inline(always)]
    pub fn slots(&mut self, signature: &Signature, area: *mut u8) -> [u64; MAX_SLOTS] {
        if signature.area > 0 {
            self.flat.address(area.expose_provenance());
        }
        self.flat.slots()
    }

    /// Ends the call: frees what the arguments took.
    #[inline(always)]
    pub fn finish(self) {
        self.scratch.free();
    }
}

/// Reads an imported function's result from its core result or the area.
///
/// # Safety
///
/// `T` must be the type of the result and the call must have returned.
#[inline(always)]
pub unsafe fn receive<T: Lift>(bits: u64, area: *const u8) -> T {
    if T::FLAT > 1 {
        // SAFETY: the callee stored a `T` there.
        unsafe { T::load(area) }
    } else {
        let mut slots = [0; MAX_SLOTS];
        slots[0] = bits;
        // SAFETY: the core result is the `T`'s only slot.
        unsafe { T::lift(&mut FlatIn::new(slots)) }
    }
}
