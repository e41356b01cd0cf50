//! `option`, `result` and tuples.

use super::{
    FlatIn, FlatOut, Lift, Lower, LowerRef, Release, Scratch, Type, Wit, align_to,
    discriminant_size,
};

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// A malformed discriminant means that the host broke the canonical ABI.
#[cold]
#[inline(never)]
pub fn case_out_of_range(case: u32, ty: &str) -> ! {
    panic!("the host passed case {case} of `{ty}`, which has fewer")
}

// SAFETY: a tag byte, then the payload at its alignment.
unsafe impl<T: Wit> Wit for Option<T> {
    const TYPE: Type = {
        assert!(
            !matches!(T::TYPE, Type::Unit),
            "`Option<()>` has no WIT type: use `bool`"
        );
        Type::Option(&T::TYPE)
    };
}

macro_rules! option_out {
    ($trait:ident, $this:ident, [$($receiver:tt)*], $lower:ident, $store:ident) => {
        impl<T: $trait> $trait for Option<T> {
            fn $lower($($receiver)*, out: &mut FlatOut, scratch: &mut Scratch) {
                match $this {
                    None => out.case(0, T::FLAT, |_| {}),
                    Some(value) => out.case(1, T::FLAT, |out| value.$lower(out, scratch)),
                }
            }
            unsafe fn $store($($receiver)*, at: *mut u8, scratch: &mut Scratch) {
                // SAFETY: the payload lies at its offset within the caller's `SIZE` bytes.
                unsafe {
                    match $this {
                        None => at.write(0),
                        Some(value) => {
                            at.write(1);
                            value.$store(at.add(Self::TYPE.payload_offset()), scratch);
                        }
                    }
                }
            }
        }
    };
}
option_out!(LowerRef, self, [&self], lower_ref, store_ref);
option_out!(Lower, self, [self], lower, store);
impl<T: Release> Release for Option<T> {
    unsafe fn release(at: *mut u8) {
        // SAFETY: a stored option; only a present payload is released.
        unsafe {
            if at.read() != 0 {
                T::release(at.add(Self::TYPE.payload_offset()));
            }
        }
    }
}
impl<T: Lift> Lift for Option<T> {
    unsafe fn lift(from: &mut FlatIn) -> Self {
        let present = from.word() != 0;
        from.case(T::FLAT, |from| {
            // SAFETY: the tag says that a payload follows.
            present.then(|| unsafe { T::lift(from) })
        })
    }
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the tag says whether a payload is stored.
        unsafe { (at.read() != 0).then(|| T::load(at.add(Self::TYPE.payload_offset()))) }
    }
}
impl<T: Lift> super::Borrowed for Option<T> {
    type Holder = Self;
}

// SAFETY: a tag byte, then either payload at the larger alignment.
unsafe impl<T: Wit, E: Wit> Wit for Result<T, E> {
    const TYPE: Type = Type::Result(&T::TYPE, &E::TYPE);
}

macro_rules! result_out {
    ($trait:ident, $this:ident, [$($receiver:tt)*], $lower:ident, $store:ident) => {
        impl<T: $trait, E: $trait> $trait for Result<T, E> {
            fn $lower($($receiver)*, out: &mut FlatOut, scratch: &mut Scratch) {
                let payload = const { max(T::FLAT, E::FLAT) };
                match $this {
                    Ok(value) => out.case(0, payload, |out| value.$lower(out, scratch)),
                    Err(error) => out.case(1, payload, |out| error.$lower(out, scratch)),
                }
            }
            unsafe fn $store($($receiver)*, at: *mut u8, scratch: &mut Scratch) {
                // SAFETY: the payload lies at its offset within the caller's `SIZE` bytes.
                unsafe {
                    let payload = at.add(Self::TYPE.payload_offset());
                    match $this {
                        Ok(value) => {
                            at.write(0);
                            value.$store(payload, scratch);
                        }
                        Err(error) => {
                            at.write(1);
                            error.$store(payload, scratch);
                        }
                    }
                }
            }
        }
    };
}
result_out!(LowerRef, self, [&self], lower_ref, store_ref);
result_out!(Lower, self, [self], lower, store);
impl<T: Release, E: Release> Release for Result<T, E> {
    unsafe fn release(at: *mut u8) {
        // SAFETY: a stored result; the payload that the tag names is released.
        unsafe {
            let payload = at.add(Self::TYPE.payload_offset());
            if at.read() == 0 {
                T::release(payload)
            } else {
                E::release(payload)
            }
        }
    }
}
impl<T: Lift, E: Lift> Lift for Result<T, E> {
    unsafe fn lift(from: &mut FlatIn) -> Self {
        let case = from.word();
        from.case(const { max(T::FLAT, E::FLAT) }, |from| {
            // SAFETY: the tag says which payload follows.
            unsafe {
                match case {
                    0 => Ok(T::lift(from)),
                    1 => Err(E::lift(from)),
                    _ => case_out_of_range(case, "result"),
                }
            }
        })
    }
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the tag says which payload is stored.
        unsafe {
            let payload = at.add(Self::TYPE.payload_offset());
            match at.read() {
                0 => Ok(T::load(payload)),
                1 => Err(E::load(payload)),
                case => case_out_of_range(case.into(), "result"),
            }
        }
    }
}

