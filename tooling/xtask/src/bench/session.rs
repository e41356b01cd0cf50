//! What benchmarks share: the tools, and copies of the examples that they may edit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wasm_toolchain::{Environment, Progress, Target, Toolchain};

use super::{Cost, Limit, Measure, Options, Row, measure};

/// Tools and a folder for one run of the benchmarks.
pub struct Session {
    folder: TempDir,
    cargo_wasm: PathBuf,
    environment: Environment,
    toolchain: Toolchain,
    runs: u32,
}

/// A side of a comparison: prepares, which is not measured, and then gives the command to measure.
pub(super) type Side<'a> = dyn Fn(u32) -> Result<Command> + 'a;

impl Session {
    /// Finds or builds the tools, and makes the sysroots ready.
    pub(super) fn new(options: &Options) -> Result<Self> {
        let cargo_wasm = match &options.cargo_wasm {
            Some(path) => std::path::absolute(path)?,
            None => build_cargo_wasm()?,
        };
        let environment = Environment::from_process();
        let toolchain = Toolchain::ready(&environment, &Target::ALL, &Progress::new(false))
            .context("the toolchain is not ready")?;
        Ok(Session {
            folder: tempfile::tempdir().context("cannot make a temporary folder")?,
            cargo_wasm,
            environment,
            toolchain,
            runs: options.runs,
        })
    }

    /// A copy of an example, with its dependencies fetched, in a folder of its own.
    pub fn example(&self, name: &str) -> Result<Project> {
        let folder = self.folder.path().join(name);
        if !folder.exists() {
            copy(&crate::root().join("examples").join(name), &folder)?;
            let manifest = folder.join("Cargo.toml");
            // The copy stands elsewhere; what its manifest names by relative paths does not.
            let text = fs::read_to_string(&manifest)?.replace(
                "path = \"../../",
                &format!("path = \"{}/", crate::root().display()),
            );
            fs::write(&manifest, text)?;
            measure(self.cargo().current_dir(&folder).arg("fetch"))
                .context("cannot fetch the dependencies of an example")?;
        }
        let source = ["src/main.rs", "src/lib.rs"].map(|source| folder.join(source));
        let source = source.into_iter().find(|source| source.is_file());
        let source = source
            .with_context(|| format!("the example `{name}` has neither main.rs nor lib.rs"))?;
        let text = fs::read_to_string(&source)?;
        Ok(Project {
            folder,
            source,
            text,
        })
    }

    /// `cargo-wasm`, without Cargo's own settings of this process.
    pub fn cargo_wasm(&self) -> Command {
        let mut command = Command::new(&self.cargo_wasm);
        clean(&mut command);
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
        let mut row = Row {
            what: what.into(),
            measure: kind,
            limit,
            subject: Vec::new(),
            peer: Vec::new(),
        };
        for round in 0..self.runs {
            let once = |side: &Side<'_>, samples: &mut Vec<Cost>| -> Result<()> {
                samples.push(measure(&mut side(round)?)?);
                Ok(())
            };
            if round % 2 == 0 {
                once(subject, &mut row.subject)?;
                once(peer, &mut row.peer)?;
            } else {
                once(peer, &mut row.peer)?;
                once(subject, &mut row.subject)?;
            }
        }
        let (_, median, _) = row.compared();
        eprintln!("  {}: {median:.3}", row.what);
        Ok(row)
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
        if cfg!(debug_assertions) {
            "dev"
        } else {
            "release"
        }
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

    /// Changes one line of the source so that the compiled program changes too.
    pub fn edit(&self, value: &str) -> Result<()> {
        let line = format!(
            "\n#[used]\nstatic EDITED: [u8; {}] = *b{value:?};\n",
            value.len()
        );
        fs::write(&self.source, format!("{}{line}", self.text))
            .context("cannot edit the copy of an example")
    }
}

/// Builds `cargo-wasm` beside this program, in the same profile.
fn build_cargo_wasm() -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(crate::root())
        .args(["build", "--package", "cargo-wasm"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // The folder above `debug` or `release`.
    if let Some(target) = this.parent().and_then(Path::parent) {
        command.arg("--target-dir").arg(target);
    }
    let status = command.status().context("cannot start Cargo")?;
    ensure!(status.success(), "cargo-wasm does not build");
    Ok(this.with_file_name(format!("cargo-wasm{}", std::env::consts::EXE_SUFFIX)))
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

fn copy(from: &Path, to: &Path) -> Result<()> {
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
