//! What benchmarks share: the tools, and copies of the examples that they may edit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wasm_toolchain::{Environment, Progress, Target, Toolchain};

use super::{Limit, Measure, Options, Row, measure};
use crate::published;

/// How many pairs there are of what takes a fraction of a second.
const SHORT_ROUNDS: u32 = 15;

/// Tools and a folder for one run of the benchmarks.
pub struct Session {
    folder: TempDir,
    cargo_wasm: PathBuf,
    given_wasm_opt: Option<PathBuf>,
    environment: Environment,
    toolchain: Toolchain,
    runs: u32,
}

/// Which of Cargo's two profiles a module was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// `dev`: LLVM at -O0.
    Debug,
    /// `release`: LLVM at -O3.
    Release,
}

/// A side of a comparison: prepares, which is not measured, and then gives the command to measure.
pub(super) type Side<'a> = dyn Fn(u32) -> Result<Command> + 'a;

impl Session {
    /// Finds or builds the tools, and makes the sysroots ready.
    pub(super) fn new(options: &Options) -> Result<Self> {
        let cargo_wasm = match &options.cargo_wasm {
            Some(path) => std::path::absolute(path)?,
            None => tool("cargo-wasm")?,
        };
        let environment = Environment::from_process();
        let toolchain = Toolchain::ready(&environment, &Target::ALL, &Progress::new(false))
            .context("the toolchain is not ready")?;
        Ok(Session {
            folder: tempfile::tempdir().context("cannot make a temporary folder")?,
            cargo_wasm,
            given_wasm_opt: options.wasm_opt.clone(),
            environment,
            toolchain,
            runs: options.runs,
        })
    }

    /// A copy of an example, with its dependencies fetched, in a folder of its own.
    pub fn example(&self, name: &str) -> Result<Project> {
        self.project(&Path::new("examples").join(name))
    }

    /// A copy of the package in `place`, a path from the repository's root.
    pub fn project(&self, place: &Path) -> Result<Project> {
        let name = place.file_name().context("a package has a folder")?;
        let folder = self.folder.path().join(name);
        if !folder.exists() {
            copy(&crate::root().join(place), &folder)?;
            let manifest = folder.join("Cargo.toml");
            // The copy stands elsewhere; what its manifest names by relative paths does not.
            let text = fs::read_to_string(&manifest)?.replace(
                "path = \"../../",
                &format!("path = \"{}/", crate::root().display()),
            );
            fs::write(&manifest, text)?;
            measure(self.cargo().current_dir(&folder).arg("fetch"))
                .context("cannot fetch the dependencies of a package")?;
        }
        let source = ["src/main.rs", "src/lib.rs"].map(|source| folder.join(source));
        let source = source.into_iter().find(|source| source.is_file());
        let source = source
            .with_context(|| format!("`{}` has neither main.rs nor lib.rs", place.display()))?;
        let text = fs::read_to_string(&source)?;
        Ok(Project {
            folder,
            source,
            text,
        })
    }

    /// Where the source of a published package lies, which is not to be changed.
    pub(super) fn published(&self, name: &str, version: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join("fetch").join(name);
        let mut sources = published::sources(self.cargo(), &folder, &[(name, version)])?;
        sources.pop().context("one package was asked for")
    }

    /// A program of one source file; its manifest goes on with `rest` after name and version.
    pub fn written(&self, name: &str, rest: &str, source: &str) -> Result<Project> {
        let folder = self.folder.path().join(name);
        let main = folder.join("src/main.rs");
        fs::create_dir_all(folder.join("src"))?;
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n{rest}\n[workspace]\n");
        fs::write(folder.join("Cargo.toml"), manifest)?;
        fs::write(&main, source)?;
        Ok(Project {
            folder,
            source: main,
            text: source.to_owned(),
        })
    }

