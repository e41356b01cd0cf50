//! Plain data: types that are nothing but their bytes.

use core::num::Wrapping;

/// A type without padding, pointers, invalid bit patterns or anything to drop: its values are their bytes, and any bytes are a value.
///
/// Such a type may be read from memory that another thread, component or host wrote. [`#[derive(wasm::Pod)]`](macro@crate::Pod)
/// implements it and proves it:
///
/// ```
/// #[derive(wasm::Pod, Clone, Copy)]
/// #[repr(C)]
/// struct Sample {
///     time: u64,
///     left: f32,
///     right: f32,
/// }
///
/// let sample = Sample { time: 1, left: 0.5, right: -0.5 };
/// assert_eq!(wasm::pod::bytes_of(&sample).len(), 16);
/// ```
///
/// # Safety
///
/// Every byte of a value is initialised (no padding), every bit pattern is a valid value, and the type holds no references, pointers or
/// cells.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data, so it cannot live in shared memory",
    label = "this type is not `Pod`",
    note = "plain are integers, floats, arrays of plain data, and structs with `#[derive(wasm::Pod, Clone, Copy)] #[repr(C)]`",
    note = "`bool` and `char` have invalid bit patterns: use `u8` and `u32`; references and `String`s point into one thread's memory: \
            copy what they point at"
)]
pub unsafe trait Pod: Copy + Send + Sync + 'static {}

macro_rules! plain {
    ($($ty:ty),*) => {$(
        // SAFETY: a number has no padding, and each of its bit patterns is a number.
        unsafe impl Pod for $ty {}
    )*};
}
plain!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64
);

// SAFETY: elements follow each other without padding, as their size is a multiple of their alignment.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}
// SAFETY: the same layout as the number inside.
unsafe impl<T: Pod> Pod for Wrapping<T> {}

/// The bytes of a value.
pub const fn bytes_of<T: Pod>(value: &T) -> &[u8] {
    // SAFETY: a `Pod` value is `size_of::<T>()` initialised bytes, and cannot change behind a shared reference.
    unsafe { core::slice::from_raw_parts(core::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The value with these bytes, in the order of this machine; `None` if there are too few or too many.
///
/// ```
/// assert_eq!(wasm::pod::from_bytes::<u32>(&7u32.to_ne_bytes()), Some(7));
/// assert_eq!(wasm::pod::from_bytes::<u32>(&[1, 2, 3]), None);
/// ```
pub const fn from_bytes<T: Pod>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    // SAFETY: the bytes are there, need not be aligned, and any bytes are a `T`.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}