/// Writes the number of a variant's case.
///
/// # Safety
///
/// `at` must be the aligned start of a variant with `cases` cases.
#[inline(always)]
pub unsafe fn store_tag(at: *mut u8, case: u32, cases: usize) {
    // SAFETY: the caller vouches.
    unsafe {
        match discriminant_size(cases) {
            1 => at.write(case as u8),
            2 => at.cast::<u16>().write(case as u16),
            _ => at.cast::<u32>().write(case),
        }
    }
}

/// Reads the number of a variant's case.
///
/// # Safety
///
/// `at` must hold a variant with `cases` cases.
#[inline(always)]
#[must_use]
pub unsafe fn load_tag(at: *const u8, cases: usize) -> u32 {
    // SAFETY: the caller vouches.
    unsafe {
        match discriminant_size(cases) {
            1 => at.read().into(),
            2 => at.cast::<u16>().read().into(),
            _ => at.cast::<u32>().read(),
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+);)*) => {$(
        // SAFETY: the fields one after the other at their alignments.
        unsafe impl<$($name: Wit),+> Wit for ($($name,)+) {
            const TYPE: Type = {
                $(assert!(!matches!($name::TYPE, Type::Unit), "`()` has no WIT type of its own: leave it out of the tuple");)+
                Type::Tuple(&[$(&$name::TYPE),+])
            };
        }
        impl<$($name: Release),+> Release for ($($name,)+) {
            unsafe fn release(at: *mut u8) {
                let mut end = 0;
                // SAFETY: as above; each field is released once.
                unsafe { $($name::release(at.add(field::<$name>(&mut end)));)+ }
            }
        }
        impl<$($name: LowerRef),+> LowerRef for ($($name,)+) {
            fn lower_ref(&self, out: &mut FlatOut, scratch: &mut Scratch) {
                $(self.$index.lower_ref(out, scratch);)+
            }
            unsafe fn store_ref(&self, at: *mut u8, scratch: &mut Scratch) {
                let mut end = 0;
                // SAFETY: each field lies at its offset within the caller's `SIZE` bytes.
                unsafe { $(self.$index.store_ref(at.add(field::<$name>(&mut end)), scratch);)+ }
            }
        }
        impl<$($name: Lower),+> Lower for ($($name,)+) {
            fn lower(self, out: &mut FlatOut, scratch: &mut Scratch) {
                $(self.$index.lower(out, scratch);)+
            }
            unsafe fn store(self, at: *mut u8, scratch: &mut Scratch) {
                let mut end = 0;
                // SAFETY: as above.
                unsafe { $(self.$index.store(at.add(field::<$name>(&mut end)), scratch);)+ }
            }
        }
        impl<$($name: Lift),+> Lift for ($($name,)+) {
            unsafe fn lift(from: &mut FlatIn) -> Self {
                // SAFETY: the fields follow each other.
                unsafe { ($($name::lift(from),)+) }
            }
            unsafe fn load(at: *const u8) -> Self {
                let mut end = 0;
                // SAFETY: each field lies at its offset.
                unsafe { ($($name::load(at.add(field::<$name>(&mut end))),)+) }
            }
        }
        impl<$($name: Lift),+> super::Borrowed for ($($name,)+) {
            type Holder = Self;
        }
    )*};
}

/// The offset of the next field of type `T`, given the `end` of those before it, which it moves on.
#[inline(always)]
pub fn field<T: Wit>(end: &mut usize) -> usize {
    let start = align_to(*end, T::ALIGN);
    *end = start + T::SIZE;
    start
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
}
