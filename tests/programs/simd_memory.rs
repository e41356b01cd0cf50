//! Vectors that reach memory through a mask, masks as bits, shifts over two lanes, and products without carries. A lane that is left
//! out has an address at which nothing may happen. Optimised, because LLVM 22 crashes on products without carries at level 0.
//@ flags: -Copt-level=1 -Ctarget-feature=+simd128
#![feature(core_intrinsics, portable_simd, repr_simd)]
#![allow(internal_features)]
use std::intrinsics::simd::*;
use std::simd::prelude::*;

#[repr(simd)]
#[derive(Clone, Copy)]
struct Lanes<T, const N: usize>([T; N]);

impl<T: Copy, const N: usize> Lanes<T, N> {
    fn array(self) -> [T; N] {
        // SAFETY: a vector has the layout of its lanes.
        unsafe { std::mem::transmute_copy(&self) }
    }
}

const AWAY: usize = 0xfff0_0000;

fn gather_and_scatter() {
    let mut memory = [10i64, 20, 30, 40, 50];
    let at = |index: usize| std::ptr::addr_of!(memory).cast::<i64>().wrapping_add(index);
    let pointers = Lanes([at(4), std::ptr::without_provenance(AWAY), at(1), at(0)]);
    let mask = Lanes([-1i64, 0, -1, -1]);
    // SAFETY: only the second lane has an invalid address, and the mask leaves it out.
    let read = unsafe { simd_gather(Lanes([1i64, 2, 3, 4]), pointers, mask) };
    println!("{:?}", read.array());
    let mut at = |index: usize| std::ptr::addr_of_mut!(memory).cast::<i64>().wrapping_add(index);
    // The last of two lanes with the same address stays.
    let pointers = Lanes([at(2), std::ptr::without_provenance_mut(AWAY), at(0), at(2)]);
    // SAFETY: as above.
    unsafe { simd_scatter(Lanes([-1i64, -2, -3, -4]), pointers, mask) };
    println!("{memory:?}");
}

fn masked() {
    let mut bytes = [1u8, 2, 3, 4, 5, 6, 7, 8];
    let mask = Lanes([-1i8, 0, 0, -1]);
    // SAFETY: the pointers point at the lanes that the masks choose.
    unsafe {
        let read: Lanes<u8, 4> =
            simd_masked_load::<_, _, _, { SimdAlign::Element }>(mask, bytes.as_ptr().add(3), Lanes([90, 91, 92, 93]));
        println!("{:?}", read.array());
        simd_masked_store::<_, _, _, { SimdAlign::Element }>(mask, bytes.as_mut_ptr().add(1), Lanes([70u8, 71, 72, 73]));
        println!("{bytes:?}");
        // All but the first lane lie beyond the memory of the program.
        let last = Lanes([-1i32, 0, 0, 0]);
        let words = [1.5f32];
        let read: Lanes<f32, 4> =
            simd_masked_load::<_, _, _, { SimdAlign::Unaligned }>(last, words.as_ptr(), Lanes([0.0, -1.0, -2.0, -3.0]));
        println!("{:?}", read.array());
    }
}

fn portable() {
    let list = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    let index = Simd::from_array([6usize, 100, 2, 0, 1, 7, 5, 3]);
    println!("{:?}", Simd::<f32, 8>::gather_or_default(&list, index).to_array());
    let mut list = [0u16; 6];
    Simd::from_array([1u16, 2, 3, 4]).scatter(&mut list, Simd::from_array([5usize, 9, 0, 3]));
    println!("{list:?}");
    println!("{:?}", Simd::<u32, 4>::load_or(&[7, 8], Simd::splat(99)).to_array());
    let mut list = [0i8; 5];
    Simd::from_array([1i8, 2, 3, 4, 5, 6, 7, 8]).store_select(&mut list, Mask::from_array([true, false, true, true, false, true, true, true]));
    println!("{list:?}");
}

fn shifts_and_products() {
    let (a, b) = (Lanes([0x8000_0001u32, 0x1234_5678, 0, u32::MAX]), Lanes([0xf000_000fu32, 0x9abc_def0, u32::MAX, 0]));
    let by = Lanes([0u32, 4, 31, 17]);
    // SAFETY: every amount is below the width.
    let (left, right) = unsafe { (simd_funnel_shl(a, b, by), simd_funnel_shr(a, b, by)) };
    println!("{:x?} {:x?}", left.array(), right.array());
    let (a, b) = (Lanes([0x81u8, 0x12, 0, 0xff]), Lanes([0xf0u8, 0x9a, 0xff, 1]));
    // SAFETY: as above.
    let (left, right) = unsafe { (simd_funnel_shl(a, b, Lanes([0, 7, 3, 5])), simd_funnel_shr(a, b, Lanes([0, 7, 3, 5]))) };
    println!("{:x?} {:x?}", left.array(), right.array());
    // SAFETY: the operands are vectors of integers.
    let products = unsafe {
        (
            simd_carryless_mul(Lanes([3u8, 7, 0xff, 0x80]), Lanes([3u8, 5, 0xff, 2])),
            simd_carryless_mul(Lanes([0xdead_beefu64, u64::MAX]), Lanes([0x1_0000_0001u64, u64::MAX])),
        )
    };
    println!("{:x?} {:x?}", products.0.array(), products.1.array());
}

fn bit_masks() {
    let mask = Lanes([-1i16, 0, -1, -1, 0, 0, -1, 0, -1, 0]);
    // SAFETY: the lanes of the mask have all bits or none.
    unsafe {
        let bytes: [u8; 2] = simd_bitmask(mask);
        let bits: u16 = simd_bitmask(mask);
        let few: [u8; 1] = simd_bitmask(Lanes([0i64, -1]));
        println!("{bytes:x?} {bits:x} {few:x?}");
        let (yes, no) = (Lanes([1u8, 2, 3, 4, 5, 6, 7, 8, 9, 10]), Lanes([0u8; 10]));
        println!("{:?} {:?}", simd_select_bitmask(bytes, yes, no).array(), simd_select_bitmask(0x2aau16, yes, no).array());
    }
}

fn main() {
    bit_masks();
    gather_and_scatter();
    masked();
    portable();
    shifts_and_products();
}
