//! How good the emitted code is: size and run time of a module before and after the pipeline.
//!
//! `cargo run --release -p wasmir-conformance --example quality -- [OPTION…] MODULE [NAME=N…]` emits MODULE anew (`--passes`:
//! with reachability and the passes of a dev build) and prints the sizes of all that is not custom. With exports that
//! take an `i32` and answer an `i64`, such as the kernels of `tests/fixtures`, each is called with its argument in both
//! modules, in turn, in wasmtime: the answers must agree, the CPU times are compared as the median of the ratios of pairs.
//! `--peer MODULE` compares with another module than the original. `--out FOLDER` leaves the original and what was emitted
//! there, for a look or for other engines.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use wasmir_conformance::clock::cpu_seconds;
use wasmir_conformance::stages;
use wasmtime::{Engine, Instance, Module, Store, TypedFunc};

/// Pairs of measurements.
const PAIRS: usize = 7;

/// The least CPU time of one measurement of the original.
const SECONDS: f64 = 0.06;

fn stripped(bytes: &[u8]) -> u64 {
    sections(bytes)
        .into_iter()
        .filter(|(id, _)| *id != 0)
        .map(|(_, len)| len)
        .sum()
}

/// Id and length of each section.
fn sections(bytes: &[u8]) -> Vec<(u8, u64)> {
    let mut out = Vec::new();
    let mut at = 8;
    while at < bytes.len() {
        let (id, mut len, mut shift) = (bytes[at], 0u64, 0);
        at += 1;
        loop {
            let byte = bytes[at];
            at += 1;
            len |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        out.push((id, len));
        at += len as usize;
    }
    out
}

struct Side {
    store: Store<()>,
    instance: Instance,
}

impl Side {
    fn new(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Side> {
        let module = Module::new(engine, bytes)?;
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        Ok(Side { store, instance })
    }

    /// Calls the kernel `times` times; gives its answer and the CPU time taken.
    fn time(&mut self, name: &str, n: i32, times: u32) -> wasmtime::Result<(i64, f64)> {
        let f: TypedFunc<i32, i64> = self.instance.get_typed_func(&mut self.store, name)?;
        let start = cpu_seconds();
        let mut answer = 0;
        for _ in 0..times {
            answer = f.call(&mut self.store, n)?;
        }
        Ok((answer, cpu_seconds() - start))
    }
}

fn run() -> Result<(), String> {
    let (mut passes, mut out, mut peer) = (false, None, None);
    let (mut module, mut calls) = (None, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.split_once('=') {
            _ if arg == "--passes" => passes = true,
            _ if arg == "--out" => out = args.next().map(PathBuf::from),
            _ if arg == "--peer" => peer = args.next().map(PathBuf::from),
            Some((name, n)) => calls.push((
                name.to_owned(),
                n.parse::<i32>().map_err(|e| format!("`{arg}`: {e}"))?,
            )),
            None => module = Some(PathBuf::from(arg)),
        }
    }
    let path = module.ok_or("which module?")?;
    let original = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let start = Instant::now();
    let emitted = if passes {
        stages::build(&original)?
    } else {
        stages::recompile(&original)?
    };
    let took = start.elapsed();
    let (before, after) = (stripped(&original), stripped(&emitted));
    println!(
        "size {before} -> {after}: {:.3}; {} ms",
        after as f64 / before as f64,
        took.as_millis()
    );
    if let Some(out) = out {
        std::fs::create_dir_all(&out).map_err(|e| e.to_string())?;
        std::fs::write(out.join("original.wasm"), &original).map_err(|e| e.to_string())?;
        std::fs::write(out.join("emitted.wasm"), &emitted).map_err(|e| e.to_string())?;
    }
    if calls.is_empty() {
        return Ok(());
    }
    let engine = Engine::default();
    let fails = |e: wasmtime::Error| format!("{e:#}");
    let peer = match peer {
        Some(path) => std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?,
        None => original,
    };
    let mut a = Side::new(&engine, &peer).map_err(fails)?;
    let mut b = Side::new(&engine, &emitted).map_err(fails)?;
    let mut product = 1.0f64;
    for (name, n) in &calls {
        let mut ratios = Vec::new();
        let mut times = 1;
        while a.time(name, *n, times).map_err(fails)?.1 < SECONDS {
            times *= 2;
        }
        for _ in 0..PAIRS {
            let (expected, left) = a.time(name, *n, times).map_err(fails)?;
            let (answer, right) = b.time(name, *n, times).map_err(fails)?;
            if answer != expected {
                return Err(format!("{name}({n}) is {answer}, not {expected}"));
            }
            ratios.push(right / left);
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios[PAIRS / 2];
        product *= median;
        println!(
            "{name:12} {median:.3} ({:.3} - {:.3})",
            ratios[0],
            ratios[PAIRS - 1]
        );
    }
    println!(
        "geometric mean {:.3}",
        product.powf(1.0 / calls.len() as f64)
    );
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
