//! Linear types: values that must be consumed, never dropped.
//!
//! A value of a type marked [`#[wasm::linear]`](macro@crate::linear) may be moved, returned, stored, matched and borrowed. On every path
//! it must reach a consumer: a function that takes it by value and takes it apart. Nothing drops it implicitly.
//!
//! ```
//! /// A transaction, which is either committed or rolled back, never forgotten.
//! #[wasm::linear]
//! pub struct Transaction {
//!     id: u32,
//!     open: wasm::linear::Token<Transaction>,
//! }
//!
//! impl Transaction {
//!     pub fn begin(id: u32) -> Self {
//!         Self { id, open: wasm::linear::Token::new() }
//!     }
//!
//!     #[wasm::consume]
//!     pub fn commit(self) -> u32 {
//!         let Self { id, open } = self;
//!         open.consume();
//!         id
//!     }
//! }
//!
//! assert_eq!(Transaction::begin(7).commit(), 7);
//! ```
//!
//! # How it is checked
//!
//! WasmRust's compiler follows each value along every path of the program, in checks as in builds, and reports where one is lost.
//! `docs/architecture/linear.md` says how.
//!
//! A plain rustc notices as well, by what a linear type has as its linear part: a [`Token`], which is nothing at run time, a
//! [`Handle`](crate::Handle), or a value of another linear type. Dropping a token is a constant that panics, in a generic function, which
//! rustc evaluates when it generates code for that drop. Drop elaboration has removed every drop of a value that was moved on all paths by
//! then; so the code that is left is that of values which can be lost, and building it fails, naming the type. That happens where code is
//! generated (`cargo build`, not `cargo check`), for WebAssembly, and with panics that abort, as they do there by default: unwinding drops
//! what is alive. Where panics unwind on WebAssembly, one that comes to a linear value ends the program. On other targets a token does nothing, so that unit tests run natively. `docs/compiler-contract.md` says what this cannot
//! see: values that are forgotten or leaked on purpose, and functions for which no code is generated; and where it is stricter than need be,
//! as for containers and futures that are empty when they are dropped.
//!
//! # Cost
//!
//! None at run time: a token has no size and its drop is never compiled (where panics unwind, it is part of cleanups).

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;

/// A type whose values must be consumed. Implemented by [`#[wasm::linear]`](macro@crate::linear).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a linear type",
    label = "this type is not linear",
    note = "linear are types marked `#[wasm::linear]`, `wasm::Handle`, `wasm::linear::Token`, and `Option`, `Box`, `Vec`, arrays and \
            pairs of these"
)]
pub trait Linear {
    /// What the compiler says when a value is lost.
    const LOST: &'static str;
}

/// The linear part of a type that has no other: made with a value, consumed with it.
///
/// The parameter is the type it belongs to.
#[must_use = "a token must be stored in the linear value it belongs to"]
pub struct Token<T: Linear>(PhantomData<fn() -> T>);

impl<T: Linear> Token<T> {
    /// The token of a new value.
    #[allow(
        clippy::new_without_default,
        reason = "a linear value is made on purpose, not by default"
    )]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Ends the value that the token belonged to.
    #[inline]
    pub const fn consume(self) {
        core::mem::forget(self);
    }
}

impl<T: Linear> Drop for Token<T> {
    // Generic and inline: code is generated, and with it the constant evaluated, only where a token can be dropped.
    #[inline]
    fn drop(&mut self) {
        #[cfg(all(
            any(target_family = "wasm", feature = "linear-guard"),
            panic = "abort",
            not(wasmrust)
        ))]
        const {
            panic!("{}", T::LOST)
        }
        // Whatever was checked before, a panic that unwinds comes here; the value could be consumed by nobody who catches it.
        #[cfg(all(
            any(target_family = "wasm", feature = "linear-guard"),
            panic = "unwind"
        ))]
        lost(T::LOST)
    }
}

/// Ends what drops a linear value: while a panic unwinds, a second one ends the program.
#[cfg(all(
    any(target_family = "wasm", feature = "linear-guard"),
    panic = "unwind"
))]
#[cold]
#[inline(never)]
fn lost(why: &str) -> ! {
    panic!("{why}")
}

