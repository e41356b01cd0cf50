//! The two compilers under comparison, Cargo, Node, and the folder to work in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use wasm_toolchain::{Environment, Progress, Target, Toolchain, discover, rustc_wasm};

use super::{Answer, Options, program::Engine};

/// The target of every case.
pub(super) const TARGET: &str = "wasm32-wasip1";

/// Bytes of a compiler's words that an answer keeps.
const TAIL: usize = 4000;

/// Which code generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// rustc's LLVM: the oracle.
    Llvm,
    /// Ours.
    Ours,
}

impl Tier {
    /// Both, the oracle first.
    pub const BOTH: [Tier; 2] = [Tier::Llvm, Tier::Ours];

    /// A name for files.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Llvm => "llvm",
            Tier::Ours => "ours",
        }
    }
}

/// A compiler with std for the target, made by itself.
pub struct Compiler {
    toolchain: Toolchain,
    words: String,
}

impl Compiler {
    fn of(toolchain: Toolchain) -> Result<Compiler> {
        let output = Command::new(toolchain.rustc())
            .arg("-vV")
            .output()
            .with_context(|| format!("cannot run `{}`", toolchain.rustc().display()))?;
        ensure!(
            output.status.success(),
            "`{} -vV` failed",
            toolchain.rustc().display()
        );
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Compiler { toolchain, words })
    }

    /// What it says about itself with `-vV`.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The first line of it.
    pub fn version(&self) -> &str {
        self.words.lines().next().unwrap_or_default()
    }
}

/// What suites use.
pub struct Tools {
    environment: Environment,
    llvm: Compiler,
    ours: Compiler,
    work: PathBuf,
    bless: bool,
    seeds: Option<std::ops::Range<u64>>,
    /// Whether our std for panics that unwind is made.
    unwinding: OnceLock<()>,
    /// The `cargo-wasm` that is the runner.
    runner: OnceLock<PathBuf>,
    in_runner: bool,
}

impl Tools {
    /// Finds the tools, and builds the compiler under test where it is not up to date.
    pub(super) fn new(options: &Options) -> Result<Tools> {
        let environment = Environment::from_process();
        let rust = discover::find_rust(&environment)?;
        let progress = Progress::new(false);
        // After a change of ours this takes a minute; from nothing, what `cargo wasm setup --rustc-wasm` takes.
        let front_end = rustc_wasm::make(&environment, &rust, &progress)?;
        let ready = |rust| Toolchain::complete(&environment, rust, &[Target::WasiP1], &progress);
        let llvm = Compiler::of(ready(rust)?)?;
        let ours = Compiler::of(ready(front_end)?)?;
        let work = options.work.clone();
        let work =
            std::path::absolute(work.unwrap_or_else(|| crate::root().join("target/conformance")))?;
        fs::create_dir_all(&work).with_context(|| format!("cannot create `{}`", work.display()))?;
        Ok(Tools {
            environment,
            llvm,
            ours,
            work,
            bless: options.bless,
            seeds: options.seeds.clone(),
            unwinding: Default::default(),
            runner: options
                .runner
                .clone()
                .map(OnceLock::from)
                .unwrap_or_default(),
            in_runner: options.runner.is_some(),
        })
    }

    /// The linker of objects.
    pub(super) fn linker(&self) -> Result<PathBuf> {
        let rust = self.llvm.toolchain.rust();
        let found = discover::find_linker(&self.environment, Some(rust));
        Ok(found.context("no linker for wasm was found")?.path)
    }

    /// What runs programs that do nothing particular.
    pub(super) fn engine(&self) -> Engine {
        match self.in_runner {
            true => Engine::Runner,
            false => Engine::Node,
        }
    }

    /// Our own runner, built when something asks for it.
    pub(super) fn runner(&self) -> Result<&Path> {
        if let Some(path) = self.runner.get() {
            return Ok(path);
        }
        let path = crate::bench::tool("cargo-wasm")?;
        Ok(self.runner.get_or_init(|| path))
    }

    /// One of the compilers.
    pub fn compiler(&self, tier: Tier) -> &Compiler {
        match tier {
            Tier::Llvm => &self.llvm,
            Tier::Ours => &self.ours,
        }
    }

    /// Where to build and to keep answers.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Whether expectations are to be written rather than compared.
    pub fn bless(&self) -> bool {
        self.bless
    }

    /// The seeds asked for.
    pub fn seeds(&self) -> Option<std::ops::Range<u64>> {
        self.seeds.clone()
    }

    /// The source of the standard library that belongs to the compilers.
    pub fn library_source(&self) -> Result<PathBuf> {
        let source = self.llvm.toolchain.rust().library_source();
        source.context("the source of the standard library is not installed")
    }

    /// Cargo with one of the compilers; it may use what only nightly compilers allow, as the library's own tests do.
    pub fn cargo(&self, tier: Tier) -> Command {
        let mut cargo = self.compiler(tier).toolchain.cargo(&self.environment);
        for variable in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
            "RUSTC_WRAPPER",
        ] {
            cargo.env_remove(variable);
        }
        cargo
            .env(
                "CARGO_TARGET_DIR",
                self.work.join("target").join(tier.name()),
            )
            .env("CARGO_TERM_COLOR", "never")
            .env("RUSTC_BOOTSTRAP", "1");
        cargo
    }

    /// One of the compilers by itself, for the target.
    pub fn rustc(&self, tier: Tier) -> Command {
        let mut rustc = Command::new(self.compiler(tier).toolchain.rustc());
        rustc
            .args(["--target", TARGET, "--edition", "2024"])
            .env("RUSTC_BOOTSTRAP", "1");
        rustc
    }

    /// The same for programs whose panics unwind; LLVM's are for the host ([`Engine::unwinding`]).
    pub fn unwinding_rustc(&self, tier: Tier) -> Result<Command> {
        let rust = self.compiler(tier).toolchain.rust();
        if tier == Tier::Llvm {
            let mut rustc = Command::new(&rust.rustc);
            rustc
                .args(["--edition", "2024"])
                .env("RUSTC_BOOTSTRAP", "1");
            return Ok(rustc);
        }
        if self.unwinding.get().is_none() {
            let progress = Progress::new(false);
            Toolchain::unwinding(
                &self.environment,
                rust.clone(),
                &[Target::WasiP1],
                &progress,
            )?;
            self.unwinding.get_or_init(|| ());
        }
        let mut rustc = self.rustc(tier);
        rustc.arg("-Cpanic=unwind");
        Ok(rustc)
    }
}

/// Runs a compilation: its standard output, or an answer with the end of what it printed.
pub(super) fn compile(command: &mut Command) -> Result<Result<String, Answer>> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    if output.status.success() {
        return Ok(Ok(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let start = words.floor_char_boundary(words.len().saturating_sub(TAIL));
    Ok(Err(Answer::NotCompiled(words[start..].to_owned())))
}

/// A copy of a folder and all it holds, links followed; whatever stood in its place is removed.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove `{}`", to.display()))?;
    }
    copy(from, to)
        .with_context(|| format!("cannot copy `{}` to `{}`", from.display(), to.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (from, to) = (entry?.path(), to);
        let to = to.join(from.file_name().unwrap_or_default());
        // Not `fs::copy`, which keeps a read-only mode.
        match fs::metadata(&from)?.is_dir() {
            true => copy(&from, &to)?,
            false => fs::write(&to, fs::read(&from)?)?,
        }
    }
    Ok(())
}
