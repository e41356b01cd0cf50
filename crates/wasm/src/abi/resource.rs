//! Resources: handles to what another component implements, and the Rust values behind the handles we give out.
//!
//! An exported resource's representation is the address of a heap [`Cell`]. The cell tracks borrows as `RefCell` does, for one call may
//! pass the same resource as `&mut self` and as an argument; it is empty once the value was moved out.

use super::{FlatIn, Lift, Resource};
use alloc::boxed::Box;
use core::borrow::{Borrow, BorrowMut};
use core::cell::{Ref, RefCell, RefMut};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;

/// A resource type that another component implements.
///
/// # Safety
///
/// `drop_handle` must be the canonical `resource.drop` of [`RESOURCE`](Self::RESOURCE).
pub unsafe trait Imported: Sized + 'static {
    /// The type.
    const RESOURCE: Resource;
    /// Drops a handle.
    fn drop_handle(handle: u32);
    /// The Rust value for a handle.
    fn from_handle(handle: Handle<Self>) -> Self;
    /// The handle of a Rust value.
    fn handle(&self) -> &Handle<Self>;
    /// The handle of a Rust value that is given away.
    fn into_handle(self) -> Handle<Self>;
}

/// A handle to an imported resource, dropped with it.
#[derive(Debug)]
pub struct Handle<R: Imported> {
    index: u32,
    resource: PhantomData<R>,
}

impl<R: Imported> Handle<R> {
    /// Takes over a handle.
    ///
    /// # Safety
    ///
    /// `index` must be a live handle to `R` that nobody else drops.
    #[must_use]
    pub unsafe fn from_index(index: u32) -> Self {
        Self {
            index,
            resource: PhantomData,
        }
    }

    /// The handle's index in the component's table.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Gives the handle away.
    #[must_use]
    pub fn into_index(self) -> u32 {
        ManuallyDrop::new(self).index
    }
}

impl<R: Imported> Drop for Handle<R> {
    fn drop(&mut self) {
        R::drop_handle(self.index);
    }
}

/// An imported resource that a caller lends for a call; the handle is dropped at its end, as the canonical ABI wants.
#[derive(Debug)]
pub struct Lent<R: Imported>(R);

impl<R: Imported> Borrow<R> for Lent<R> {
    fn borrow(&self) -> &R {
        &self.0
    }
}

// SAFETY: one `i32`, the index of a `borrow` handle.
unsafe impl<R: Imported> super::Wit for Lent<R> {
    const TYPE: super::Type = super::Type::Borrow(&R::RESOURCE);
}
impl<R: Imported> Lift for Lent<R> {
    unsafe fn lift(from: &mut FlatIn) -> Self {
        // SAFETY: the caller vouches for a `borrow` of this type, which the callee drops.
        Self(R::from_handle(unsafe { Handle::from_index(from.word()) }))
    }
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: as above.
        Self(R::from_handle(unsafe {
            Handle::from_index(at.cast::<u32>().read())
        }))
    }
}

/// A resource type that this component implements.
///
/// # Safety
///
/// The three functions must be the canonical built-ins of [`RESOURCE`](Self::RESOURCE), and its destructor must be [`dtor`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resource of this component, so it cannot be borrowed mutably from a caller",
    label = "take this by value, or make it a resource",
    note = "a type becomes a resource by `#[wasm::export] impl {Self} {{ … }}`"
)]
pub unsafe trait Exported: Sized + 'static {
    /// The type.
    const RESOURCE: Resource;
    /// `resource.new`: a handle for a representation.
    fn resource_new(rep: *mut u8) -> u32;
    /// `resource.rep`: the representation behind a handle of ours.
    fn resource_rep(handle: u32) -> *mut u8;
    /// `resource.drop`.
    fn resource_drop(handle: u32);
}

/// What an exported resource's handle stands for.
#[derive(Debug)]
pub struct Cell<R>(RefCell<Option<R>>);

/// Makes a handle for a value.
pub fn give<R: Exported>(value: R) -> u32 {
    let cell = Box::new(Cell(RefCell::new(Some(value))));
    R::resource_new(Box::into_raw(cell).cast())
}

