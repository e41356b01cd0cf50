#![deny(warnings)]
#![no_std]
//! Without the standard library, and in unusual places.

mod hidden {
    #[wasm::effect()]
    pub(in crate::hidden) fn f() -> u32 {
        #[wasm::effect(clock)]
        fn nested() -> u32 {
            3
        }
        nested()
    }
    pub(crate) fn g() -> u32 {
        f()
    }
}

/// A trait with everything.
#[wasm::effect(io)]
pub trait Everything<T, const N: usize>: Sized {
    /// A constant.
    const SIZE: usize = N;
    /// A type.
    type Output<'a>
    where
        Self: 'a;
    /// By value.
    fn value(self) -> T;
    /// Provided.
    #[wasm::effect()]
    fn provided<'a>(&'a self, other: &'a T) -> &'a T {
        other
    }
    /// Static.
    fn make() -> Option<Self> {
        None
    }
}

/// A type.
pub struct Array<T, const N: usize>([T; N]);

impl<T: Copy, const N: usize> Everything<T, N> for Array<T, N> {
    type Output<'a>
        = &'a T
    where
        Self: 'a;
    #[wasm::effect(io)]
    fn value(self) -> T {
        self.0[hidden::g() as usize]
    }
}

impl<T: Copy> From<T> for Array<T, 1> {
    #[wasm::effect()]
    #[inline(always)]
    fn from(value: T) -> Self {
        Self([value])
    }
}

#[wasm::effect(..)]
#[allow(clippy::all)]
mod with_attributes {
    #![allow(unused)]
    use core::fmt;
    static COUNT: u32 = 3;
    #[cfg(any())]
    #[wasm::effect(no_such_effect_but_not_compiled)]
    fn not_there() {}
    #[cfg_attr(all(), inline)]
    #[wasm::effect()]
    pub fn there() {}
    #[derive(Debug, Clone)]
    pub struct S;
    impl fmt::Display for S {
        #[wasm::effect(user_defined_1)]
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("s")
        }
    }
}

#[wasm::effect()]
mod empty {}

#[wasm::import]
mod files {
    #[wasm::effect(fs)]
    pub struct File;
    #[wasm::effect(fs)]
    impl File {
        pub fn new() -> Self;
        #[wasm::effect()]
        pub fn number(&self) -> u32;
    }
}

/// Uses it.
pub fn size() -> u32 {
    files::File::new().number()
}
