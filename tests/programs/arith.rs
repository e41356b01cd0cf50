//! Integer arithmetic of every width: wrapping, checked, saturating, overflowing, shifts, bit counts, byte order.
use std::hint::black_box;

macro_rules! width {
    ($($ty:ident)*) => {$({
        let values = [0 as $ty, 1, 2, 7, <$ty>::MAX, <$ty>::MIN, <$ty>::MAX / 2, <$ty>::MAX - 1];
        let mut sum: u64 = 0;
        for &a in black_box(&values) {
            for &b in black_box(&values) {
                let parts: [u64; 12] = [
                    a.wrapping_add(b) as u64,
                    a.wrapping_sub(b) as u64,
                    a.wrapping_mul(b) as u64,
                    a.checked_add(b).map_or(99, |v| v as u64),
                    a.checked_sub(b).map_or(98, |v| v as u64),
                    a.checked_mul(b).map_or(97, |v| v as u64),
                    a.checked_div(b).map_or(96, |v| v as u64),
                    a.checked_rem(b).map_or(95, |v| v as u64),
                    a.saturating_add(b) as u64,
                    a.saturating_sub(b) as u64,
                    u64::from(a.overflowing_mul(b).1),
                    u64::from(a < b) + 2 * u64::from(a == b),
                ];
                for part in parts {
                    sum = sum.rotate_left(7) ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                }
            }
            let s = black_box(3u32);
            let bits = [
                a.leading_zeros(), a.trailing_zeros(), a.count_ones(),
                a.rotate_left(s) as u32, a.swap_bytes() as u32, a.reverse_bits() as u32,
                (a >> s) as u32, (a << s) as u32,
            ];
            for part in bits {
                sum = sum.rotate_left(5) ^ u64::from(part);
            }
        }
        println!("{} {sum:016x}", stringify!($ty));
    })*};
}

fn main() {
    width!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize);
    println!("{}", black_box(-7i32).rem_euclid(3));
    println!("{}", black_box(1i128 << 100) / black_box(-3));
    println!("{:?}", black_box(u128::MAX).checked_mul(black_box(2)));
}
