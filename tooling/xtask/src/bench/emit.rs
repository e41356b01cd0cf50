//! Lifting, optimising and emitting whole modules against binaryen's `wasm-opt`: time, memory and size of the result.
//!
//! Sizes are of modules without custom sections, so that names and debug information, which either side may keep, do not count.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use super::{Bench, Limit, Measure, Profile, Row, Session, measure};

pub(super) struct Emit;

const MODULES: [(&str, Profile, &str); 4] = [
    ("kernels", Profile::Debug, "-O0"),
    ("text-app", Profile::Debug, "-O0"),
    ("kernels", Profile::Release, "-O3"),
    ("text-app", Profile::Release, "-O3"),
];

impl Bench for Emit {
    fn name(&self) -> &'static str {
        "emit"
    }

    fn about(&self) -> &'static str {
        "What LLVM makes at -O0 by `wasmir opt` (lift, all passes, emit), and what it makes at -O3 by `wasmir lift --emit wasm` (every \
         function lifted and emitted anew, no passes), against `wasm-opt`, against walrus (which reads and writes, but optimises nothing) \
         and against the module itself."
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let (wasmir, wasm_opt) = (session.wasmir()?, session.wasm_opt()?);
        let walrus = session.peer("walrus", "walrus-emit")?;
        let mut rows = Vec::new();
        for (name, profile, level) in MODULES {
            let input = session.fixture(name, profile)?;
            let what = format!("{name} from {level}");
            let out = |tool: &str| session.path(&format!("{name}{level}.{tool}.wasm"));
            let stage = match profile {
                Profile::Debug => "opt",
                Profile::Release => "lift",
            };
            let ours = |stage: &str| {
                let mut command = Command::new(&wasmir);
                command
                    .arg(stage)
                    .arg(&input)
                    .args(["--emit", "wasm", "-o"])
                    .arg(out("ours"));
                command
            };
            let binaryen = |level: &str| {
                let mut command = Command::new(&wasm_opt);
                command
                    .args([level, "--all-features", "-o"])
                    .arg(out(level))
                    .arg(&input);
                command
            };
            rows.extend(session.compare_all(
                format!("{what}: against wasm-opt -O1"),
                [
                    (Measure::Wall, Limit::Ratio(0.2)),
                    (Measure::Cpu, Limit::None),
                    (Measure::Memory, Limit::None),
                ],
                &|_| Ok(ours(stage)),
                &|_| Ok(binaryen("-O1")),
            )?);
            rows.extend(session.compare_all(
                format!("{what}: without passes, against walrus"),
                [(Measure::Wall, Limit::None), (Measure::Cpu, Limit::None)],
                &|_| Ok(ours("lift")),
                &|_| {
                    let mut command = Command::new(&walrus);
                    command.arg(&input).arg(out("walrus"));
                    Ok(command)
                },
            )?);
            // The last word on `out("ours")`: what the sizes are of.
            measure(&mut ours(stage))?;
            measure(&mut binaryen("-Oz"))?;
            let limit = match profile {
                Profile::Debug => 0.65,
                Profile::Release => 1.03,
            };
            for (against, peer, limit) in [
                ("the input", input.clone(), Limit::Ratio(limit)),
                ("wasm-opt -O1", out("-O1"), Limit::None),
                ("wasm-opt -Oz", out("-Oz"), Limit::None),
            ] {
                let row = sizes(
                    format!("{what}: against {against}"),
                    limit,
                    &out("ours"),
                    &peer,
                )?;
                row.tell();
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

/// A row that compares the sizes of two modules.
pub(super) fn sizes(what: String, limit: Limit, ours: &Path, peer: &Path) -> Result<Row> {
    Ok(Row {
        what,
        measure: Measure::Size,
        limit,
        subject: vec![stripped(ours)?],
        peer: vec![stripped(peer)?],
    })
}

/// The bytes of all sections that are not custom.
fn stripped(path: &Path) -> Result<f64> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut size = 0;
    for payload in wasmparser::Parser::new(0).parse_all(&bytes) {
        let payload = payload.with_context(|| format!("`{}` is damaged", path.display()))?;
        if let Some((_, range)) = payload.as_section().filter(|(id, _)| *id != 0) {
            size += range.end - range.start;
        }
    }
    Ok(size as f64)
}
