//! One run of Cargo over rustc's crates and ours.

use super::crates::{Crates, compiler_source};
use super::estimate::{forecast, record};
use super::sources;
use crate::cache;
use crate::discover::Rust;
use crate::environment::Environment;
use crate::error::Error;
use crate::progress::{Progress, Step};
use crate::sysroot::scrub;
use crate::version_cache::stamp;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of a log that an error repeats.
const TAIL: usize = 12;

/// The file in Cargo's folder that says by which flags all of it was compiled.
pub(super) const BUILT: &str = "wasmrust-flags";

/// The front end.
pub(super) fn program() -> String {
    format!("rustc-wasm{EXE_SUFFIX}")
}

/// What the front end calls to link.
fn linker() -> String {
    format!("wasmir-ld{EXE_SUFFIX}")
}

/// The library that both are where rustc's crates are one, too; rustc can load it as a backend.
fn library() -> String {
    format!("{DLL_PREFIX}rustc_codegen_wasm{DLL_SUFFIX}")
}

/// One run of Cargo over rustc's crates and ours.
pub(super) struct Job<'a> {
    /// What it does otherwise than usual, for the user.
    pub(super) how: &'static str,
    /// Where rustc's crates come from.
    pub(super) crates: &'a Crates,
    /// One more flag for rustc, or nothing.
    pub(super) flag: String,
    /// The folder of our sources.
    pub(super) sources: PathBuf,
    /// Cargo's folder.
    pub(super) target: PathBuf,
    /// The name of the log.
    pub(super) log: &'static str,
}

