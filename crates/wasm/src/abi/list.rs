//! Strings and lists.
//!
//! A list of numbers crosses without a copy on our side: its allocation is handed over as it is. Other lists are written
//! element by element into one allocation.

use super::realloc::{allocate, free};
use super::{FlatIn, FlatOut, Lift, Lower, LowerRef, Release, Type, Wit};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;

/// Allocations made while lowering.
///
/// An import's arguments are ours again after the call, so they are kept and [freed](Scratch::free) then; an export's result stays
/// allocated until its post-return function frees it. There is no `Drop`, so that a call which allocates nothing pays nothing.
#[derive(Debug)]
pub struct Scratch {
    kept: ManuallyDrop<Vec<(*mut u8, usize, usize)>>,
    hands_over: bool,
}

impl Scratch {
    /// Keeps allocations until [`Scratch::free`].
    #[inline(always)]
    #[must_use]
    pub fn keeping() -> Self {
        Self {
            kept: ManuallyDrop::new(Vec::new()),
            hands_over: false,
        }
    }

    /// Hands allocations over to the receiver.
    #[inline(always)]
    #[must_use]
    pub fn handing_over() -> Self {
        Self {
            kept: ManuallyDrop::new(Vec::new()),
            hands_over: true,
        }
    }

    /// Keeps `size` bytes that Rust's global allocator allocated with `align`, if this scratch keeps any.
    ///
    /// # Safety
    ///
    /// A kept allocation must not be used after the scratch was freed, nor freed by anyone else.
    #[inline]
    pub unsafe fn keep(&mut self, pointer: *mut u8, size: usize, align: usize) {
        if !self.hands_over && size != 0 {
            self.kept.push((pointer, size, align));
        }
    }

    /// Frees what was kept.
    #[inline]
    pub fn free(self) {
        for (pointer, size, align) in ManuallyDrop::into_inner(self.kept) {
            // SAFETY: `keep`'s contract.
            unsafe { free(pointer, size, align) }
        }
    }

    #[inline(always)]
    fn hands_over(&self) -> bool {
        self.hands_over
    }
}

/// Writes a pointer and a length to memory.
///
/// # Safety
///
/// `at` must be valid for two aligned addresses.
unsafe fn store_pair(at: *mut u8, pointer: *const u8, len: usize) {
    let at = at.cast::<usize>();
    // SAFETY: the caller vouches.
    unsafe {
        at.cast::<*const u8>().write(pointer);
        at.add(1).write(len);
    }
}

/// Reads a pointer and a length from memory.
///
/// # Safety
///
/// `at` must hold what [`store_pair`] or a host wrote.
unsafe fn load_pair(at: *const u8) -> (*mut u8, usize) {
    let at = at.cast::<usize>();
    // SAFETY: the caller vouches.
    unsafe { (at.cast::<*mut u8>().read(), at.add(1).read()) }
}

fn lower_pair(out: &mut FlatOut, pointer: *const u8, len: usize) {
    out.address(pointer.expose_provenance());
    out.address(len);
}

fn lift_pair(from: &mut FlatIn) -> (*mut u8, usize) {
    let pointer = core::ptr::with_exposed_provenance_mut(from.address());
    (pointer, from.address())
}

/// The bytes that `len` elements take.
fn list_size<T: Wit>(len: usize) -> usize {
    match len.checked_mul(T::SIZE) {
        Some(size) => size,
        None => panic!("a list of {len} elements does not fit in memory"),
    }
}

const fn refuse_unit<T: Wit>() {
    assert!(
        !matches!(T::TYPE, Type::Unit),
        "`()` has no WIT type of its own: a list needs elements that hold something"
    );
}

// SAFETY: pointer and length, as `list<T>` is stored.
unsafe impl<T: Wit> Wit for [T] {
    const TYPE: Type = {
        refuse_unit::<T>();
        Type::List(&T::TYPE)
    };
}
// SAFETY: as `[T]`.
unsafe impl<T: Wit> Wit for Vec<T> {
    const TYPE: Type = <[T]>::TYPE;
}
// SAFETY: pointer and length of UTF-8, as `string` is stored.
unsafe impl Wit for str {
    const TYPE: Type = Type::String;
}
// SAFETY: as `str`.
unsafe impl Wit for String {
    const TYPE: Type = Type::String;
}

/// The slice as canonical memory, which belongs to `scratch` or the receiver unless it is the slice's own.
fn slice_parts<T: LowerRef>(slice: &[T], scratch: &mut Scratch) -> (*const u8, usize) {
    if T::PLAIN && !scratch.hands_over() {
        return (slice.as_ptr().cast(), slice.len());
    }
    let size = list_size::<T>(slice.len());
    let base = allocate(size, T::ALIGN);
    for (i, value) in slice.iter().enumerate() {
        // SAFETY: `i * SIZE` lies within the allocation of `len * SIZE` bytes, and `SIZE` is a multiple of `ALIGN`.
        unsafe { value.store_ref(base.add(i * T::SIZE), scratch) }
    }
    // SAFETY: just allocated so, and not used after the scratch.
    unsafe { scratch.keep(base, size, T::ALIGN) }
    (base, slice.len())
}

