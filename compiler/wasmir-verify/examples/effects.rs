//! Prints the effects of a module and how long their inference took.

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: effects FILE.wasm")?;
    let module = wasmir_lift::lift(&std::fs::read(path)?)?;
    let start = Instant::now();
    let inferred = wasmir_verify::infer(&module, &wasmir_verify::Options::default())?;
    let took = start.elapsed();
    print!("{}", wasmir_verify::Report::new(&module, &inferred).tree());
    eprintln!("{} functions in {took:?}", module.funcs.len());
    Ok(())
}
