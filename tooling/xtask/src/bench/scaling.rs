//! How time grows with the size of a function and of a module: the peer is the same work at a tenth of the size, ten times.
//!
//! Functions have the extreme shapes of `wasmir-conformance`, whose example `scaling` emits them and tells the CPU time of the thread.
//! Modules are one real module with its functions repeated; `wasmir lift --emit wasm` lifts and emits each of them anew.

use std::{fs, ops::Range, path::Path, process::Command};

use anyhow::{Context, Result};
use wasm_encoder::{CodeSection, FunctionSection, RawSection};
use wasmparser::{Parser, Payload};

use super::{Bench, Limit, Measure, Profile, Row, Session, measure, session};

pub(super) struct Scaling;

/// What the larger one is compared with.
const TIMES: u32 = 10;

const LIMIT: Limit = Limit::Ratio(1.5);

/// Shapes, and sizes at which they have about a hundred thousand instructions.
const SHAPES: [(&str, u32); 6] = [
    ("Straight", 20_000),
    ("Switch", 16_000),
    ("Nest", 12_000),
    ("Loops", 12_000),
    ("Diamonds", 10_000),
    ("Web", 9_000),
];

/// The size of the large module.
const MODULE: usize = 50_000_000;

impl Bench for Scaling {
    fn name(&self) -> &'static str {
        "scaling"
    }

    fn about(&self) -> &'static str {
        "Time to emit functions of extreme shapes with a hundred thousand instructions, and to lift and emit a module of 50 MB, against ten \
         times the time at a tenth of the size: 1 is linear."
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let program = session::example("scaling")?;
        let mut rows = Vec::new();
        for (shape, size) in SHAPES {
            let mut row = Row {
                what: String::new(),
                measure: Measure::Cpu,
                limit: LIMIT,
                subject: Vec::new(),
                peer: Vec::new(),
            };
            for _ in 0..session.runs() {
                let (instructions, seconds) = emit(session, &program, shape, size, 1)?;
                let (_, tenths) = emit(session, &program, shape, size / TIMES, TIMES)?;
                row.what = format!("{shape}, {instructions} instructions");
                row.subject.push(seconds);
                row.peer.push(tenths);
            }
            row.tell();
            rows.push(row);
        }
        rows.extend(modules(session)?);
        Ok(rows)
    }
}

/// Emits one function so many times: its instructions, and the seconds that took. The system counts CPU time in steps of
/// milliseconds, so what is short is to be done often.
fn emit(
    session: &Session,
    program: &Path,
    shape: &str,
    size: u32,
    times: u32,
) -> Result<(u64, f64)> {
    let file = session.path("scaling.txt");
    let mut command = Command::new(program);
    command
        .args(["--once", shape, &size.to_string(), &times.to_string()])
        .arg(&file);
    measure(&mut command)?;
    let told = fs::read_to_string(&file).context("cannot read what `scaling` wrote")?;
    let (instructions, seconds) = told
        .split_once(' ')
        .context("`scaling` tells two numbers")?;
    Ok((instructions.parse()?, seconds.parse()?))
}

/// A module of 50 MB against one of a tenth: CPU time and peak memory.
fn modules(session: &Session) -> Result<Vec<Row>> {
    let wasmir = session.wasmir()?;
    let original = fs::read(session.fixture("text-app", Profile::Release)?)?;
    let mut files = Vec::new();
    for (name, size) in [
        ("large.wasm", MODULE),
        ("small.wasm", MODULE / TIMES as usize),
    ] {
        let path = session.path(name);
        let module = repeat(&original, size).context("the text application is no module")?;
        fs::write(&path, module)?;
        files.push(path);
    }
    let mut rows = [Measure::Cpu, Measure::Memory].map(|measure| Row {
        what: format!("module of {} MB", MODULE / 1_000_000),
        measure,
        limit: LIMIT,
        subject: Vec::new(),
        peer: Vec::new(),
    });
    for _ in 0..session.runs() {
        let mut costs = Vec::new();
        for file in &files {
            let mut command = Command::new(&wasmir);
            command.arg("lift").arg(file).args(["--emit", "wasm", "-o"]);
            costs.push(measure(command.arg(session.path("scaled.wasm")))?);
        }
        for row in &mut rows {
            row.subject.push(row.measure.of(&costs[0]));
            row.peer.push(row.measure.of(&costs[1]) * f64::from(TIMES));
        }
    }
    rows.iter().for_each(Row::tell);
    Ok(rows.into())
}

/// The module with its functions repeated until it has about `size` bytes; without custom sections.
fn repeat(module: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut types = Vec::new();
    let mut bodies: Vec<&[u8]> = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::FunctionSection(reader) => {
                types = reader.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::CodeSectionEntry(body) => bodies.push(part(module, body.range())),
            _ => {}
        }
    }
    let code: usize = bodies.iter().map(|body| body.len()).sum();
    let times = size
        .saturating_sub(module.len() - code)
        .div_ceil(code.max(1))
        .max(1);
    let mut out = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        match (&payload, payload.as_section()) {
            (Payload::FunctionSection(_), _) => {
                let mut section = FunctionSection::new();
                for &ty in types.iter().cycle().take(types.len() * times) {
                    section.function(ty);
                }
                out.section(&section);
            }
            (Payload::CodeSectionStart { .. }, _) => {
                let mut section = CodeSection::new();
                for body in bodies.iter().cycle().take(bodies.len() * times) {
                    section.raw(body);
                }
                out.section(&section);
            }
            (Payload::CustomSection(_), _) | (_, None) => {}
            (_, Some((id, range))) => {
                out.section(&RawSection {
                    id,
                    data: part(module, range),
                });
            }
        }
    }
    Ok(out.finish())
}

/// A range that the parser found in the module.
fn part(module: &[u8], range: Range<u64>) -> &[u8] {
    // Both ends are within the module, whose length is a `usize`.
    &module[range.start as usize..range.end as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_repeated() {
        let mut module = wasm_encoder::Module::new();
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([], [wasm_encoder::ValType::I32]);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut exports = wasm_encoder::ExportSection::new();
        exports.export("f", wasm_encoder::ExportKind::Func, 0);
        let mut code = CodeSection::new();
        let mut body = wasm_encoder::Function::new([]);
        body.instructions().i32_const(7).end();
        code.function(&body);
        module
            .section(&types)
            .section(&functions)
            .section(&exports)
            .section(&code);
        let module = module.finish();
        let repeated = repeat(&module, module.len() + 1000).unwrap();
        wasmparser::validate(&repeated).unwrap();
        assert!((1000..2000).contains(&repeated.len()), "{}", repeated.len());
        assert_eq!(repeat(&module, 0).unwrap(), module);
    }
}
