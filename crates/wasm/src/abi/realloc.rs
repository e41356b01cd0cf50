//! Memory that the other side of a boundary asks this component for.
//!
//! The host stores strings and lists that arrive with `cabi_realloc`; `Lift` then owns that memory as if Rust had allocated it.
//! The symbol lives in an object of its own kind: when a library built on wit-bindgen is linked in, its archived definition of
//! the same symbol is not pulled, and both use Rust's global allocator.

use alloc::alloc::{Layout, alloc, handle_alloc_error};

/// Allocates `size` bytes, or names an aligned address when `size` is 0.
///
/// # Panics
///
/// When `size` rounded up to `align` exceeds the address space.
#[must_use]
pub fn allocate(size: usize, align: usize) -> *mut u8 {
    if size == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    let Ok(layout) = Layout::from_size_align(size, align) else {
        panic!("a value of {size} bytes does not fit in memory");
    };
    // SAFETY: the layout's size is not zero.
    let pointer = unsafe { alloc(layout) };
    if pointer.is_null() {
        handle_alloc_error(layout);
    }
    pointer
}

/// Frees what [`allocate`] returned.
///
/// # Safety
///
/// `pointer` must come from the global allocator with this size and alignment, and must not be used afterwards.
pub(super) unsafe fn free(pointer: *mut u8, size: usize, align: usize) {
    if size != 0 {
        // SAFETY: the caller vouches that the layout was valid when it was allocated.
        unsafe { alloc::alloc::dealloc(pointer, Layout::from_size_align_unchecked(size, align)) }
    }
}

#[cfg(target_arch = "wasm32")]
mod symbol {
    use alloc::alloc::{Layout, handle_alloc_error, realloc};

    /// The canonical ABI's allocator.
    ///
    /// # Safety
    ///
    /// As the canonical ABI says: `old` is an allocation of `old_size` bytes by this function, or `old_size` is 0.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn cabi_realloc(
        old: *mut u8,
        old_size: usize,
        align: usize,
        new_size: usize,
    ) -> *mut u8 {
        if old_size == 0 {
            return super::allocate(new_size, align);
        }
        // SAFETY: `old` was allocated with this layout.
        let layout = unsafe { Layout::from_size_align_unchecked(old_size, align) };
        // SAFETY: the canonical ABI never shrinks to zero and keeps sizes below the address space.
        let pointer = unsafe { realloc(old, layout, new_size) };
        if pointer.is_null() {
            handle_alloc_error(layout);
        }
        pointer
    }
}
