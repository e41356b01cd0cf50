//! How the time to emit a function grows with its size, for functions of extreme shapes.
//!
//! `cargo run --release -p wasmir-conformance --example scaling [SHAPE…]` prints the CPU time of one thread, the least of five runs, at a
//! size and at twice that size. Exits with 1 if some shape takes more than 2.2 times as long.

use std::process::ExitCode;

use codegen_cranelift::{Options, emit_module};
use wasmir_conformance::clock;
use wasmir_conformance::shapes::Shape;

const LIMIT: f64 = 2.2;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    // One thread, so that its clock sees all that is done.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.expect("a thread can be started");
    let mut linear = true;
    println!("| shape | size | time | twice the size | times as long |");
    println!("|---|---|---|---|---|");
    for shape in Shape::ALL {
        let name = format!("{shape:?}");
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let n = shape.great();
        let time = |n: usize| {
            let module = shape.module(n).expect("the shape is a module");
            pool.install(|| {
                clock::least(5, || {
                    emit_module(&module, &Options::default()).expect("it is emitted")
                })
            })
        };
        let (once, twice) = (time(n), time(2 * n));
        let ratio = twice / once;
        linear &= ratio <= LIMIT;
        println!("| {name} | {n} | {once:.3} s | {twice:.3} s | {ratio:.2} |");
    }
    match linear {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