impl<T: Linear> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl<T: Linear> Linear for Token<T> {
    const LOST: &'static str = T::LOST;
}

/// Consumes every value of a list, in order.
///
/// A `for` loop over the list may be left early, and then drops the rest; this cannot.
///
/// ```
/// # #[wasm::linear] struct Job(wasm::Handle);
/// # impl Job { fn finish(self) -> u32 { let Self(handle) = self; handle.into_raw() } }
/// let jobs = vec![Job(wasm::Handle::from_raw(1)), Job(wasm::Handle::from_raw(2))];
/// let mut sum = 0;
/// wasm::linear::consume_each(jobs, |job| sum += job.finish());
/// assert_eq!(sum, 3);
/// ```
pub fn consume_each<T: Linear>(values: Vec<T>, mut consumer: impl FnMut(T)) {
    let mut values = ManuallyDrop::new(values);
    let (at, length, capacity) = (values.as_mut_ptr(), values.len(), values.capacity());
    // SAFETY: the parts of a vector that is not used again, and `ManuallyDrop<T>` has the layout of `T`.
    let values = unsafe { Vec::from_raw_parts(at.cast::<ManuallyDrop<T>>(), length, capacity) };
    for value in values {
        consumer(ManuallyDrop::into_inner(value));
    }
}

/// Ends an option that holds nothing any more, which its type does not show.
///
/// ```
/// # #[wasm::linear] struct Job(wasm::Handle);
/// # impl Job { fn finish(self) -> u32 { let Self(handle) = self; handle.into_raw() } }
/// let mut slot = Some(Job(wasm::Handle::from_raw(1)));
/// if let Some(job) = slot.take() {
///     job.finish();
/// }
/// wasm::linear::assert_none(slot);
/// ```
///
/// # Panics
///
/// If it holds a value.
#[track_caller]
pub fn assert_none<T: Linear>(option: Option<T>) {
    if let Some(value) = option {
        core::mem::forget(value);
        panic!("an option that must be empty holds a linear value")
    }
}

macro_rules! containers {
    ($([$($parameters:tt)*] $ty:ty: $part:ty),* $(,)?) => {$(
        impl<$($parameters)*> Linear for $ty {
            const LOST: &'static str = <$part>::LOST;
        }
    )*};
}
containers! {
    [T: Linear] Option<T>: T,
    [T: Linear, E] Result<T, E>: T,
    [T: Linear + ?Sized] alloc::boxed::Box<T>: T,
    [T: Linear] Vec<T>: T,
    [T: Linear] alloc::collections::VecDeque<T>: T,
    [K, T: Linear] alloc::collections::BTreeMap<K, T>: T,
    [T: Linear, const N: usize] [T; N]: T,
    [T: Linear, U] (T, U): T,
}

/// What every type that is `Clone` (so every `Copy` type, too) implements, and every linear type: being both is a conflict that the
/// compiler reports, whatever wrote the `Clone`.
#[doc(hidden)]
pub trait LinearTypesAreNotClone {}
impl<T: Clone> LinearTypesAreNotClone for T {}

/// Asks at compile time whether a type is linear: `Probe::<T>::LINEAR` is the inherent constant if it is, and else the trait's.
#[doc(hidden)]
pub struct Probe<T: ?Sized>(PhantomData<T>);

#[doc(hidden)]
pub trait NotLinear {
    const LINEAR: bool = false;
}
impl<T: ?Sized> NotLinear for Probe<T> {}
impl<T: Linear + ?Sized> Probe<T> {
    #[doc(hidden)]
    pub const LINEAR: bool = true;
}

/// The proof that a linear type has a linear part, written by the macro.
#[doc(hidden)]
pub trait Parts {
    #[doc(hidden)]
    const LINEAR: bool;
}

/// Compiles if `T` is linear.
#[doc(hidden)]
pub const fn assert_linear<T: Linear + ?Sized>() {}
