//! Volatile loads and stores of every width.
use std::ptr::{read_volatile, write_volatile};

macro_rules! widths {
    ($($ty:ident)*) => {
        $(
            let mut cell = $ty::MAX;
            unsafe {
                println!("{}", read_volatile(&cell));
                write_volatile(&mut cell, 42 as $ty);
                println!("{} {}", read_volatile(&cell), cell);
            }
        )*
    };
}

#[repr(C, packed)]
struct Packed(u8, u16, u64, u128);

fn main() {
    widths!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize f32 f64);
    let mut flag = false;
    let mut letter = 'a';
    let mut packed = Packed(1, 2, 3, 4);
    unsafe {
        write_volatile(&mut flag, true);
        write_volatile(&mut letter, 'ß');
        println!("{} {}", read_volatile(&flag), read_volatile(&letter));
        let at = &raw mut packed;
        write_volatile(at, Packed(5, 6, 7, 8 << 100));
        let Packed(a, b, c, d) = read_volatile(at);
        println!("{a} {b} {c} {d}");
    }
}