    /// What rustc's LLVM makes of a package of `tests/fixtures`: the core module, as plain Cargo links it.
    pub fn fixture(&self, name: &str, profile: Profile) -> Result<PathBuf> {
        let project = self.project(&Path::new("tests/fixtures").join(name))?;
        let triple = project.triple();
        let (option, folder) = match profile {
            Profile::Debug => (None, "debug"),
            Profile::Release => (Some("--release"), "release"),
        };
        let mut command = self.cargo();
        command
            .current_dir(project.folder())
            .args(["build", "--target", triple])
            .args(option);
        measure(&mut command)?;
        let file = format!("target/{triple}/{folder}/{name}.wasm");
        Ok(project.folder().join(file))
    }

    /// The `wasmir` tool, built in the profile of this program.
    pub fn wasmir(&self) -> Result<PathBuf> {
        tool("wasmir")
    }

    /// `wasm-opt` as compiled for this machine, the peer in speed and size.
    pub fn wasm_opt(&self) -> Result<PathBuf> {
        if let Some(path) = &self.given_wasm_opt {
            return Ok(std::path::absolute(path)?);
        }
        let found = wasm_toolchain::discover::find_wasm_opt(&self.environment);
        let found = found.context(
            "no `wasm-opt` to compare with; install binaryen, or name one with `--wasm-opt`",
        )?;
        Ok(found.path)
    }

    /// A peer of `tooling/xtask/peers`, always built for release: a package of its own, since nothing of ours depends on it.
    pub fn peer(&self, name: &str, program: &str) -> Result<PathBuf> {
        let this = std::env::current_exe().context("cannot find this program")?;
        let target = this
            .ancestors()
            .nth(2)
            .context("a program in a target folder")?;
        let target = target.join("peers");
        let manifest = crate::root()
            .join("tooling/xtask/peers")
            .join(name)
            .join("Cargo.toml");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(&manifest)
            .arg("--target-dir")
            .arg(&target)
            .status()
            .context("cannot start Cargo")?;
        ensure!(status.success(), "the peer `{name}` does not build");
        Ok(target.join(format!("release/{program}{}", std::env::consts::EXE_SUFFIX)))
    }

    /// How often each side is measured.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// `cargo-wasm`, without Cargo's own settings of this process.
    pub fn cargo_wasm(&self) -> Command {
        let mut command = Command::new(&self.cargo_wasm);
        clean(&mut command);
        // The benchmarks of the other compiler ask for it.
        command.env("WASMRUST_FRONTEND", "stock");
        command
    }

    /// The Cargo that `cargo-wasm` uses, with the same rustc and sysroot.
    pub fn cargo(&self) -> Command {
        let mut command = self.toolchain.cargo(&self.environment);
        clean(&mut command);
        command
    }

    /// Measures two sides in turn.
    pub fn compare(
        &self,
        what: impl Into<String>,
        kind: Measure,
        limit: Limit,
        subject: &Side<'_>,
        peer: &Side<'_>,
    ) -> Result<Row> {
        let [row] = self.compare_all(what, [(kind, limit)], subject, peer)?;
        Ok(row)
    }

    /// Measures two sides in turn that take a fraction of a second each: often enough for the machine's noise to even out.
    pub fn compare_short(
        &self,
        what: &str,
        kind: Measure,
        limit: Limit,
        subject: &Side<'_>,
        peer: &Side<'_>,
    ) -> Result<Row> {
        let rounds = self.runs.max(SHORT_ROUNDS);
        let what = format!("{what}, {rounds} pairs");
        let [row] = self.compare_rounds(rounds, what, [(kind, limit)], subject, peer)?;
        Ok(row)
    }

    /// Measures two sides in turn, and compares several parts of what they cost.
    pub fn compare_all<const N: usize>(
        &self,
        what: impl Into<String>,
        parts: [(Measure, Limit); N],
        subject: &Side<'_>,
        peer: &Side<'_>,
    ) -> Result<[Row; N]> {
        self.compare_rounds(self.runs, what, parts, subject, peer)
    }

