//! Numbers, `bool`, `char` and the unit type.

use super::{Borrowed, FlatIn, FlatOut, Lift, Lower, LowerRef, Release, Scratch, Type, Wit};

macro_rules! numbers {
    ($($rust:ty, $wit:ident, |$out:ident, $value:ident| $lower:expr, |$from:ident| $lift:expr;)*) => {$(
        // SAFETY: numbers are stored little-endian at their natural alignment, as wasm32 does, and have no invalid patterns.
        unsafe impl Wit for $rust {
            const TYPE: Type = Type::$wit;
            const PLAIN: bool = true;
        }
        impl Release for $rust {}
        impl LowerRef for $rust {
            #[inline(always)]
            fn lower_ref(&self, $out: &mut FlatOut, _: &mut Scratch) {
                let $value = *self;
                $lower
            }
            #[inline(always)]
            unsafe fn store_ref(&self, at: *mut u8, _: &mut Scratch) {
                // SAFETY: the caller vouches for size and alignment.
                unsafe { at.cast::<$rust>().write(*self) }
            }
        }
        impl Lower for $rust {
            #[inline(always)]
            fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
                self.lower_ref(out, scratch);
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
                // SAFETY: passed on.
                unsafe { self.store_ref(at, scratch) }
            }
        }
        impl Lift for $rust {
            #[inline(always)]
            unsafe fn lift($from: &mut FlatIn) -> Self {
                $lift
            }
            #[inline(always)]
            unsafe fn load(at: *const u8) -> Self {
                // SAFETY: the caller vouches for size and alignment; every bit pattern is a number.
                unsafe { at.cast::<$rust>().read() }
            }
        }
    )*};
}

numbers! {
    u8, U8, |out, v| out.word(u32::from(v)), |from| from.word() as u8;
    i8, S8, |out, v| out.word(i32::from(v) as u32), |from| from.word() as i8;
    u16, U16, |out, v| out.word(u32::from(v)), |from| from.word() as u16;
    i16, S16, |out, v| out.word(i32::from(v) as u32), |from| from.word() as i16;
    u32, U32, |out, v| out.word(v), |from| from.word();
    i32, S32, |out, v| out.word(v as u32), |from| from.word() as i32;
    u64, U64, |out, v| out.bits(v), |from| from.bits();
    i64, S64, |out, v| out.bits(v as u64), |from| from.bits() as i64;
    f32, F32, |out, v| out.word(v.to_bits()), |from| f32::from_bits(from.word());
    f64, F64, |out, v| out.bits(v.to_bits()), |from| f64::from_bits(from.bits());
}

// SAFETY: a byte that is 0 or 1; not `PLAIN`, for other bytes are no `bool`.
unsafe impl Wit for bool {
    const TYPE: Type = Type::Bool;
}
impl Release for bool {}
impl LowerRef for bool {
    #[inline(always)]
    fn lower_ref(&self, out: &mut FlatOut, _: &mut Scratch) {
        out.word(u32::from(*self));
    }
    #[inline(always)]
    unsafe fn store_ref(&self, at: *mut u8, _: &mut Scratch) {
        // SAFETY: the caller vouches for one byte.
        unsafe { at.write(u8::from(*self)) }
    }
}
impl Lower for bool {
    #[inline(always)]
    fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
        self.lower_ref(out, scratch);
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { self.store_ref(at, scratch) }
    }
}
impl Lift for bool {
    #[inline(always)]
    unsafe fn lift(from: &mut FlatIn) -> Self {
        from.word() != 0
    }
    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller vouches for one byte; any byte is accepted.
        unsafe { at.read() != 0 }
    }
}

/// The canonical ABI guarantees a scalar value; a host that breaks it must not cause undefined behaviour here.
#[inline(always)]
fn scalar_value(code: u32) -> char {
    match char::from_u32(code) {
        Some(c) => c,
        None => panic!("the host passed {code:#x} as a `char`"),
    }
}

// SAFETY: a 32-bit scalar value; not `PLAIN`, for surrogates are no `char`.
unsafe impl Wit for char {
    const TYPE: Type = Type::Char;
}
impl Release for char {}
impl LowerRef for char {
    #[inline(always)]
    fn lower_ref(&self, out: &mut FlatOut, _: &mut Scratch) {
        out.word(u32::from(*self));
    }
    #[inline(always)]
    unsafe fn store_ref(&self, at: *mut u8, _: &mut Scratch) {
        // SAFETY: the caller vouches for size and alignment.
        unsafe { at.cast::<u32>().write(u32::from(*self)) }
    }
}
impl Lower for char {
    #[inline(always)]
    fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
        self.lower_ref(out, scratch);
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { self.store_ref(at, scratch) }
    }
}
impl Lift for char {
    #[inline(always)]
    unsafe fn lift(from: &mut FlatIn) -> Self {
        scalar_value(from.word())
    }
    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller vouches for size and alignment.
        scalar_value(unsafe { at.cast::<u32>().read() })
    }
}

// SAFETY: nothing is written or read.
unsafe impl Wit for () {
    const TYPE: Type = Type::Unit;
}
impl Release for () {}
impl LowerRef for () {
    #[inline(always)]
    fn lower_ref(&self, _: &mut FlatOut, _: &mut Scratch) {}
    #[inline(always)]
    unsafe fn store_ref(&self, _: *mut u8, _: &mut Scratch) {}
}
impl Lower for () {
    #[inline(always)]
    fn lower(self, _: &mut FlatOut, _: &mut Scratch) {}
    #[inline(always)]
    unsafe fn store(self, _: *mut u8, _: &mut Scratch) {}
}
impl Lift for () {
    #[inline(always)]
    unsafe fn lift(_: &mut FlatIn) -> Self {}
    #[inline(always)]
    unsafe fn load(_: *const u8) -> Self {}
}

// SAFETY: written as the value it refers to.
unsafe impl<T: LowerRef + ?Sized> Wit for &T {
    const TYPE: Type = T::TYPE;
}
impl<T: LowerRef + ?Sized> Release for &T {
    #[inline(always)]
    unsafe fn release(at: *mut u8) {
        // SAFETY: passed on.
        unsafe { T::release(at) }
    }
}
impl<T: LowerRef + ?Sized> Lower for &T {
    #[inline(always)]
    fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
        self.lower_ref(out, scratch);
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { self.store_ref(at, scratch) }
    }
}
impl<T: LowerRef + ?Sized> LowerRef for &T {
    #[inline(always)]
    fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch) {
        (**self).lower_ref(out, scratch);
    }
    #[inline(always)]
    unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch) {
        // SAFETY: passed on.
        unsafe { (**self).store_ref(at, scratch) }
    }
}

impl Borrowed for str {
    type Holder = alloc::string::String;
}
impl Borrowed for alloc::string::String {
    type Holder = Self;
}
impl<T: Lift> Borrowed for [T] {
    type Holder = alloc::vec::Vec<T>;
}
impl<T: Lift> Borrowed for alloc::vec::Vec<T> {
    type Holder = Self;
}
