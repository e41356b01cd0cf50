//! Run time of compute kernels, in two engines: what we emit against the module it was made from.
//!
//! In Node both modules run in one process, kernel by kernel, and each is compared with itself after a round of warming up. In Wasmtime (our
//! runner, with compiled code in its cache) a kernel is one process; its start, some ten milliseconds, counts for both sides.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{Bench, Limit, Measure, Profile, Row, Session, measure};

pub(super) struct Kernels;

/// Kernels and the size of their work in Wasmtime: some tenths of a second from LLVM's -O3.
const SIZES: [(&str, u32); 8] = [
    ("sieve", 20_000),
    ("matmul", 600),
    ("nbody", 3_000_000),
    ("sha256", 50_000),
    ("sort", 10_000),
    ("words", 30_000),
    ("mandelbrot", 1500),
    ("dispatch", 30_000),
];

impl Bench for Kernels {
    fn name(&self) -> &'static str {
        "kernels"
    }

    fn about(&self) -> &'static str {
        "Run time of compute kernels: from LLVM's -O0 through all passes against the input, and from its -O3, emitted anew without passes, \
         against the input; in Node and in Wasmtime."
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let wasmir = session.wasmir()?;
        let mut rows = Vec::new();
        for (profile, level, stage, limit) in [
            (Profile::Debug, "-O0", "opt", 0.5),
            (Profile::Release, "-O3", "lift", 1.05),
        ] {
            let input = session.fixture("kernels", profile)?;
            let ours = session.path(&format!("kernels{level}.wasm"));
            let mut command = Command::new(&wasmir);
            command
                .arg(stage)
                .arg(&input)
                .args(["--emit", "wasm", "-o"])
                .arg(&ours);
            measure(&mut command)?;
            rows.extend(in_node(session, level, Limit::Ratio(limit), &ours, &input)?);
            for (kernel, size) in SIZES {
                // Unoptimised code is several times slower; a third of the size shows it as well.
                let size = if profile == Profile::Debug {
                    size / 3
                } else {
                    size
                };
                let run = |module: &Path| -> Command {
                    let mut command = session.cargo_wasm();
                    command
                        .args(["runner", "--invoke", &format!("{kernel}({size})")])
                        .arg(module);
                    command
                };
                measure(&mut run(&ours))?;
                measure(&mut run(&input))?;
                rows.push(session.compare(
                    format!("{kernel} from {level}, Wasmtime"),
                    Measure::Cpu,
                    Limit::Ratio(limit),
                    &|_| Ok(run(&ours)),
                    &|_| Ok(run(&input)),
                )?);
            }
        }
        Ok(rows)
    }
}

fn in_node(
    session: &Session,
    level: &str,
    limit: Limit,
    ours: &PathBuf,
    input: &PathBuf,
) -> Result<Vec<Row>> {
    let script = session.path("kernels.mjs");
    std::fs::write(&script, include_str!("kernels.mjs")).context("cannot write the script")?;
    let output = Command::new("node")
        .arg(&script)
        .args([ours, input])
        .arg(session.runs().to_string())
        .output()
        .context("cannot start `node`")?;
    ensure!(
        output.status.success(),
        "the kernels failed in Node: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let times: BTreeMap<String, Vec<[f64; 2]>> =
        serde_json::from_slice(&output.stdout).context("Node printed no JSON")?;
    Ok(times
        .into_iter()
        .map(|(kernel, pairs)| {
            let side = |side: usize| pairs.iter().map(|pair| pair[side] / 1e3).collect();
            let row = Row {
                what: format!("{kernel} from {level}, Node"),
                measure: Measure::Wall,
                limit,
                subject: side(0),
                peer: side(1),
            };
            row.tell();
            row
        })
        .collect())
}
