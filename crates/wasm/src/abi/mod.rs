//! How Rust values cross a component boundary: the canonical ABI as a family of traits.
//!
//! | trait | says | implemented by |
//! |---|---|---|
//! | [`Wit`] | which WIT type it is | everything below |
//! | [`Lower`] | how a value leaves | owned values, `&T` where `T: LowerRef`, `&Resource` |
//! | [`LowerRef`] | how a borrowed value leaves | values without handles in them |
//! | [`Release`] | what to free once the receiver has read it | everything above |
//! | [`Lift`] | how a value arrives | owned values |
//! | [`Borrowed`] | what holds a value that arrives for a `&T` parameter | `str`, slices, derived types, resources |
//!
//! Nothing here needs to be named by hand: `#[wasm::export]`, `#[wasm::import]` and the derives do it.
//!
//! # Design
//!
//! Core values travel as 64 bits in an array of slots, whatever their core type; a slot becomes an `i32`, `i64`, `f32` or `f64`
//! only in the `extern "C"` signature. The canonical ABI's rule for overlapping variant cases then needs no code: an `f32` that
//! shares its slot with an `i64` is the low 32 bits of the slot either way. With inlining, the array disappears.
//!
//! # Invariants
//!
//! * `store` writes at most [`Wit::SIZE`] bytes, `lower` writes exactly [`Wit::FLAT`] slots.
//! * After `lower` or `store` the callee owns every allocation and handle reachable from what was written, except those kept
//!   by [`Scratch`].
//! * `lift` and `load` consume: each written value is read at most once.

mod call;
mod compound;
mod encode;
mod flat;
mod list;
mod primitive;
mod realloc;
mod resource;
mod types;

pub use call::{Area, Incoming, Outgoing, deliver, receive, release};
pub use compound::{case_out_of_range, field, load_tag, store_tag};
pub use encode::{
    Direction, Function, Interface, Item, Param, ResourceItem, Role, SECTION, encode, encoded_len,
};
pub use flat::{Absent, Core, FlatIn, FlatOut, Slot, SlotType};
pub use list::Scratch;
pub use realloc::allocate;
pub use resource::{
    BorrowGuard, BorrowMutGuard, Cell, Exported, Handle, Imported, Lent, dtor, give, take,
};
pub use types::{
    FlatTypes, Kind, Layout, MAX_FLAT_PARAMS, MAX_SLOTS, Member, Named, Resource, Signature, Type,
    align_to, core_kind, discriminant_size, tuple_layout,
};

/// A Rust type that has a WIT type.
///
/// # Safety
///
/// `TYPE` must describe exactly what the type's [`Lower`], [`LowerRef`] and [`Lift`] implementations write and read, and `PLAIN`
/// may be `true` only if the type's representation in Rust is its canonical one and every bit pattern is valid.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no WIT type, so it cannot be used in a component's interface",
    label = "this type cannot cross a component boundary",
    note = "these can: `bool`, `u8` to `u64`, `i8` to `i64`, `f32`, `f64`, `char`, `String`, `Vec<T>`, `Option<T>`, `Result<T, E>`, \
            tuples, resources, and, as parameters, `&str`, `&[T]` and `&T`",
    note = "for a type of your own, write `#[derive(wasm::Record)]`, `wasm::Variant`, `wasm::Enum` or `wasm::Flags`; pass a map as \
            `Vec<(K, V)>`, and `usize` as `u32` or `u64`"
)]
pub unsafe trait Wit {
    /// The WIT type.
    const TYPE: Type;
    /// Whether a slice of it can be handed over as it lies in memory.
    const PLAIN: bool = false;
    /// Size in linear memory.
    const SIZE: usize = Self::TYPE.layout().size;
    /// Alignment in linear memory.
    const ALIGN: usize = Self::TYPE.layout().align;
    /// Number of core values.
    const FLAT: usize = Self::TYPE.flat_count();
}

/// How memory that a stored value owns is freed after the receiver has read it.
///
/// Handles are left alone: they belong to the receiver.
pub trait Release: Wit {
    /// Frees what the value stored at `at` owns in linear memory.
    ///
    /// # Safety
    ///
    /// `at` must hold a value that was stored with [`Scratch::handing_over`], and that is released once only.
    unsafe fn release(at: *mut u8) {
        let _ = at;
    }
}

/// A value that can leave this component.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot leave the component",
    label = "this type cannot be passed out",
    note = "return owned values (`String` rather than `&str`, `Vec<T>` rather than `&[T]`); for a type of your own, write \
            `#[derive(wasm::Record)]`, `wasm::Variant`, `wasm::Enum` or `wasm::Flags`"
)]
pub trait Lower: Release + Sized {
    /// Writes the value as core values.
    fn lower(self, out: &mut FlatOut, scratch: &mut Scratch);

    /// Writes the value to memory.
    ///
    /// # Safety
    ///
    /// `at` must be valid for writes of [`Wit::SIZE`] bytes and aligned to [`Wit::ALIGN`].
    unsafe fn store(self, at: *mut u8, scratch: &mut Scratch);
}

/// A value that can leave this component while Rust keeps it: anything without handles in it.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be passed by reference",
    label = "pass this by value",
    note = "values that hold resources move to the receiver"
)]
pub trait LowerRef: Release {
    /// Writes the value as core values.
    fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch);

    /// Writes the value to memory.
    ///
    /// # Safety
    ///
    /// As for [`Lower::store`].
    unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch);
}

/// A value that can arrive in this component.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot arrive in the component",
    label = "this type cannot be passed in",
    note = "take `&str`, `&[T]`, `&T` or an owned value; for a type of your own, write `#[derive(wasm::Record)]`, `wasm::Variant`, \
            `wasm::Enum` or `wasm::Flags`"
)]
pub trait Lift: Wit + Sized {
    /// Reads a value from core values.
    ///
    /// # Safety
    ///
    /// The slots must hold a value of this type as the canonical ABI passes it, which is read once only.
    unsafe fn lift(from: &mut FlatIn) -> Self;

    /// Reads a value from memory.
    ///
    /// # Safety
    ///
    /// `at` must be aligned and hold a value of this type as the canonical ABI stores it, which is read once only.
    unsafe fn load(at: *const u8) -> Self;
}

/// A type that an exported function may take by reference.
#[diagnostic::on_unimplemented(
    message = "an exported function cannot take a `&{Self}`",
    label = "take this by value",
    note = "references can be taken to `str`, slices, `String`, `Vec<T>`, resources and types with a `wasm` derive"
)]
pub trait Borrowed {
    /// What holds the value during the call.
    type Holder: Lift + core::borrow::Borrow<Self>;
}

/// What an import does when it is called outside a component, as in a unit test.
#[cold]
#[inline(never)]
pub fn not_in_a_component(what: &str) -> ! {
    panic!("`{what}` is supplied by a component's host, and this program runs outside of one")
}
