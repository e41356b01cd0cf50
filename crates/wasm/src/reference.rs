//! References to values and functions of the host.
//!
//! A host's value ([`ExternRef`]) cannot lie in linear memory, so it lies in a table of `externref`s, and Rust holds the number of its slot.
//! A slot is freed with its `ExternRef`, and may be used again; so each has a generation, and a number that was kept ([`ExternId`]) is valid
//! only as long as the generation is the same.
//!
//! Functions need no table of ours: a Rust function pointer is an index into the program's `funcref` table already ([`FuncRef`]).
//!
//! # From stable Rust to reference types
//!
//! Stable Rust has neither a type for `externref` nor the table instructions. What works on the table is therefore imported, as functions over
//! slot numbers, from the module `wasmrust:ref`; and an import that takes or returns references ([`#[wasm::host]`](crate::host)) has a name
//! that says which of its numbers are slots. WasmIR's pass `externref` makes the table and replaces these imports by `table.get`, `table.set`
//! and `table.grow` and by imports with `externref` in their types. A module that uses them runs after that pass has.
//!
//! # Limits
//!
//! A table belongs to one instance, so references do not move between threads: they are not `Send`.
//!
//! # Cost
//!
//! A call with references is the call with a `table.get` for each. Taking and freeing a slot are a few loads and stores.

use crate::slots::Slots;
use core::cell::UnsafeCell;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};

/// The imports that the pass replaces.
mod table {
    #[cfg(target_arch = "wasm32")]
    #[link(wasm_import_module = "wasmrust:ref")]
    unsafe extern "C" {
        /// Adds slots that hold null; the number of slots before, or -1 if the table cannot grow.
        pub(super) safe fn grow(slots: u32) -> i32;
        /// Sets a slot to null.
        pub(super) safe fn clear(slot: u32);
        /// Sets the first slot to what the second one holds.
        pub(super) safe fn copy(to: u32, from: u32);
        /// Whether a slot holds null.
        #[link_name = "is-null"]
        pub(super) safe fn is_null(slot: u32) -> u32;
    }

    // They only move references about, so a program does not get an effect by them.
    #[cfg(target_arch = "wasm32")]
    const _: () = {
        const TEXT: &str = concat!(
            "import\twasmrust:ref\tclear\t\t",
            file!(),
            ":1:1\n",
            "import\twasmrust:ref\tcopy\t\t",
            file!(),
            ":1:1\n",
            "import\twasmrust:ref\tgrow\t\t",
            file!(),
            ":1:1\n",
            "import\twasmrust:ref\tis-null\t\t",
            file!(),
            ":1:1\n",
        );
        #[unsafe(link_section = "wasmrust.effects")]
        static RECORD: [u8; TEXT.len()] = crate::effect::line(TEXT);
        let _ = &RECORD;
    };

    /// Without a host there is nothing to refer to: slots are all there is, and they hold null.
    #[cfg(not(target_arch = "wasm32"))]
    mod without_host {
        pub(in super::super) fn grow(_: u32) -> i32 {
            0
        }
        pub(in super::super) fn clear(_: u32) {}
        pub(in super::super) fn copy(_: u32, _: u32) {}
        pub(in super::super) fn is_null(_: u32) -> u32 {
            1
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) use without_host::*;
}

/// The slots of the program's table, for one caller at a time.
struct Registry {
    taken: AtomicBool,
    slots: UnsafeCell<Slots>,
}

// SAFETY: `with` gives the slots to one caller at a time.
unsafe impl Sync for Registry {}

static REGISTRY: Registry = Registry {
    taken: AtomicBool::new(false),
    slots: UnsafeCell::new(Slots::new()),
};

impl Registry {
    fn with<R>(&self, work: impl FnOnce(&mut Slots) -> R) -> R {
        /// Gives the slots back, when `work` panics as well.
        struct Release<'a>(&'a AtomicBool);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        // Contended between threads of a native test only: `work` calls nothing that comes back here.
        while self.taken.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        let _release = Release(&self.taken);
        // SAFETY: the flag was ours to set, and is until `_release` is dropped.
        work(unsafe { &mut *self.slots.get() })
    }
}

/// A value of the host, kept alive by this reference.
///
/// `T` says what the value is, to tell references apart; it is never looked at.
///
/// ```
/// use wasm::ExternRef;
///
/// struct Element;
///
/// #[wasm::host("dom")]
/// extern "C" {
///     fn create(kind: u32) -> ExternRef<Element>;
///     fn append(parent: &ExternRef<Element>, child: &ExternRef<Element>) -> u32;
/// }
///
/// fn list(items: u32) -> ExternRef<Element> {
///     let list = create(0);
///     for _ in 0..items {
///         append(&list, &create(1));
///     }
///     list
/// }
/// ```
pub struct ExternRef<T: ?Sized = ()> {
    id: ExternId<T>,
}

