//! Real programs: modules that people ship as npm packages, recompiled and run.
//!
//! # Method
//!
//! The packages of `package-lock.json` are fetched once by `npm ci`, which checks their digests. For each program of `programs.toml` and
//! each stage, its modules are recompiled by the `wasmir` tool and put into a copy of the packages; then `programs/NAME.mjs` does the same
//! work in Node with the originals and with the copy, through the packages' own JavaScript. The answers must be equal, and each
//! program checks of them what it knows without the module. Time is compared as in [`crate::bench`]: processes in turn, the least of the
//! rounds of each, the median of the pairs' ratios.

mod list;
mod report;
mod run;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use wasm_toolchain::Environment;

use crate::bench::{measure, tool};
use list::{List, Program};
pub use report::Report;
use report::{Outcome, Row};

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only programs whose name contains this.
    pub only: Option<String>,
    /// Pairs of processes whose time is compared.
    pub runs: u32,
    /// The `wasmir` to recompile with; built when not given.
    pub wasmir: Option<PathBuf>,
}

/// How modules are recompiled: the stage's name, and the command of `wasmir`.
const STAGES: [(&str, &str); 2] = [
    // Every function lifted and emitted anew.
    ("lift", "lift"),
    // The passes of a build in between.
    ("passes", "opt"),
];

/// Runs the chosen programs.
///
/// # Errors
///
/// Says which tool is missing, or which original module does not work here. A recompiled module that fails is an outcome.
pub fn run(options: &Options) -> Result<Report> {
    let list = List::read()?;
    let wanted = |program: &&Program| {
        let only = options.only.as_deref();
        only.is_none_or(|only| program.name.contains(only))
    };
    let chosen: Vec<&Program> = list.programs.iter().filter(wanted).collect();
    ensure!(
        !chosen.is_empty(),
        "no program of that name; there are {}",
        list.names()
    );
    let environment = Environment::from_process();
    let node = run::Node::find(&environment)?;
    let originals = list.fetch(&environment)?;
    let wasmir = match &options.wasmir {
        Some(path) => std::path::absolute(path)?,
        None => tool("wasmir")?,
    };
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut rows = Vec::new();
    for program in chosen {
        for (stage, command) in STAGES {
            eprintln!("program `{}`, {stage}", program.name);
            let copy = folder.path().join(format!("{}-{stage}", program.name));
            program.copy(&originals, &copy)?;
            let mut row = Row::new(program, list.version(program)?, stage);
            row.outcome = match recompile(&wasmir, command, program, &originals, &copy, &mut row) {
                Ok(()) => node.compare(&program.script(), [&originals, &copy], options.runs)?,
                Err(error) => Outcome::Failed(format!("{error:#}")),
            };
            eprintln!("  {}", row.outcome);
            rows.push(row);
            fs::remove_dir_all(&copy).context("cannot remove a temporary folder")?;
        }
    }
    Ok(Report {
        node: node.version,
        rows,
    })
}

/// This folder: lists and scripts.
fn here() -> PathBuf {
    crate::root().join("tooling/xtask/src/real_modules")
}

/// Recompiles a program's modules from `originals` into `copy`; sizes and times go into `row`.
fn recompile(
    wasmir: &Path,
    stage: &str,
    program: &Program,
    originals: &Path,
    copy: &Path,
    row: &mut Row,
) -> Result<()> {
    for module in &program.modules {
        let [from, to] = [originals, copy].map(|root| root.join("node_modules").join(module));
        let mut command = Command::new(wasmir);
        command.arg(stage).arg(&from).args(["--emit", "wasm", "-o"]);
        let cost = measure(command.arg(&to))?;
        let size = |path: &Path| -> Result<u64> { Ok(fs::metadata(path)?.len()) };
        row.before += size(&from)?;
        row.after += size(&to)?;
        row.seconds += cost.cpu.unwrap_or(cost.wall).as_secs_f64();
    }
    Ok(())
}
