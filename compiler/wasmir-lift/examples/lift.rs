//! Lifts a module and all its bodies, and says how long that took.

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: lift FILE.wasm")?;
    let bytes = std::fs::read(path)?;
    let start = Instant::now();
    let mut module = wasmir_lift::lift(&bytes)?;
    let sections = start.elapsed();
    wasmir_lift::lift_bodies(&mut module).map_err(|(func, error)| format!("{func}: {error}"))?;
    let bodies = start.elapsed() - sections;
    let insts: usize = module
        .funcs
        .values()
        .map(|func| {
            if let wasmir::FuncBody::Ir(body) = &func.body {
                body.num_insts()
            } else {
                0
            }
        })
        .sum();
    println!(
        "{} bytes, {} functions: read and validated in {sections:?}; {insts} instructions lifted in {bodies:?}; {} line rows",
        bytes.len(),
        module.funcs.len(),
        module.debug.rows.len(),
    );
    Ok(())
}
