//! Owned handles of things that live outside: in a browser, a host, another component.

use crate::linear::{Linear, Token};
use core::fmt;

/// The owner of a [`Handle`] that names none.
#[derive(Debug)]
pub enum Unnamed {}

impl Linear for Unnamed {
    const LOST: &'static str = "a `wasm::Handle` is lost: it can be dropped without reaching a consumer\n\
        help: take the value that holds it apart in a function marked `#[wasm::consume]`, and give the handle back with `into_raw`";
}

/// A number that stands for something outside, and that must be given back: it is linear, neither `Copy` nor `Clone`.
///
/// The parameter is the linear type it is part of; naming it makes messages about lost values name it, too.
///
/// ```
/// #[wasm::linear]
/// struct CanvasContext(wasm::Handle);
///
/// impl CanvasContext {
///     fn into_raw(self) -> u32 {
///         let Self(handle) = self;
///         handle.into_raw()
///     }
/// }
///
/// let canvas = CanvasContext(wasm::Handle::from_raw(7));
/// assert_eq!(canvas.0.as_raw(), 7);
/// assert_eq!(canvas.into_raw(), 7);
/// ```
#[must_use = "a handle must be given back"]
#[repr(transparent)]
pub struct Handle<T: Linear = Unnamed> {
    raw: u32,
    owner: Token<T>,
}

impl<T: Linear> Handle<T> {
    /// Takes ownership of a handle that came from outside.
    #[inline]
    pub const fn from_raw(raw: u32) -> Self {
        Self {
            raw,
            owner: Token::new(),
        }
    }

    /// The number, to pass to a call that borrows what the handle stands for.
    #[inline]
    pub const fn as_raw(&self) -> u32 {
        self.raw
    }

    /// Gives the handle up: what it stands for belongs to whoever gets the number.
    #[inline]
    #[must_use = "the number is all that is left of the handle"]
    pub fn into_raw(self) -> u32 {
        let Self { raw, owner } = self;
        owner.consume();
        raw
    }
}

impl<T: Linear> Linear for Handle<T> {
    const LOST: &'static str = T::LOST;
}

impl<T: Linear> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.raw).finish()
    }
}
