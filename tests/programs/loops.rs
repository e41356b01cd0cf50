//! Nested loops whose outer back edge leaves the inner loop from its middle; labelled breaks; loop-carried pairs.
use std::hint::black_box;

fn main() {
    let values = [0u8, 1, 2, 7];
    let mut sum: u64 = 0;
    for &a in black_box(&values) {
        for &b in black_box(&values) {
            let parts: [u64; 2] =
                [a.checked_add(b).map_or(99, u64::from), a.checked_mul(b).map_or(97, u64::from)];
            sum = sum.rotate_left(9) ^ parts[0] ^ (parts[1] << 3);
        }
    }
    println!("{sum:x}");

    let mut found = Vec::new();
    'outer: for n in 2..60u32 {
        let mut d = 2;
        while d * d <= n {
            if n % d == 0 {
                continue 'outer;
            }
            d += 1;
        }
        found.push(n);
        if found.len() == black_box(12) {
            break 'outer;
        }
    }
    println!("{found:?}");

    let (mut a, mut b) = (black_box(1u64), 1u64);
    let steps = loop {
        (a, b) = (b, a.wrapping_add(b));
        if b > 1_000_000 {
            break b - a;
        }
    };
    println!("{steps}");
}