impl<T: ?Sized> ExternRef<T> {
    /// A null reference.
    ///
    /// # Panics
    ///
    /// If the table of references is full and cannot grow.
    pub fn null() -> Self {
        let slot = REGISTRY.with(|slots| slots.take(|count| table::grow(count) >= 0));
        let Some((slot, generation)) = slot else {
            panic!("the table of references cannot grow")
        };
        Self {
            id: ExternId {
                slot,
                generation,
                of: PhantomData,
            },
        }
    }

    /// Whether the reference is null.
    pub fn is_null(&self) -> bool {
        table::is_null(self.id.slot) != 0
    }

    /// A number for the value that does not keep it alive.
    pub fn id(&self) -> ExternId<T> {
        self.id
    }

    /// The slot, for a call that borrows the reference. What `#[wasm::host]` writes uses it.
    #[doc(hidden)]
    pub fn slot(&self) -> u32 {
        self.id.slot
    }

    /// The result of a call that puts it into the slot it is given. What `#[wasm::host]` writes uses it.
    #[doc(hidden)]
    pub fn receive(call: impl FnOnce(u32)) -> Self {
        let result = Self::null();
        call(result.id.slot);
        result
    }
}

impl<T: ?Sized> Clone for ExternRef<T> {
    /// A second reference to the same value.
    fn clone(&self) -> Self {
        Self::receive(|slot| table::copy(slot, self.id.slot))
    }
}

impl<T: ?Sized> Drop for ExternRef<T> {
    fn drop(&mut self) {
        // Cleared first: the host may let go of the value, and the next owner of the slot finds null.
        table::clear(self.id.slot);
        REGISTRY.with(|slots| slots.free(self.id.slot));
    }
}

impl<T: ?Sized> fmt::Debug for ExternRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternRef({})", self.id.slot)
    }
}

/// A number for a host's value: copied freely, and valid as long as the [`ExternRef`] it came from lives.
///
/// ```
/// let value = wasm::ExternRef::<()>::null();
/// let id = value.id();
/// assert!(id.upgrade().is_some());
/// drop(value);
/// // The slot may belong to another value by now; the number does not.
/// let other = wasm::ExternRef::<()>::null();
/// assert!(id.upgrade().is_none());
/// # drop(other);
/// ```
pub struct ExternId<T: ?Sized = ()> {
    slot: u32,
    generation: u32,
    /// Neither `Send` nor `Sync`: a table belongs to one instance.
    of: PhantomData<*const T>,
}

impl<T: ?Sized> ExternId<T> {
    /// A reference to the value, if the one the number came from is still alive.
    pub fn upgrade(self) -> Option<ExternRef<T>> {
        if !REGISTRY.with(|slots| slots.is_current(self.slot, self.generation)) {
            return None;
        }
        Some(ExternRef::receive(|slot| table::copy(slot, self.slot)))
    }
}

impl<T: ?Sized> Copy for ExternId<T> {}
impl<T: ?Sized> Clone for ExternId<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: ?Sized> PartialEq for ExternId<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.slot, self.generation) == (other.slot, other.generation)
    }
}
impl<T: ?Sized> Eq for ExternId<T> {}
impl<T: ?Sized> Hash for ExternId<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.slot, self.generation).hash(state);
    }
}
impl<T: ?Sized> fmt::Debug for ExternId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternId({}, generation {})", self.slot, self.generation)
    }
}

/// A C function pointer type.
///
/// # Safety
///
/// The type must be a non-nullable function pointer, of the size of a `usize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function that a host can call",
    label = "not an `extern \"C\"` function pointer",
    note = "declare the function as `extern \"C\" fn`, with up to six parameters, and cast it: `FuncRef::new(f as extern \"C\" fn(i32) -> i32)`"
)]
pub unsafe trait FnPointer: Copy + 'static {}

macro_rules! fn_pointers {
    ($($parameter:ident)*) => {
        // SAFETY: a function pointer.
        unsafe impl<R: 'static, $($parameter: 'static),*> FnPointer for extern "C" fn($($parameter),*) -> R {}
    };
}
fn_pointers!();
fn_pointers!(A);
fn_pointers!(A B);
fn_pointers!(A B C);
fn_pointers!(A B C D);
fn_pointers!(A B C D E);
fn_pointers!(A B C D E G);

