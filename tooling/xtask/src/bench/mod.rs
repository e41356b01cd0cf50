//! Benchmarks: what is measured, how, and the verdict.
//!
//! # Method
//!
//! Every figure compares a *subject* (ours) with a *peer* in one run on one machine, since absolute times of another day say nothing.
//! The two are measured in turn (ABAB, and BA in every other round, so that neither always profits from what the other warmed up). A
//! pair gives one ratio or difference; the table shows their median and range, and the medians of both sides. Work is measured in CPU
//! time of the process and all its descendants, which other processes of the machine disturb less than wall time.
//!
//! # Adding one
//!
//! Write `src/bench/NAME.rs` with a type that implements [`Bench`] and name it in [`all`].

mod build;
mod dev;
mod effects;
mod emit;
mod generated;
mod kernels;
mod measure;
mod one_crate;
mod report;
mod run;
mod scaling;
mod session;
mod stats;
mod tier1;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

pub(crate) use measure::wait;
pub use measure::{Cost, measure};
pub use report::{Report, Section};
pub use session::{Profile, Session};
pub(crate) use session::{copy, profile, tool};
pub use stats::{Limit, Measure, Row};

/// A benchmark: measures some rows.
pub trait Bench {
    /// Its name, for `--only` and as the title of its table.
    fn name(&self) -> &'static str;
    /// What it measures against what, in a sentence or two.
    fn about(&self) -> &'static str;
    /// Measures.
    fn run(&self, session: &Session) -> Result<Vec<Row>>;
}

/// All benchmarks, in the order of the tables.
pub fn all() -> Vec<Box<dyn Bench>> {
    vec![
        Box::new(build::Build::SMALL),
        Box::new(build::Build::LARGE),
        Box::new(run::Run),
        Box::new(dev::Dev),
        Box::new(emit::Emit),
        Box::new(kernels::Kernels),
        Box::new(scaling::Scaling),
        Box::new(effects::Effects),
        Box::new(tier1::Tier1),
    ]
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only the benchmark of this name.
    pub only: Option<String>,
    /// Pairs per row.
    pub runs: u32,
    /// The `cargo-wasm` to measure; built when not given.
    pub cargo_wasm: Option<PathBuf>,
    /// The `wasm-opt` to compare with; looked for when not given.
    pub wasm_opt: Option<PathBuf>,
}

/// Runs the chosen benchmarks.
pub fn run(options: &Options) -> Result<Report> {
    let chosen: Vec<Box<dyn Bench>> = all()
        .into_iter()
        .filter(|bench| {
            options
                .only
                .as_deref()
                .is_none_or(|only| bench.name() == only)
        })
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no benchmark of that name; `cargo xtask bench --list` shows all"
    );
    let session = Session::new(options)?;
    let mut sections = Vec::new();
    for bench in chosen {
        eprintln!("benchmark `{}`", bench.name());
        let rows = bench
            .run(&session)
            .with_context(|| format!("the benchmark `{}` failed", bench.name()))?;
        sections.push(Section {
            name: bench.name(),
            about: bench.about(),
            rows,
        });
    }
    Ok(Report {
        machine: session.machine(),
        profile: session.profile(),
        sections,
    })
}
