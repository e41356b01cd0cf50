//! The `cargo xtask` command: `bench`, `conformance`, `fuzz`, `real-modules`, `sanitize`, `tidy`, `ui`. Exit codes: 0 fine, 1 a limit missed or a rule broken, 2 wrong usage.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use xtask::{bench, conformance, fuzz, real_modules, sanitize, tidy, ui};

/// What a contributor runs and a user never does
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Arguments {
    #[command(flatten)]
    Task(Task),
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure against the peers, as ratios within one run
    Bench(Bench),
    /// Compare what programs do with what they do when rustc's LLVM compiled them
    Conformance(Conformance),
    /// Fuzz with libFuzzer, by the stable compiler
    Fuzz(Fuzz),
    /// Recompile programs that people ship as npm packages, and run them (needs Node)
    RealModules(RealModules),
    /// Run the tests of the library `wasm` under AddressSanitizer
    Sanitize,
    /// Check the source tree against the rules of the house
    Tidy,
    /// Compare what rustc-wasm says to a user's mistakes with what is expected
    Ui(Ui),
}

#[derive(Debug, clap::Args)]
struct Ui {
    /// Run only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Accept what it says
    #[arg(long)]
    bless: bool,
}

#[derive(Debug, clap::Args)]
struct Bench {
    /// List the benchmarks and stop
    #[arg(long)]
    list: bool,
    /// Run only the benchmark of this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How often each side is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Print JSON, with every sample
    #[arg(long)]
    json: bool,
    /// Put the tables into docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// The `cargo-wasm` to measure (default: built now, in the profile of this command)
    #[arg(long, value_name = "PATH")]
    cargo_wasm: Option<PathBuf>,
    /// The `wasm-opt` to compare with (default: the one on PATH, or the one that `cargo wasm setup --wasm-opt` brought)
    #[arg(long, value_name = "PATH")]
    wasm_opt: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Fuzz {
    /// The target, as CRATE/BINARY, or either half of it (default: all)
    target: Option<String>,
    /// List the targets and stop
    #[arg(long)]
    list: bool,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How many processes work on one target at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    jobs: u32,
    /// Watch over memory, for targets that reach `unsafe` code
    #[arg(long)]
    address_sanitizer: bool,
    /// Run this input, of a finding for instance, and nothing else; may be repeated
    #[arg(long = "input", value_name = "FILE")]
    inputs: Vec<PathBuf>,
    /// Passed on to libFuzzer
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct RealModules {
    /// Only programs whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How many pairs of processes are timed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// The `wasmir` to recompile with (default: built now, in the profile of this command)
    #[arg(long, value_name = "PATH")]
    wasmir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Conformance {
    /// List the suites and stop
    #[arg(long)]
    list: bool,
    /// Run only this suite
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Run only the cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Forget the answers of earlier runs
    #[arg(long)]
    again: bool,
    /// The seeds of generated programs, as FIRST..END
    #[arg(long, value_name = "RANGE", value_parser = seeds)]
    seeds: Option<std::ops::Range<u64>>,
    /// Where to build and to keep answers (default: target/conformance)
    #[arg(long, value_name = "PATH")]
    work: Option<PathBuf>,
    /// Run programs by this `cargo-wasm`, not in Node
    #[arg(long, value_name = "PATH")]
    runner: Option<PathBuf>,
    /// Write what LLVM's programs print as expected, and choose versions of the crates' dependencies anew
    #[arg(long)]
    bless: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Put the tables into docs/conformance.md
    #[arg(long)]
    write: bool,
}

fn seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let ends = text.split_once("..").ok_or("not of the form FIRST..END")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let range = number(ends.0)?..number(ends.1)?;
    if range.is_empty() {
        Err("no seed lies between these".to_owned())
    } else {
        Ok(range)
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse() {
        Arguments::Task(Task::Bench(options)) => measure(options),
        Arguments::Task(Task::Fuzz(options)) => fuzz(options),
        Arguments::Task(Task::RealModules(options)) => recompile(options),
        Arguments::Task(Task::Conformance(options)) => compare(options),
        Arguments::Task(Task::Sanitize) => sanitize::run(),
        Arguments::Task(Task::Tidy) => check(),
        Arguments::Task(Task::Ui(options)) => diagnostics(options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Bench) -> anyhow::Result<bool> {
    if options.list {
        for bench in bench::all() {
            println!("{:<12} {}", bench.name(), bench.about());
        }
        return Ok(true);
    }
    let report = bench::run(&bench::Options {
        only: options.only,
        runs: options.runs,
        cargo_wasm: options.cargo_wasm,
        wasm_opt: options.wasm_opt,
    })?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.markdown());
    }
    if options.write {
        report.write(&xtask::root().join("docs/benchmarks.md"))?;
    }
    Ok(report.holds())
}

fn fuzz(options: Fuzz) -> anyhow::Result<bool> {
    let root = xtask::root();
    if options.list {
        for target in fuzz::targets(&root)? {
            println!("{}", target.name());
        }
        return Ok(true);
    }
    let outcomes = fuzz::run(
        &root,
        &fuzz::Options {
            filter: options.target,
            seconds: options.seconds,
            jobs: options.jobs,
            sanitizer: match options.address_sanitizer {
                true => fuzz::Sanitizer::Address,
                false => fuzz::Sanitizer::None,
            },
            inputs: options.inputs,
            arguments: options.arguments,
        },
    )?;
    print!("{}", fuzz::table(&outcomes));
    Ok(outcomes.iter().all(|outcome| outcome.findings.is_empty()))
}

fn recompile(options: RealModules) -> anyhow::Result<bool> {
    let report = real_modules::run(&real_modules::Options {
        only: options.only,
        runs: options.runs,
        wasmir: options.wasmir,
    })?;
    print!("{}", report.markdown());
    Ok(report.holds())
}

fn compare(options: Conformance) -> anyhow::Result<bool> {
    if options.list {
        for suite in conformance::all() {
            println!("{:<12} {}", suite.name(), suite.about());
        }
        return Ok(true);
    }
    let report = conformance::run(&conformance::Options {
        suite: options.suite,
        only: options.only,
        again: options.again,
        work: options.work,
        bless: options.bless,
        seeds: options.seeds,
        runner: options.runner,
    })?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.markdown());
    }
    for complaint in report.complaints() {
        eprintln!("error: {complaint}");
    }
    if options.write {
        report.write(&xtask::root().join("docs/conformance.md"))?;
    }
    Ok(report.holds())
}

fn diagnostics(options: Ui) -> anyhow::Result<bool> {
    let report = ui::run(&ui::Options {
        only: options.only,
        bless: options.bless,
        cargo_wasm: None,
    })?;
    for message in &report.wrong {
        println!("{message}");
    }
    println!("{} cases, {} wrong", report.cases, report.wrong.len());
    Ok(report.wrong.is_empty())
}

fn check() -> anyhow::Result<bool> {
    let complaints = tidy::check(&xtask::root())?;
    for complaint in &complaints {
        println!("{complaint}");
    }
    println!("{} complaints", complaints.len());
    Ok(complaints.is_empty())
}
