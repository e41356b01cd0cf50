//! `f16` and `f128`, which wasm computes in software.
#![feature(f16, f128)]
use std::hint::black_box;

fn half(a: f16, b: f16) {
    let (a, b) = (black_box(a), black_box(b));
    println!(
        "{:04x} {:04x} {:04x} {:04x} {:04x} {:04x} {:?} {} {}",
        (a + b).to_bits(),
        (a - b).to_bits(),
        (a * b).to_bits(),
        (a / b).to_bits(),
        (a % b).to_bits(),
        (-a).to_bits(),
        a.partial_cmp(&b),
        a == b,
        a != b
    );
    println!("{} {} {} {} {}", a as i8, a as u16, a as i32, a as u64, a as i128);
    println!("{:08x} {:016x}", (a as f32).to_bits(), (a as f64).to_bits());
}

fn quad(a: f128, b: f128) {
    let (a, b) = (black_box(a), black_box(b));
    for value in [a + b, a - b, a * b, a / b, -a] {
        print!("{:032x} ", value.to_bits());
    }
    println!("{:?} {} {} {}", a.partial_cmp(&b), a == b, a != b, a >= b);
    println!("{} {} {} {} {} {}", a as i8, a as u16, a as i32, a as u64, a as i64, a as i128);
    println!("{:08x} {:016x} {:04x}", (a as f32).to_bits(), (a as f64).to_bits(), (a as f16).to_bits());
}

fn main() {
    let halves = [0.0, -0.0, 1.0, -2.5, 65504.0, 6.0e-8, 0.333, f16::INFINITY, f16::NAN];
    for a in halves {
        for b in halves {
            half(a, b);
        }
    }
    let quads = [0.0, -0.0, 1.0, -2.5, 1.0e300, 3.0e-400, 0.333, 1.5e19, f128::INFINITY, f128::NAN];
    for a in quads {
        for b in quads {
            quad(a, b);
        }
    }
    for whole in [0i64, 1, -1, 2047, 2049, 65519, 65520, -1 << 40, i64::MAX, i64::MIN] {
        let whole = black_box(whole);
        println!("{:04x} {:04x}", (whole as f16).to_bits(), (whole as u8 as f16).to_bits());
        println!("{:032x} {:032x}", (whole as f128).to_bits(), (whole as u64 as f128).to_bits());
        println!("{:032x} {:032x}", (whole as i128 as f128).to_bits(), (whole as i32 as f128).to_bits());
    }
    for value in [0.1f64, 65520.0, 1.0e-8, 5.960464477539063e-8, f64::NAN, -1.0e-320] {
        let value = black_box(value);
        println!("{:04x} {:04x} {:032x}", (value as f16).to_bits(), (value as f32 as f16).to_bits(), (value as f128).to_bits());
    }
}