impl Job<'_> {
    /// Unpacks our sources and lets Cargo build the front end.
    pub(super) fn run(
        &self,
        env: &Environment,
        rust: &Rust,
        progress: &Progress,
    ) -> Result<(), Error> {
        let source = compiler_source(env, rust).ok_or_else(|| Error::NoCompilerSource {
            rustc: rust.rustc.clone(),
            release: rust.version.release.clone(),
        })?;
        let home = env.wasmrust_home().ok_or(Error::NoHome)?;
        let logs = home.join("logs");
        fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
        let log = logs.join(self.log);
        sources::unpack(&self.sources, sources::FILES)?;
        // Cargo reads the manifests there, even where it compiles nothing of it.
        let link_at = self.sources.join("compiler/rustc-wasm/rustc-src");
        sources::link_source(&source, &link_at)?;
        if !progress.is_quiet() {
            progress.say(&forecast(self, &log));
        }
        let step = progress.step(format!(
            "building the MIR front end of rustc {}{}",
            rust.version.release, self.how
        ));
        let built = self.target.join(BUILT);
        // Until it is built, nobody knows by which flags what is there was compiled.
        if fs::read_to_string(&built).is_ok_and(|old| old != self.flag) {
            cache::remove(&built)?;
        }
        self.compile(env, rust, &log, &step)?;
        for (name, _) in self.products() {
            if !self.made().join(&name).is_file() {
                return Err(failed(
                    &log,
                    &format!("Cargo reported success, but made no `{name}`"),
                ));
            }
        }
        fs::write(&built, &self.flag).map_err(Error::io("write", &built))?;
        step.done();
        Ok(())
    }

    /// Copies what Cargo made to `folder`, with what the programs look for.
    pub(super) fn put_together(&self, rust: &Rust, folder: &Path) -> Result<(), Error> {
        for (name, part) in self.products() {
            let part = folder.join(part);
            fs::create_dir_all(&part).map_err(Error::io("create", &part))?;
            let file = part.join(&name);
            fs::copy(self.made().join(&name), &file).map_err(Error::io("write", &file))?;
        }
        let host = folder.join("bin/host-rustc");
        fs::write(&host, host_rustc(rust)?).map_err(Error::io("write", &host))
    }

    /// The folder that Cargo puts programs in.
    pub(super) fn made(&self) -> PathBuf {
        self.target.join("debug")
    }

    /// What Cargo makes, and the folder that it belongs to.
    fn products(&self) -> Vec<(String, &'static str)> {
        let mut products = vec![(program(), "bin"), (linker(), "bin")];
        if let Crates::Toolchain(_) = self.crates {
            products.push((library(), "lib"));
        }
        products
    }

    fn compile(
        &self,
        env: &Environment,
        rust: &Rust,
        log: &Path,
        step: &Step,
    ) -> Result<(), Error> {
        let (reader, writer) = std::io::pipe().map_err(Error::io("make a pipe for", log))?;
        let copy = writer
            .try_clone()
            .map_err(Error::io("make a pipe for", log))?;
        let mut file = File::create(log).map_err(Error::io("create", log))?;
        let mut cargo = self.command(env, rust);
        let _ = writeln!(file, "# {cargo:?}");
        let cannot_start = |e| Error::Command {
            command: format!("{} build", rust.cargo.display()),
            status: None,
            source: Some(e),
        };
        let mut child = cargo
            .stdout(copy)
            .stderr(writer)
            .spawn()
            .map_err(cannot_start)?;
        // The command holds our ends of the pipe; without them the reader sees its end.
        drop(cargo);
        record(reader, &mut file, self.crates, step);
        let status = child.wait().map_err(cannot_start)?;
        if status.success() {
            Ok(())
        } else {
            Err(failed(log, &status.to_string()))
        }
    }

    /// Cargo with what rustc's own build tells its crates. The version must be that of `rustc -V` to the letter: metadata and
    /// procedural macros are bound to it.
    fn command(&self, env: &Environment, rust: &Rust) -> Command {
        let mut cargo = Command::new(&rust.cargo);
        scrub(env, &mut cargo);
        // How the user builds programs is no business of the compiler's.
        for name in env.names() {
            let text = name.to_string_lossy();
            let prefixed = ["CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_"]
                .iter()
                .any(|p| text.starts_with(p));
            let outer = matches!(
                &*text,
                "CARGO_INCREMENTAL" | "CARGO_ENCODED_RUSTFLAGS" | "RUSTC_WORKSPACE_WRAPPER"
            );
            if prefixed || outer {
                cargo.env_remove(name);
            }
        }
        let verbose = &rust.version.verbose;
        let field = |name: &str| {
            let line = verbose.lines().find_map(|l| l.strip_prefix(name));
            line.map_or("", str::trim)
        };
        let version = verbose.lines().next().unwrap_or_default();
        let release = &rust.version.release;
        let rustflags = self.rustflags().join("\u{1f}");
        let documentation = format!("https://doc.rust-lang.org/{release}");
        let told = [
            ("CFG_VERSION", version.trim_start_matches("rustc ").trim()),
            ("CFG_RELEASE", release),
            ("CFG_RELEASE_CHANNEL", "stable"),
            ("CFG_VER_HASH", field("commit-hash:")),
            ("CFG_VER_DATE", field("commit-date:")),
            ("CFG_COMPILER_HOST_TRIPLE", &rust.version.host),
            ("RUSTC_INSTALL_BINDIR", "bin"),
            ("CFG_LIBDIR_RELATIVE", "lib"),
            ("DOC_RUST_LANG_ORG_CHANNEL", &documentation),
            ("RUSTC_WASM_SOURCES", &sources::DIGEST[..12]),
            ("RUSTC_BOOTSTRAP", "1"),
            ("RUSTC_WRAPPER", ""),
            ("CARGO_ENCODED_RUSTFLAGS", &rustflags),
            // Build scripts and procedural macros with counters: nobody asks what they counted.
            ("LLVM_PROFILE_FILE", "/dev/null"),
        ];
        cargo
            .args(["build", "--message-format", "json-render-diagnostics"])
            .args(self.package())
            .current_dir(self.sources.join("compiler/rustc-wasm"))
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUSTC", &rust.rustc)
            .envs(told)
            .stdin(Stdio::null());
        cargo
    }

    /// How Cargo is told what to build: the workspace's first package, or the other one.
    fn package(&self) -> &'static [&'static str] {
        match self.crates {
            Crates::Source => &[],
            Crates::Toolchain(_) => &["--package", "rustc-wasm-dylib"],
        }
    }

    fn rustflags(&self) -> Vec<String> {
        let mut flags = match self.crates {
            // Generics are not shared between rustc's crates: that would build faster, and every later compilation be a tenth slower.
            Crates::Source => vec!["-Zforce-unstable-if-unmarked".to_owned()],
            Crates::Toolchain(folders) => {
                let here = if cfg!(target_vendor = "apple") {
                    "@loader_path"
                } else {
                    "$ORIGIN"
                };
                let folders = folders.iter().map(|folder| folder.display().to_string());
                let paths = std::iter::once(format!("{here}/../lib"))
                    .chain(folders)
                    // One argument each: commas, which `-Wl` takes for ends of arguments, may be part of a path.
                    .flat_map(|folder| ["-rpath".to_owned(), folder])
                    .flat_map(|word| {
                        [
                            "-Clink-arg=-Xlinker".to_owned(),
                            format!("-Clink-arg={word}"),
                        ]
                    });
                // Dependencies that rustc has, too, are told apart from its own.
                std::iter::once("-Cmetadata=wasmrust".to_owned())
                    .chain(paths)
                    .collect()
            }
        };
        if !self.flag.is_empty() {
            flags.push(self.flag.clone());
        }
        flags
    }
}

/// The text by which the front end knows its host's rustc: the path, by what the executable is known again, and its answer to `-vV`.
fn host_rustc(rust: &Rust) -> Result<String, Error> {
    let path = &rust.rustc;
    let (size, modified) = stamp(path).map_err(Error::io("read", path))?;
    let words = &rust.version.verbose;
    Ok(format!("{}\n{size} {modified}\n{words}", path.display()))
}

fn failed(log: &Path, reason: &str) -> Error {
    let text = fs::read_to_string(log).unwrap_or_default();
    // From the first error on: what follows are mostly its consequences.
    let lines: Vec<&str> = text
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim_start().starts_with("Compiling"))
        .collect();
    let first = lines.iter().position(|l| l.starts_with("error"));
    let start = first.unwrap_or(lines.len().saturating_sub(TAIL));
    let end = lines.len().min(start + TAIL);
    let mut tail = lines[start..end].join("\n");
    if tail.is_empty() {
        tail = reason.to_owned();
    }
    Error::Failed {
        what: "building the MIR front end".into(),
        log: log.to_owned(),
        tail,
        hint: "repair what the log names, then run `cargo wasm setup --rustc-wasm` again: it goes on where it stopped".into(),
    }
}
