//! Conformance of the compiler whose front end is rustc's and whose code generator is ours: whatever a program does when rustc's
//! LLVM compiled it, it does when ours did.
//!
//! # Method
//!
//! A [`Suite`] has cases; a case is something that both compilers compile, for wasm32-wasip1, and that answers a number of named
//! tests: a crate's own tests, a program with an expected output, a generated program. The rule is the same everywhere: **a test that
//! passes with LLVM passes with ours**. A test that LLVM fails too (it starts a thread, say, or expects to catch a panic) shows
//! nothing. Exceptions to the rule stand in `exceptions.toml`, by name and with the reason; one that is no longer needed is an error.
//!
//! # Resuming
//!
//! The answers of a case are kept in a file per compiler, with a key: the compiler's words about itself, which hold a digest of its
//! sources, and the version of the case. A run that was stopped goes on where it was, and LLVM's side is done once.
//!
//! # Adding a suite
//!
//! Write a file with a type that implements [`Suite`] and name it in [`all`].

mod contracts;
mod crates;
mod generate;
mod generated;
mod library;
mod libtest;
mod package;
mod program;
mod programs;
mod report;
mod store;
mod threads;
mod tools;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

pub use report::{CaseReport, Report, SuiteReport};
pub use tools::{Tier, Tools};

/// The generated program of a seed: it prints the same under every compiler.
pub(crate) fn generated_program(seed: u64) -> String {
    generate::program(seed)
}

/// What a test said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It was not run, as its author says.
    Ignored,
    /// It failed, or the program ended in it, or it did not end.
    Failed,
}

/// What one compiler's version of a case answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Every test's verdict.
    Tests(BTreeMap<String, Verdict>),
    /// The compiler refused the case, or failed; with the end of what it printed.
    NotCompiled(String),
}

/// Something to compile and run.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, for `--only` and the table.
    pub name: String,
    /// What it was made of: a version, for the table.
    pub version: String,
    /// Whatever else changes its answers.
    pub key: String,
}

/// A collection of cases.
pub trait Suite {
    /// Its name, for `--suite` and as the title of its table.
    fn name(&self) -> &'static str;
    /// What it shows, in a sentence or two.
    fn about(&self) -> &'static str;
    /// Whether every test has to pass with LLVM, because the tests are ours.
    fn is_own(&self) -> bool {
        false
    }
    /// Its cases.
    fn cases(&self, tools: &Tools) -> Result<Vec<Case>>;
    /// Compiles and runs one case.
    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer>;
}

/// All suites, in the order of the tables.
pub fn all() -> Vec<Box<dyn Suite>> {
    vec![
        Box::new(programs::Programs),
        Box::new(threads::Threads),
        Box::new(library::Library::CORE),
        Box::new(library::Library::ALLOC),
        Box::new(crates::Crates),
        Box::new(contracts::Contracts),
        Box::new(generated::Generated),
    ]
}

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only this suite.
    pub suite: Option<String>,
    /// Only cases whose name contains this.
    pub only: Option<String>,
    /// Forget the answers of earlier runs.
    pub again: bool,
    /// Where to build and to keep answers; `target/conformance` when not given.
    pub work: Option<PathBuf>,
    /// `programs`: write LLVM's output as the expected one. `crates`: choose versions of their dependencies anew.
    pub bless: bool,
    /// `generated`: these seeds.
    pub seeds: Option<std::ops::Range<u64>>,
    /// Run programs by this `cargo-wasm`, not in Node.
    pub runner: Option<PathBuf>,
}

/// The reasons for exceptions: suite, case, test.
type Exceptions = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

/// What a sample came to.
#[derive(Debug, Default)]
pub struct Sample {
    /// How many tests passed.
    pub passed: usize,
    /// Those that did not, or what the compiler said.
    pub wrong: Vec<String>,
}

/// Runs the chosen cases with our compiler alone and compares with nothing but what is written down or what the case itself makes: for
/// suites of our own, in which every test has to pass.
///
/// # Errors
/// If a suite is not our own, or cannot run.
pub fn sample(options: &Options) -> Result<Sample> {
    let tools = Tools::new(options)?;
    let mut sample = Sample::default();
    for suite in chosen(options)? {
        ensure!(suite.is_own(), "`{}` needs LLVM's answers", suite.name());
        for case in chosen_cases(suite.as_ref(), &tools, options)? {
            match store::answer(suite.as_ref(), &case, &tools, Tier::Ours, options.again)? {
                Answer::Tests(tests) => {
                    for (test, verdict) in tests {
                        match verdict {
                            Verdict::Passed => sample.passed += 1,
                            _ => sample.wrong.push(format!("{}: {test}", case.name)),
                        }
                    }
                }
                Answer::NotCompiled(words) => {
                    sample.wrong.push(format!("{}:\n{words}", case.name));
                }
            }
        }
    }
    Ok(sample)
}

/// The suites that the options name.
fn chosen(options: &Options) -> Result<Vec<Box<dyn Suite>>> {
    let name = options.suite.as_deref();
    let mut suites = all();
    suites.retain(|suite| name.is_none_or(|name| name == suite.name()));
    ensure!(
        !suites.is_empty(),
        "no suite of that name; `cargo xtask conformance --list` shows all"
    );
    Ok(suites)
}

/// The cases of a suite that the options name.
fn chosen_cases(suite: &dyn Suite, tools: &Tools, options: &Options) -> Result<Vec<Case>> {
    let cases = suite.cases(tools);
    let mut cases = cases.with_context(|| format!("the suite `{}` cannot begin", suite.name()))?;
    let only = options.only.as_deref();
    cases.retain(|case| only.is_none_or(|only| case.name.contains(only)));
    Ok(cases)
}

/// Runs the chosen cases with both compilers.
pub fn run(options: &Options) -> Result<Report> {
    let exceptions: Exceptions =
        toml::from_str(include_str!("exceptions.toml")).context("exceptions.toml")?;
    let chosen = chosen(options)?;
    let tools = Tools::new(options)?;
    let mut suites = Vec::new();
    for suite in chosen {
        let none = BTreeMap::new();
        let reasons = exceptions.get(suite.name()).unwrap_or(&none);
        let cases = chosen_cases(suite.as_ref(), &tools, options)?;
        let mut reports = Vec::with_capacity(cases.len());
        for (index, case) in cases.iter().enumerate() {
            eprint!(
                "{} {}/{} {} {} … ",
                suite.name(),
                index + 1,
                cases.len(),
                case.name,
                case.version
            );
            let answers = Tier::BOTH
                .map(|tier| store::answer(suite.as_ref(), case, &tools, tier, options.again));
            let [llvm, ours] = answers;
            let context = || format!("the case `{}` cannot run", case.name);
            let (llvm, ours) = (llvm.with_context(context)?, ours.with_context(context)?);
            let none = BTreeMap::new();
            let report = CaseReport::compare(
                case,
                suite.is_own(),
                &llvm,
                &ours,
                reasons.get(&case.name).unwrap_or(&none),
            );
            eprintln!("{}", report.summary());
            reports.push(report);
        }
        suites.push(SuiteReport {
            name: suite.name(),
            about: suite.about(),
            cases: reports,
        });
    }
    Ok(Report {
        compiler: tools.compiler(Tier::Llvm).version().to_owned(),
        suites,
    })
}
