//! Prints the effects of a module and how long their inference took; with `--only-lift` reads the module and stops, to compare with.

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let path = args
        .next()
        .ok_or("usage: effects FILE.wasm [--only-lift]")?;
    let module = wasmir_lift::lift(&std::fs::read(path)?)?;
    if args.next().is_some_and(|arg| arg == "--only-lift") {
        return Ok(());
    }
    let start = Instant::now();
    let inferred = wasmir_verify::infer(&module, &wasmir_verify::Options::default())?;
    let took = start.elapsed();
    print!("{}", wasmir_verify::Report::new(&module, &inferred).tree());
    eprintln!(
        "{} functions in {took:?}, {} steps",
        module.funcs.len(),
        inferred.steps()
    );
    Ok(())
}
