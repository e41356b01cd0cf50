//! C code compiled by clang: everything that the C ABI of wasm32 passes in a way of its own, in both directions.
//@ c: c_code.c
#![feature(c_variadic)]
use std::ffi::{c_int, c_void};

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Small {
    only: i8,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Pair {
    a: c_int,
    b: f64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Large {
    parts: [i64; 5],
}

#[repr(C)]
#[derive(Clone, Copy)]
union Word {
    bits: u32,
    value: f32,
}

type Each = extern "C" fn(context: *mut c_void, value: i64, pair: Pair, tag: i8) -> Large;

unsafe extern "C" {
    safe fn negate(small: Small) -> Small;
    safe fn swap(pair: Pair, add: i16) -> Pair;
    safe fn rotate(large: Large, by: u32) -> Large;
    safe fn flip(word: Word) -> Word;
    safe fn widths(a: i8, b: u8, c: i16, d: u16, e: bool) -> c_int;
    safe fn narrow(x: c_int) -> i8;
    safe fn narrower(x: c_int) -> u16;
    safe fn multiply(a: i128, b: u128) -> i128;
    fn total(count: c_int, ...) -> i64;
    safe fn call_weighted() -> f64;
    fn visit(each: Each, context: *mut c_void, count: c_int) -> i64;
}

#[unsafe(no_mangle)]
static mut shared_counter: c_int = 40;

#[unsafe(no_mangle)]
unsafe extern "C" fn weighted(count: c_int, mut args: ...) -> f64 {
    let mut sum = 0.0;
    for _ in 0..count {
        // SAFETY: C hands as many triples as it says.
        unsafe {
            let (value, weight, add) = (args.arg::<c_int>(), args.arg::<f64>(), args.arg::<i64>());
            sum += f64::from(value) * weight + add as f64;
        }
    }
    sum
}

#[unsafe(no_mangle)]
extern "C" fn twice(pair: Pair) -> Pair {
    Pair { a: pair.a * 2, b: pair.b * 2.0 }
}

extern "C" fn each(context: *mut c_void, value: i64, pair: Pair, tag: i8) -> Large {
    // SAFETY: the context is the list that `main` hands to C.
    let list = unsafe { &mut *context.cast::<Vec<String>>() };
    list.push(format!("{value} {pair:?} {tag}"));
    Large { parts: [value, 1, i64::from(tag), -7, pair.a.into()] }
}

fn main() {
    println!("{:?} {:?}", negate(Small { only: 100 }), negate(Small { only: -128 }));
    println!("{:?}", swap(Pair { a: 7, b: -9.75 }, i16::MIN));
    let large = Large { parts: [1, i64::MIN, 3, i64::MAX, 5] };
    println!("{:?} {large:?}", rotate(large, 3));
    // SAFETY: every bit pattern is a number.
    println!("{}", unsafe { flip(Word { value: 1.25 }).value });
    println!("{} {}", widths(-1, 255, i16::MIN, u16::MAX, true), widths(i8::MIN, 0, i16::MAX, 1, false));
    println!("{} {} {} {}", narrow(200), narrow(-129), narrower(-1), narrower(65_536 + 5));
    println!("{} {}", multiply(-3, 1 << 100), multiply(i128::MAX, 2));
    // SAFETY: the kinds say what follows them.
    unsafe {
        println!("{}", total(4, 0 as c_int, -5 as c_int, 1 as c_int, 1i64 << 50, 2 as c_int, 1e6f64, 0 as c_int, 9 as c_int));
        println!("{}", total(0));
    }
    println!("{}", call_weighted());
    let mut list: Vec<String> = Vec::new();
    // SAFETY: `each` takes the list from the context.
    let sum = unsafe { visit(each, (&raw mut list).cast(), 6) };
    println!("{sum} {list:#?}");
    // SAFETY: there is one thread.
    println!("{}", unsafe { shared_counter });
}
