//! Floats: arithmetic, comparisons with NaN, conversions that saturate, rounding, printing and parsing.
use std::hint::black_box;

fn main() {
    let values = [0.0f64, -0.0, 1.5, -2.5, 1e300, f64::NAN, f64::INFINITY, -1e-310, 123456789.125];
    for &a in black_box(&values) {
        println!(
            "{a:?} {} {} {} {} {} {} {}",
            a as i8, a as u8, a as i16, a as i32, a as u64, a as i128, a as f32
        );
        println!("{:?} {:?} {:?} {:?} {:?}", a.floor(), a.ceil(), a.trunc(), a.round(), a.round_ties_even());
        for &b in black_box(&values) {
            let order = a.partial_cmp(&b);
            println!("{order:?} {} {:?} {:?} {:?}", a == b, a.min(b), a.max(b), a % b);
        }
    }
    println!("{:?} {:?}", black_box(2.0f64).sqrt(), black_box(2.0f32).powi(-3));
    println!("{:?}", black_box(0.1f64).mul_add(3.0, -0.3));
    println!("{:?} {:?}", "3.25".parse::<f32>(), "x".parse::<f64>().is_err());
    println!("{:e} {:.3} {:+}", 1234.5f32, 2.0f64 / 3.0, 7.0f32);
    println!("{:?}", black_box(u128::MAX) as f32);
    println!("{}", f64::from_bits(black_box(0x4009_21fb_5444_2d18)));
}
