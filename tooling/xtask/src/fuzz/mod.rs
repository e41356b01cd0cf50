//! Fuzzing with libFuzzer: finds the fuzz targets of the tree, builds them, runs them, says what came of it.
//!
//! # Targets
//!
//! A crate's targets are the binaries of the package in its folder `fuzz/`, a workspace of its own, as `cargo fuzz` lays it out. The
//! name of a target is `CRATE/BINARY`. What an example `seeds` of that package writes is where its targets start from: it is called with a
//! folder, and writes `FOLDER/BINARY/*`.
//!
//! # Without a nightly compiler
//!
//! LLVM's coverage instrumentation is asked for by `-Cpasses` and `-Cllvm-args`, which stable rustc knows; `libfuzzer-sys` brings libFuzzer
//! as C++ source. Only a sanitizer needs rustc's unstable switches, and gets them by `RUSTC_BOOTSTRAP`. Overflow checks and debug
//! assertions are on. `cargo fuzz` builds and runs the same packages, with the same flags, but wants to be installed, and a nightly compiler.
//!
//! # What is kept
//!
//! The corpus of a target lies in `<target folder>/fuzz/corpus/CRATE/BINARY` and grows from run to run; inputs that failed lie in
//! `.../findings/...`, logs in `.../logs`. A finding is to become a test of the crate, with fixed bytes, when it is mended.

mod build;
mod session;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

pub use session::Outcome;

/// What to fuzz and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// A target's name, `CRATE/BINARY`, or either half of it; all targets without.
    pub filter: Option<String>,
    /// How long each target runs.
    pub seconds: u32,
    /// How many processes work on one target at a time.
    pub jobs: u32,
    /// What watches over memory.
    pub sanitizer: Sanitizer,
    /// Run these inputs, and nothing else.
    pub inputs: Vec<PathBuf>,
    /// Passed on to libFuzzer.
    pub arguments: Vec<String>,
}

/// A sanitizer of LLVM's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sanitizer {
    /// None: the fastest, for crates without `unsafe`.
    None,
    /// AddressSanitizer: finds misuse of memory in `unsafe` code, at half the speed.
    Address,
}

/// A fuzz target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The crate whose folder it lies in.
    pub owner: String,
    /// The binary.
    pub binary: String,
    /// The manifest of its package.
    pub manifest: PathBuf,
    /// Whether the package says what its targets start from.
    pub seeds: bool,
}

impl Target {
    /// Its name, `CRATE/BINARY`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.owner, self.binary)
    }

    fn is(&self, filter: &str) -> bool {
        filter == self.owner || filter == self.binary || filter == self.name()
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    targets: Vec<CargoTarget>,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
    kind: Vec<String>,
}

/// All fuzz targets of the tree at `root`, sorted by name.
pub fn targets(root: &Path) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for room in ["compiler", "crates", "tooling"] {
        let room = root.join(room);
        for entry in
            std::fs::read_dir(&room).with_context(|| format!("cannot read `{}`", room.display()))?
        {
            let folder = entry?.path();
            let manifest = folder.join("fuzz/Cargo.toml");
            let Some(owner) = folder.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if manifest.is_file() {
                of_package(owner, &manifest, &mut targets)?;
            }
        }
    }
    targets.sort();
    Ok(targets)
}

/// Appends the targets of one package.
fn of_package(owner: &str, manifest: &Path, targets: &mut Vec<Target>) -> Result<()> {
    let output = build::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .context("cannot start Cargo")?;
    ensure!(
        output.status.success(),
        "cannot read `{}`: {}",
        manifest.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read Cargo's metadata")?;
    for package in metadata.packages {
        let is = |target: &CargoTarget, kind: &str| target.kind.iter().any(|k| k == kind);
        let seeds = package
            .targets
            .iter()
            .any(|target| is(target, "example") && target.name == "seeds");
        let binaries = package.targets.iter().filter(|target| is(target, "bin"));
        targets.extend(binaries.map(|target| Target {
            owner: owner.to_owned(),
            binary: target.name.clone(),
            manifest: manifest.to_owned(),
            seeds,
        }));
    }
    Ok(())
}

/// Builds and runs what `options` choose; one outcome per target.
pub fn run(root: &Path, options: &Options) -> Result<Vec<Outcome>> {
    let all = targets(root)?;
    let chosen: Vec<&Target> = all
        .iter()
        .filter(|target| {
            options
                .filter
                .as_ref()
                .is_none_or(|filter| target.is(filter))
        })
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no fuzz target is called `{}`\nhelp: `cargo xtask fuzz --list` names them",
        options.filter.as_deref().unwrap_or_default()
    );
    ensure!(
        options.inputs.is_empty() || chosen.len() == 1,
        "inputs are run by one target, and `{}` names {}\nhelp: give the full name, CRATE/BINARY",
        options.filter.as_deref().unwrap_or("no name"),
        chosen.len()
    );
    build::find_cxx()?;
    let builder = build::Builder::new(root, options.sanitizer)?;
    let mut built = Vec::new();
    for target in chosen {
        built.push((target, builder.build(target)?));
    }
    let mut outcomes = Vec::new();
    for (target, program) in built {
        outcomes.push(session::run(
            target,
            &program,
            &builder.state(target)?,
            options,
        )?);
    }
    Ok(outcomes)
}

/// The outcomes as a table.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| target | executions | CPU time | edges covered | corpus | findings |\n|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        use std::fmt::Write;
        let _ = writeln!(
            text,
            "| `{}` | {} | {} s | {} of {} | {} | {} |",
            outcome.target,
            outcome.executions,
            outcome.cpu_seconds,
            outcome.edges,
            outcome.all_edges,
            outcome.corpus,
            outcome.findings.len()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_has_targets_and_names_find_them() {
        let targets = targets(&crate::root()).expect("the tree can be read");
        let named = |filter: &str| -> Vec<String> {
            let found = targets.iter().filter(|target| target.is(filter));
            found.map(Target::name).collect()
        };
        assert_eq!(named("wasmir-lift/module"), ["wasmir-lift/module"]);
        assert!(named("wasmir").contains(&"wasmir/text".to_owned()));
        assert!(named("module").contains(&"wasmir-lift/module".to_owned()));
        assert!(named("no-such-target").is_empty());
    }
}
