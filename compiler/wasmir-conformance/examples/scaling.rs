//! How the time to emit a function grows with its size, for functions of extreme shapes.
//!
//! `scaling [SHAPE…]` prints the CPU time of one thread, the least of five runs, at a size and at twice that size, and exits with 1 if some
//! shape takes more than 2.2 times as long. `scaling --once SHAPE SIZE TIMES FILE` emits one function so many times and writes
//! `instructions seconds` to the file; `cargo xtask bench --only scaling` compares such runs.

use std::process::ExitCode;

use codegen_cranelift::{Options, emit_module};
use wasmir::FuncBody;
use wasmir_conformance::clock;
use wasmir_conformance::shapes::Shape;

const LIMIT: f64 = 2.2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // One thread, so that its clock sees all that is done.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.expect("a thread can be started");
    if let [once, shape, size, times, file] = arguments.as_slice()
        && once == "--once"
    {
        let shape = Shape::ALL.into_iter().find(|s| format!("{s:?}") == *shape);
        let (Some(shape), Ok(size), Ok(times)) = (shape, size.parse(), times.parse()) else {
            eprintln!("usage: scaling --once SHAPE SIZE TIMES FILE");
            return ExitCode::from(2);
        };
        let (instructions, seconds) = pool.install(|| time(shape, size, times, 3));
        return match std::fs::write(file, format!("{instructions} {seconds}")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: cannot write `{file}`: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let mut linear = true;
    println!("| shape | size | time | twice the size | times as long |");
    println!("|---|---|---|---|---|");
    for shape in Shape::ALL {
        let name = format!("{shape:?}");
        if !arguments.is_empty() && !arguments.contains(&name) {
            continue;
        }
        let n = shape.great();
        let [once, twice] = [n, 2 * n].map(|n| pool.install(|| time(shape, n, 1, 5)).1);
        let ratio = twice / once;
        linear &= ratio <= LIMIT;
        println!("| {name} | {n} | {once:.3} s | {twice:.3} s | {ratio:.2} |");
    }
    match linear {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Instructions of a shape's function, terminators among them, and the least CPU time in some runs that emitting it so many
/// times takes.
fn time(shape: Shape, n: usize, times: u32, runs: usize) -> (usize, f64) {
    let module = shape.module(n).expect("the shape is a module");
    let bodies = module.funcs.values().filter_map(|func| match &func.body {
        FuncBody::Ir(body) => Some(body),
        FuncBody::Raw(_) | FuncBody::None => None,
    });
    let blocks = bodies.flat_map(|body| body.blocks.values());
    let instructions = blocks.map(|block| block.insts.len() + 1).sum();
    let seconds = clock::least(runs, || {
        for _ in 0..times {
            emit_module(&module, &Options::default()).expect("it is emitted");
        }
    });
    (instructions, seconds)
}