/// The vector as canonical memory, which belongs to `scratch` or the receiver.
fn vec_parts<T: Lower>(vec: Vec<T>, scratch: &mut Scratch) -> (*const u8, usize) {
    let len = vec.len();
    if T::PLAIN {
        // The receiver knows the length only, so a handed-over allocation must be exact.
        let vec = if scratch.hands_over() {
            Vec::from(vec.into_boxed_slice())
        } else {
            vec
        };
        let mut vec = ManuallyDrop::new(vec);
        let pointer = vec.as_mut_ptr().cast::<u8>();
        // SAFETY: a vector's allocation, which nobody else frees now.
        unsafe { scratch.keep(pointer, vec.capacity() * size_of::<T>(), align_of::<T>()) }
        return (pointer, len);
    }
    let size = list_size::<T>(len);
    let base = allocate(size, T::ALIGN);
    for (i, value) in vec.into_iter().enumerate() {
        // SAFETY: as in `slice_parts`.
        unsafe { value.store(base.add(i * T::SIZE), scratch) }
    }
    // SAFETY: just allocated so, and not used after the scratch.
    unsafe { scratch.keep(base, size, T::ALIGN) }
    (base, len)
}

/// Owns a list that arrived.
///
/// # Safety
///
/// `base` must be an allocation of exactly `len` stored elements, none of which was read.
unsafe fn own_list<T: Lift>(base: *mut u8, len: usize) -> Vec<T> {
    if len == 0 {
        return Vec::new();
    }
    if T::PLAIN {
        // SAFETY: a plain type has the same layout in Rust, and every bit pattern is valid.
        return unsafe { Vec::from_raw_parts(base.cast(), len, len) };
    }
    let mut vec = Vec::with_capacity(len);
    for i in 0..len {
        // SAFETY: the caller vouches for `len` elements.
        vec.push(unsafe { T::load(base.add(i * T::SIZE)) });
    }
    // SAFETY: the elements were moved out, the allocation is ours.
    unsafe { free(base, list_size::<T>(len), T::ALIGN) }
    vec
}

impl<T: Release> Release for [T] {
    unsafe fn release(at: *mut u8) {
        // SAFETY: `at` holds a list that `store` wrote; its elements are released once each, then the list itself.
        unsafe {
            let (base, len) = load_pair(at);
            for i in 0..len {
                T::release(base.add(i * T::SIZE));
            }
            free(base, len * T::SIZE, T::ALIGN);
        }
    }
}
impl<T: Release> Release for Vec<T> {
    unsafe fn release(at: *mut u8) {
        // SAFETY: passed on.
        unsafe { <[T]>::release(at) }
    }
}
impl<T: LowerRef> LowerRef for [T] {
    fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch) {
        let (pointer, len) = slice_parts(self, scratch);
        lower_pair(out, pointer, len);
    }
    unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch) {
        let (pointer, len) = slice_parts(self, scratch);
        // SAFETY: the caller vouches for `at`.
        unsafe { store_pair(at, pointer, len) }
    }
}
impl<T: LowerRef> LowerRef for Vec<T> {
    fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch) {
        self.as_slice().lower_ref(out, scratch);
    }
    unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { self.as_slice().store_ref(at, scratch) }
    }
}
impl<T: Lower> Lower for Vec<T> {
    fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
        let (pointer, len) = vec_parts(self, scratch);
        lower_pair(out, pointer, len);
    }
    unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
        let (pointer, len) = vec_parts(self, scratch);
        // SAFETY: the caller vouches for `at`.
        unsafe { store_pair(at, pointer, len) }
    }
}
impl<T: Lift> Lift for Vec<T> {
    unsafe fn lift(from: &mut FlatIn) -> Self {
        let (base, len) = lift_pair(from);
        // SAFETY: the caller vouches for a list.
        unsafe { own_list(base, len) }
    }
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller vouches for a list.
        unsafe {
            let (base, len) = load_pair(at);
            own_list(base, len)
        }
    }
}

impl Release for str {
    unsafe fn release(at: *mut u8) {
        // SAFETY: passed on.
        unsafe { <[u8]>::release(at) }
    }
}
impl Release for String {
    unsafe fn release(at: *mut u8) {
        // SAFETY: passed on.
        unsafe { str::release(at) }
    }
}
impl LowerRef for str {
    fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch) {
        self.as_bytes().lower_ref(out, scratch);
    }
    unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { self.as_bytes().store_ref(at, scratch) }
    }
}
impl LowerRef for String {
    fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch) {
        self.as_bytes().lower_ref(out, scratch);
    }
    unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { self.as_bytes().store_ref(at, scratch) }
    }
}
impl Lower for String {
    fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
        self.into_bytes().lower(out, scratch);
    }
    unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { self.into_bytes().store(at, scratch) }
    }
}
impl Lift for String {
    unsafe fn lift(from: &mut FlatIn) -> Self {
        // SAFETY: the canonical ABI validates UTF-8 before it hands a string over.
        unsafe { Self::from_utf8_unchecked(<Vec<u8>>::lift(from)) }
    }
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { Self::from_utf8_unchecked(<Vec<u8>>::load(at)) }
    }
}

// SAFETY: as `T`; not `PLAIN`, for it is a pointer in Rust.
unsafe impl<T: Wit> Wit for Box<T> {
    const TYPE: Type = T::TYPE;
}
impl<T: Release> Release for Box<T> {
    unsafe fn release(at: *mut u8) {
        // SAFETY: passed on.
        unsafe { T::release(at) }
    }
}
impl<T: LowerRef> LowerRef for Box<T> {
    fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch) {
        (**self).lower_ref(out, scratch);
    }
    unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { (**self).store_ref(at, scratch) }
    }
}
impl<T: Lower> Lower for Box<T> {
    fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
        (*self).lower(out, scratch);
    }
    unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { (*self).store(at, scratch) }
    }
}
impl<T: Lift> Lift for Box<T> {
    unsafe fn lift(from: &mut FlatIn) -> Self {
        // SAFETY: passed on.
        Self::new(unsafe { T::lift(from) })
    }
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: passed on.
        Self::new(unsafe { T::load(at) })
    }
}