/// A function in the program's table of functions, where host and guest can call it by its index.
///
/// ```
/// use wasm::FuncRef;
///
/// extern "C" fn double(x: i32) -> i32 {
///     x * 2
/// }
///
/// let function = FuncRef::new(double as extern "C" fn(i32) -> i32);
/// assert_eq!((function.get())(21), 42);
/// // SAFETY: the index of a function of this type.
/// let same = unsafe { FuncRef::<extern "C" fn(i32) -> i32>::from_index(function.index()) };
/// assert_eq!((same.unwrap().get())(4), 8);
/// ```
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct FuncRef<F: FnPointer>(F);

impl<F: FnPointer> FuncRef<F> {
    const SIZE: () = assert!(
        size_of::<F>() == size_of::<usize>(),
        "a function pointer has the size of `usize`"
    );

    /// A reference to a Rust function.
    pub const fn new(function: F) -> Self {
        Self(function)
    }

    /// The function at an index of the table; `None` for 0, which is null.
    ///
    /// # Safety
    ///
    /// The table's function at the index must have the type `F`, and stay there as long as the reference or a copy is used. (A call of one
    /// with another type traps, but the compiler may assume that none happens.)
    pub const unsafe fn from_index(index: usize) -> Option<Self> {
        const { Self::SIZE };
        if index == 0 {
            return None;
        }
        let pointer = core::ptr::with_exposed_provenance::<()>(index);
        // SAFETY: the same size; the caller vouches for the function.
        Some(Self(unsafe { core::mem::transmute_copy(&pointer) }))
    }

    /// The function's index in the table.
    pub fn index(self) -> usize {
        const { Self::SIZE };
        // SAFETY: a function pointer is a pointer of the same size.
        let pointer: *const () = unsafe { core::mem::transmute_copy(&self.0) };
        pointer.expose_provenance()
    }

    /// The function, to call it.
    pub const fn get(self) -> F {
        self.0
    }
}

impl<F: FnPointer> fmt::Debug for FuncRef<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FuncRef({})", self.index())
    }
}

/// A value that crosses to a host function as it is.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be passed to a host function as it is",
    label = "not a core value",
    note = "core values are `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, `usize`, `isize` and `wasm::FuncRef`; references are `&ExternRef<T>`",
    note = "for strings, lists and records, use `#[wasm::import]`"
)]
pub trait HostValue: Copy {}

/// A value that a host function can return as it is: every bit pattern is one.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be returned by a host function as it is",
    label = "not a number",
    note = "results are `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, `usize`, `isize` and `ExternRef<T>`; a function comes as its index in the \
            table, a `usize`, for `FuncRef::from_index`"
)]
pub trait HostResult: HostValue {}

macro_rules! host_values {
    ($($ty:ty),*) => {$( impl HostValue for $ty {} impl HostResult for $ty {} )*};
}
host_values!(i32, u32, i64, u64, f32, f64, usize, isize);
impl<F: FnPointer> HostValue for FuncRef<F> {}

/// Compiles if `T` crosses as it is.
#[doc(hidden)]
pub const fn assert_host_value<T: HostValue>() {}

/// Compiles if a host can return a `T`.
#[doc(hidden)]
pub const fn assert_host_result<T: HostResult>() {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::vec::Vec;
    use core::sync::atomic::AtomicU8;

    /// Slots in use, by their number; beyond these the test does not look.
    static IN_USE: [AtomicU8; 4096] = [const { AtomicU8::new(0) }; 4096];

    /// Takes slots and frees them in an order of its own; each is marked while it is in use.
    fn work(seed: u64) {
        let (mut state, mut mine) = (seed, Vec::<ExternRef>::new());
        let mark = |reference: &ExternRef, from: u8, to: u8| {
            if let Some(mark) = IN_USE.get(reference.slot() as usize) {
                assert_eq!(
                    mark.swap(to, Ordering::AcqRel),
                    from,
                    "{reference:?} has two owners"
                );
            }
        };
        for _ in 0..1_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if mine.len() < 50 && state % 3 != 0 {
                let reference = ExternRef::null();
                mark(&reference, 0, 1);
                assert!(reference.id().upgrade().is_some());
                mine.push(reference);
            } else if !mine.is_empty() {
                let reference = mine.swap_remove((state >> 8) as usize % mine.len());
                let id = reference.id();
                // Before the slot is free for others.
                mark(&reference, 1, 0);
                drop(reference);
                assert!(id.upgrade().is_none());
            }
        }
        mine.iter().for_each(|reference| mark(reference, 1, 0));
    }

    #[test]
    fn threads_never_share_a_slot() {
        std::thread::scope(|scope| {
            for seed in 1..=4u64 {
                scope.spawn(move || work(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)));
            }
        });
    }

    #[test]
    fn a_panic_gives_the_list_back() {
        let panics = || REGISTRY.with(|_| -> u32 { panic!("in the middle") });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(ExternRef::<()>::null().id().upgrade().is_some());
    }
}