/// Moves the value behind an owned handle out, and drops the handle.
///
/// # Panics
///
/// When the value is borrowed, which only a host that breaks the canonical ABI can bring about.
///
/// # Safety
///
/// `handle` must be an owned handle that [`give`] made for this type.
pub unsafe fn take<R: Exported>(handle: u32) -> R {
    let cell = R::resource_rep(handle).cast::<Cell<R>>();
    // SAFETY: the representation is the cell that `give` leaked, alive as long as its handle is.
    let value = unsafe { &(*cell).0 }.borrow_mut().take();
    R::resource_drop(handle);
    match value {
        Some(value) => value,
        None => moved_out(R::RESOURCE.name),
    }
}

/// The destructor of an exported resource.
///
/// # Safety
///
/// `rep` must be the representation of a resource whose last handle is gone.
pub unsafe fn dtor<R: Exported>(rep: *mut u8) {
    // SAFETY: made by `give` from a box of this type; the canonical ABI calls destructors once.
    drop(unsafe { Box::from_raw(rep.cast::<Cell<R>>()) });
}

#[cold]
#[inline(never)]
fn moved_out(name: &str) -> ! {
    panic!("a `{name}` was used after its value was moved out")
}

/// A resource of ours that a caller lends for a call.
#[derive(Debug)]
pub struct BorrowGuard<R: Exported>(Ref<'static, R>);

impl<R: Exported> Borrow<R> for BorrowGuard<R> {
    fn borrow(&self) -> &R {
        &self.0
    }
}

impl<R: Exported> BorrowGuard<R> {
    /// Borrows from a representation.
    ///
    /// # Panics
    ///
    /// When the same call holds it mutably.
    ///
    /// # Safety
    ///
    /// `rep` must be a representation that [`give`] made and that outlives the guard.
    #[must_use]
    pub unsafe fn new(rep: *mut u8) -> Self {
        // SAFETY: the caller vouches that the cell is alive.
        let cell: &'static Cell<R> = unsafe { &*rep.cast() };
        let Ok(guard) = cell.0.try_borrow() else {
            conflict(R::RESOURCE.name)
        };
        let Ok(guard) = Ref::filter_map(guard, Option::as_ref) else {
            moved_out(R::RESOURCE.name)
        };
        Self(guard)
    }
}

#[cold]
#[inline(never)]
fn conflict(name: &str) -> ! {
    panic!("a `{name}` was passed twice to one call that changes it")
}

/// A resource of ours that a caller lends for a call which may change it.
#[derive(Debug)]
pub struct BorrowMutGuard<R: Exported>(RefMut<'static, R>);

impl<R: Exported> Borrow<R> for BorrowMutGuard<R> {
    fn borrow(&self) -> &R {
        &self.0
    }
}

impl<R: Exported> BorrowMut<R> for BorrowMutGuard<R> {
    fn borrow_mut(&mut self) -> &mut R {
        &mut self.0
    }
}

impl<R: Exported> BorrowMutGuard<R> {
    /// Borrows from a representation.
    ///
    /// # Panics
    ///
    /// When the same call holds it already.
    ///
    /// # Safety
    ///
    /// As for [`BorrowGuard::new`].
    #[must_use]
    pub unsafe fn new(rep: *mut u8) -> Self {
        // SAFETY: the caller vouches that the cell is alive.
        let cell: &'static Cell<R> = unsafe { &*rep.cast() };
        let Ok(guard) = cell.0.try_borrow_mut() else {
            conflict(R::RESOURCE.name)
        };
        let Ok(guard) = RefMut::filter_map(guard, Option::as_mut) else {
            moved_out(R::RESOURCE.name)
        };
        Self(guard)
    }
}

macro_rules! guards {
    ($($guard:ident),*) => {$(
        // SAFETY: one `i32`, the representation, as the implementing component receives a `borrow`.
        unsafe impl<R: Exported> super::Wit for $guard<R> {
            const TYPE: super::Type = super::Type::Borrow(&R::RESOURCE);
        }
        impl<R: Exported> Lift for $guard<R> {
            unsafe fn lift(from: &mut FlatIn) -> Self {
                let rep = core::ptr::with_exposed_provenance_mut(from.address());
                // SAFETY: the caller vouches for a `borrow` of this type.
                unsafe { Self::new(rep) }
            }
            unsafe fn load(at: *const u8) -> Self {
                // SAFETY: a `borrow` is stored as the low 32 bits of the representation, the whole of it on wasm32.
                unsafe { Self::new(core::ptr::with_exposed_provenance_mut(at.cast::<u32>().read() as usize)) }
            }
        }
    )*};
}
guards!(BorrowGuard, BorrowMutGuard);
