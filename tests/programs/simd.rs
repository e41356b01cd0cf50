//! Vectors: every operation of `core::arch::wasm32` that has a lowering of its own, on pseudo-random lanes.
use std::arch::wasm32::*;

struct Lanes(u64);

impl Lanes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn vector(&mut self) -> v128 {
        u64x2(self.next(), self.next())
    }

    fn singles(&mut self) -> v128 {
        let mut lane = || (self.next() as i32 as f32) / 1000.0;
        f32x4(lane(), lane(), lane(), lane())
    }

    fn doubles(&mut self) -> v128 {
        let mut lane = || (self.next() as i64 as f64) / 1.0e12;
        f64x2(lane(), lane())
    }
}

#[target_feature(enable = "simd128")]
fn show(name: &str, v: v128) {
    println!("{name} {:016x}{:016x}", u64x2_extract_lane::<1>(v), u64x2_extract_lane::<0>(v));
}

macro_rules! two {
    ($a:expr, $b:expr, $($name:ident)*) => { $(show(stringify!($name), $name($a, $b));)* };
}

macro_rules! one {
    ($a:expr, $($name:ident)*) => { $(show(stringify!($name), $name($a));)* };
}

macro_rules! number {
    ($a:expr, $($name:ident)*) => { $(println!("{} {}", stringify!($name), $name($a));)* };
}

#[target_feature(enable = "simd128")]
fn integers(a: v128, b: v128) {
    two!(a, b, i8x16_add i8x16_sub i16x8_add i16x8_sub i16x8_mul i32x4_add i32x4_sub i32x4_mul i64x2_add i64x2_sub i64x2_mul
        i8x16_add_sat u8x16_add_sat i8x16_sub_sat u8x16_sub_sat i16x8_add_sat u16x8_add_sat i16x8_sub_sat u16x8_sub_sat
        i8x16_eq i8x16_ne i8x16_lt u8x16_lt i8x16_gt u8x16_gt i8x16_le u8x16_le i8x16_ge u8x16_ge
        i16x8_lt u16x8_lt i16x8_ge u16x8_ge i32x4_eq i32x4_lt u32x4_lt i32x4_le u32x4_le i32x4_gt u32x4_gt
        i64x2_eq i64x2_ne i64x2_lt i64x2_gt i64x2_le i64x2_ge
        i8x16_min u8x16_min i8x16_max u8x16_max i16x8_min u16x8_max i32x4_min u32x4_max
        v128_and v128_or v128_xor v128_andnot i8x16_swizzle
        u8x16_avgr u16x8_avgr i16x8_q15mulr_sat i32x4_dot_i16x8
        i8x16_narrow_i16x8 u8x16_narrow_i16x8 i16x8_narrow_i32x4 u16x8_narrow_i32x4
        i16x8_extmul_low_i8x16 i16x8_extmul_high_i8x16 u16x8_extmul_low_u8x16 u32x4_extmul_high_u16x8 i64x2_extmul_low_i32x4);
    one!(a, i8x16_neg i16x8_neg i32x4_neg i64x2_neg i8x16_abs i16x8_abs i32x4_abs i64x2_abs i8x16_popcnt v128_not
        i16x8_extend_low_i8x16 i16x8_extend_high_i8x16 u16x8_extend_low_u8x16 i32x4_extend_low_i16x8 u32x4_extend_high_u16x8
        i64x2_extend_low_i32x4 u64x2_extend_high_u32x4
        i16x8_extadd_pairwise_i8x16 i16x8_extadd_pairwise_u8x16 i32x4_extadd_pairwise_i16x8);
    number!(a, v128_any_true i8x16_all_true i16x8_all_true i32x4_all_true i64x2_all_true
        i8x16_bitmask i16x8_bitmask i32x4_bitmask i64x2_bitmask);
    for by in [0, 1, 7, 8, 31, 33] {
        show("shl", i8x16_shl(a, by));
        show("shr", i16x8_shr(a, by));
        show("shr u", u32x4_shr(a, by));
        show("shr s", i64x2_shr(a, by));
    }
    show("bitselect", v128_bitselect(a, b, i8x16_lt(a, b)));
    show("shuffle", i8x16_shuffle::<0, 31, 2, 29, 4, 27, 6, 25, 8, 23, 10, 21, 12, 19, 14, 17>(a, b));
    show("shuffle wide", i32x4_shuffle::<3, 6, 1, 4>(a, b));
    show("replace", i16x8_replace_lane::<5>(a, -3));
    println!("lanes {} {}", i8x16_extract_lane::<9>(a), u8x16_extract_lane::<9>(a));
    show("splat", i16x8_splat(-2));
    show("const", i8x16(1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16));
}

#[target_feature(enable = "simd128")]
fn floats(a: v128, b: v128, c: v128, d: v128) {
    two!(a, b, f32x4_add f32x4_sub f32x4_mul f32x4_div f32x4_min f32x4_max f32x4_pmin f32x4_pmax
        f32x4_eq f32x4_ne f32x4_lt f32x4_gt f32x4_le f32x4_ge);
    two!(c, d, f64x2_add f64x2_sub f64x2_mul f64x2_div f64x2_min f64x2_max f64x2_eq f64x2_lt f64x2_ge);
    one!(a, f32x4_abs f32x4_neg f32x4_ceil f32x4_floor f32x4_trunc f32x4_nearest
        i32x4_trunc_sat_f32x4 u32x4_trunc_sat_f32x4 f64x2_promote_low_f32x4);
    one!(f32x4_abs(a), f32x4_sqrt);
    one!(c, f64x2_abs f64x2_neg f64x2_ceil f64x2_floor f64x2_trunc f64x2_nearest
        i32x4_trunc_sat_f64x2_zero u32x4_trunc_sat_f64x2_zero f32x4_demote_f64x2_zero);
    let whole = i32x4_trunc_sat_f32x4(a);
    one!(whole, f32x4_convert_i32x4 f32x4_convert_u32x4 f64x2_convert_low_i32x4 f64x2_convert_low_u32x4);
}

#[target_feature(enable = "simd128")]
fn memory(bytes: &mut [u8; 64]) {
    unsafe {
        let at = bytes.as_mut_ptr();
        let v = v128_load(at.add(3).cast());
        v128_store(at.add(21).cast(), i8x16_add(v, i8x16_splat(1)));
        show("load8 splat", v128_load8_splat(at.add(5)));
        show("load32 zero", v128_load32_zero(at.add(4).cast()));
        show("load extend", i16x8_load_extend_i8x8(at.add(9).cast()));
        show("load lane", v128_load16_lane::<3>(v, at.add(40).cast()));
        v128_store32_lane::<2>(v, at.add(50).cast());
    }
    println!("{bytes:?}");
}

#[target_feature(enable = "simd128")]
fn all() {
    let mut lanes = Lanes(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3 {
        integers(lanes.vector(), lanes.vector());
        floats(lanes.singles(), lanes.singles(), lanes.doubles(), lanes.doubles());
    }
    let special = f32x4(f32::NAN, f32::INFINITY, -0.0, 3.0e9);
    show("special", i32x4_trunc_sat_f32x4(special));
    show("special unsigned", u32x4_trunc_sat_f32x4(f32x4_neg(special)));
    memory(&mut std::array::from_fn(|i| (i * 37) as u8));
}

fn main() {
    all();
    println!("{}", core::arch::wasm32::memory_size(0) > 0);
    println!("{}", core::arch::wasm32::memory_grow(0, 1) != usize::MAX);
}
