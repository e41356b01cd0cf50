//! Builds fuzz targets with the instrumentation that libFuzzer reads.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{Sanitizer, Target};

/// What asks LLVM for the coverage that libFuzzer reads: a counter per edge, a table of their places, and calls at comparisons.
const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // Branches that are folded into one condition would hide an edge.
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// Cargo, the one that runs this program.
pub(super) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the caller's Cargo set for building this program is not meant for another package.
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// libFuzzer comes as C++ source: says so before Cargo fails over it.
pub(super) fn find_cxx() -> Result<()> {
    let named = env::var_os("CXX");
    let candidates: Vec<_> = match &named {
        Some(named) => vec![named.as_os_str()],
        None => ["c++", "g++", "clang++"].map(AsRef::as_ref).to_vec(),
    };
    let found = candidates.iter().any(|compiler| {
        Command::new(compiler)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    });
    ensure!(
        found,
        "no C++ compiler, which libFuzzer is built with{}\n\
         help: install one (Debian, Ubuntu: `apt-get install g++`; Fedora: `dnf install gcc-c++`; macOS: `xcode-select --install`), or \
         name one in `CXX`",
        named.map_or(String::new(), |name| format!(
            ": `CXX` names `{}`",
            name.display()
        ))
    );
    Ok(())
}

/// Where a target keeps what outlives a run.
pub(super) struct State {
    /// Inputs that reached something new.
    pub(super) corpus: PathBuf,
    /// What the package's example `seeds` wrote.
    pub(super) seeds: PathBuf,
    /// Inputs that failed.
    pub(super) findings: PathBuf,
    /// All that libFuzzer said in the last run.
    pub(super) log: PathBuf,
}

/// Builds targets for one sanitizer.
pub(super) struct Builder {
    host: String,
    /// Corpora, findings, logs and seeds.
    kept: PathBuf,
    /// Instrumented artefacts, by sanitizer: apart from those of other builds.
    artefacts: PathBuf,
    sanitizer: Sanitizer,
}

impl Builder {
    pub(super) fn new(root: &Path, sanitizer: Sanitizer) -> Result<Builder> {
        let folder = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => root.join("target"),
        };
        let kept = folder.join("fuzz");
        let artefacts = kept.join(match sanitizer {
            Sanitizer::None => "build",
            Sanitizer::Address => "build-address",
        });
        Ok(Builder {
            host: host()?,
            kept,
            artefacts,
            sanitizer,
        })
    }

    /// Builds a target, and writes the seeds of its package if it has any; the program.
    pub(super) fn build(&self, target: &Target) -> Result<PathBuf> {
        self.cargo(target, &["build", "--bin", &target.binary], &[])?;
        if target.seeds {
            let seeds = self.kept.join("seeds").join(&target.owner);
            fs::create_dir_all(&seeds)
                .with_context(|| format!("cannot make `{}`", seeds.display()))?;
            self.cargo(target, &["run", "--example", "seeds"], &[&seeds])?;
        }
        let folder = self.artefacts.join(&self.host).join("release");
        Ok(folder
            .join(&target.binary)
            .with_extension(env::consts::EXE_EXTENSION))
    }

    /// Runs Cargo in a target's package, with the flags of an instrumented build. With a target triple the flags do not reach
    /// build scripts and macros.
    fn cargo(&self, target: &Target, what: &[&str], arguments: &[&Path]) -> Result<()> {
        let mut command = cargo();
        let mut flags: Vec<String> = COVERAGE.map(str::to_owned).to_vec();
        if let Ok(more) = env::var("RUSTFLAGS") {
            flags.extend(more.split_whitespace().map(str::to_owned));
        }
        if self.sanitizer == Sanitizer::Address {
            flags.push("-Zsanitizer=address".to_owned());
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        for (key, value) in [
            ("DEBUG", "line-tables-only"),
            ("DEBUG_ASSERTIONS", "true"),
            ("OVERFLOW_CHECKS", "true"),
        ] {
            command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        command
            .args(what)
            .args(["--release", "--quiet", "--target", &self.host])
            .arg("--manifest-path")
            .arg(&target.manifest)
            .arg("--target-dir")
            .arg(&self.artefacts);
        if !arguments.is_empty() {
            command.arg("--").args(arguments);
        }
        let status = command.status().context("cannot start Cargo")?;
        ensure!(
            status.success(),
            "cannot build the fuzz target `{}`\nhelp: the command was `{command:?}`",
            target.name()
        );
        Ok(())
    }

    /// Where `target` keeps what outlives a run; the folders exist.
    pub(super) fn state(&self, target: &Target) -> Result<State> {
        let folder = |kind: &str| -> Result<PathBuf> {
            let folder = self
                .kept
                .join(kind)
                .join(&target.owner)
                .join(&target.binary);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make `{}`", folder.display()))?;
            Ok(folder)
        };
        Ok(State {
            corpus: folder("corpus")?,
            seeds: folder("seeds")?,
            findings: folder("findings")?,
            log: folder("logs")?.join("last.txt"),
        })
    }
}

/// The triple of this machine.
fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .arg("-vV")
        .output()
        .with_context(|| format!("cannot start `{}`", rustc.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .with_context(|| format!("`{} -vV` names no host", rustc.display()))
}