    fn compare_rounds<const N: usize>(
        &self,
        rounds: u32,
        what: impl Into<String>,
        parts: [(Measure, Limit); N],
        subject: &Side<'_>,
        peer: &Side<'_>,
    ) -> Result<[Row; N]> {
        let what = what.into();
        let mut rows = parts.map(|(measure, limit)| Row {
            what: what.clone(),
            measure,
            limit,
            subject: Vec::new(),
            peer: Vec::new(),
        });
        for round in 0..rounds {
            let (mine, other);
            if round % 2 == 0 {
                mine = measure(&mut subject(round)?)?;
                other = measure(&mut peer(round)?)?;
            } else {
                other = measure(&mut peer(round)?)?;
                mine = measure(&mut subject(round)?)?;
            }
            for row in &mut rows {
                row.subject.push(row.measure.of(&mine));
                row.peer.push(row.measure.of(&other));
            }
        }
        for row in &rows {
            row.tell();
        }
        Ok(rows)
    }

    /// A path in the session's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The machine, in a few words.
    pub(super) fn machine(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let rustc = measure_text(Command::new(self.toolchain.rustc()).arg("--version"));
        format!(
            "{} on {}, {cores} cores, {rustc}",
            std::env::consts::OS,
            std::env::consts::ARCH
        )
    }

    /// The profile of the tools.
    pub(super) fn profile(&self) -> &'static str {
        profile()
    }
}

/// A copy of an example.
pub struct Project {
    folder: PathBuf,
    source: PathBuf,
    text: String,
}

impl Project {
    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is a program rather than a library.
    pub fn is_program(&self) -> bool {
        self.source.ends_with("main.rs")
    }

    /// The target that fits it.
    pub fn triple(&self) -> &'static str {
        match self.is_program() {
            true => "wasm32-wasip1",
            false => "wasm32-unknown-unknown",
        }
    }

    /// Changes one line of the source so that the compiled program, and what it prints, change too: the first of `main`, or else data.
    /// The line is another one in every run of the benchmarks: caches outlive a run, and would know the program as a whole.
    pub fn edit(&self, value: &str) -> Result<()> {
        static RUN: OnceLock<u128> = OnceLock::new();
        let since = || SystemTime::now().duration_since(UNIX_EPOCH);
        let run = RUN.get_or_init(|| since().unwrap_or_default().as_nanos());
        let value = &format!("{value} of {run:x}");
        let opens_main = |line: &&str| line.starts_with("fn main()") && line.ends_with('{');
        let text = match self.text.lines().find(opens_main) {
            Some(line) => {
                let edited = format!("{line}\n    eprintln!({value:?});");
                self.text.replacen(line, &edited, 1)
            }
            None => format!(
                "{}\n#[used]\nstatic EDITED: [u8; {}] = *b{value:?};\n",
                self.text,
                value.len()
            ),
        };
        fs::write(&self.source, text).context("cannot edit the copy of an example")
    }
}

/// The profile of our tools: that of this program.
pub(crate) fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    }
}

/// Builds a tool of ours beside this program, in the same profile.
pub(crate) fn tool(program: &str) -> Result<PathBuf> {
    let folder = build("--bin", program)?;
    Ok(folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
}

/// Builds an example of ours, in the profile of this program.
pub(super) fn example(example: &str) -> Result<PathBuf> {
    let program = format!("{example}{}", std::env::consts::EXE_SUFFIX);
    Ok(build("--example", example)?.join("examples").join(program))
}

/// Builds a program in the profile of this one; gives the folder of programs. The features of dependencies are those of the
/// whole workspace, as in any other build: chosen for one package alone, the engine would be compiled anew.
fn build(kind: &str, name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(crate::root())
        .args(["build", "--workspace", kind, name]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // The folder above `debug` or `release`.
    if let Some(target) = this.parent().and_then(Path::parent) {
        command.arg("--target-dir").arg(target);
    }
    let status = command.status().context("cannot start Cargo")?;
    ensure!(status.success(), "`{name}` does not build");
    let folder = this.parent().context("a program is in a folder")?;
    Ok(folder.to_owned())
}

/// Takes away what a Cargo or rustup around this process set for its own build.
fn clean(command: &mut Command) {
    for variable in [
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "RUSTC_WRAPPER",
    ] {
        command.env_remove(variable);
    }
    command.env("CARGO_TERM_COLOR", "never");
}

/// Copies a folder, without what Cargo builds in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                copy(&entry.path(), &target)?;
            }
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn measure_text(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    output.unwrap_or_default()
}
