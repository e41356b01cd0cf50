//! A complete toolchain folder for a rustc whose own sysroot lacks the WebAssembly targets.
//!
//! # What is made
//!
//! ```text
//! $WASMRUST_HOME/sysroots/1.96.0-<digest>/
//!   bin/rustc, bin/rustdoc            launchers: the real program, for WebAssembly with `--sysroot` pointing here
//!   lib/rustlib/<host>/bin/rust-lld   link to the WebAssembly linker that was found
//!   lib/rustlib/wasm32-…/lib          std, built here from the installed source; for WASI with wasi-libc's start files
//!   unwind/                           the same for programs whose panics unwind, when something asks for it
//! ```
//!
//! The launchers take the second sysroot when they see `-Cpanic=unwind`: std is compiled for one way of panicking, and code that may
//! throw must not be part of a program that cannot catch.
//!
//! Nothing for the host: build scripts and proc macros are compiled by the real program with its own sysroot. So the cache folder holds
//! no link to a folder outside, and whatever walks through it, to clean or to copy, stays inside.
//!
//! Used as `RUSTC`, this behaves as a rustup toolchain with the targets added does: rustc finds linker, start files and std by
//! its own rules. So no `RUSTFLAGS`, no linker setting and no `--sysroot` flag has to be forced upon the user's Cargo
//! configuration, and doc tests see the same toolchain.
//!
//! # How
//!
//! `rustc-build-sysroot` compiles the library's own workspace; the vendored dependencies of the source are used when they
//! are there, so that no network is needed. Paths of the source are remapped to what official builds carry
//! (`/rustc/<commit>/library`): the result does not depend on where the source lies, and rustc maps it back in its messages.
//!
//! # Cost
//!
//! 30 to 50 s and some 150 MB of temporary space per target on 2 cores, once.

use crate::cache::{self, Integrity, Lock};
use crate::discover::{self, Rust, has_std};
use crate::environment::Environment;
use crate::error::Error;
use crate::overlay;
use crate::progress::{Progress, Step};
use crate::target::{Panic, Target};
use crate::wasi_libc;
use rustc_build_sysroot::{SysrootBuilder, SysrootConfig};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Changes whenever the way of building does, so that older folders are not reused.
const RECIPE: &str = "3";

/// The same for what is built for unwinding alone.
const UNWIND_RECIPE: &str = "unwind 1";

/// Lines of a log that an error repeats.
const TAIL: usize = 12;

/// The plan of one composed toolchain folder.
#[derive(Debug, Clone)]
pub(crate) struct Composed {
    home: PathBuf,
    folder: PathBuf,
    rust: Rust,
    linker: PathBuf,
    wasi_libc: Option<PathBuf>,
    key: String,
}

impl Composed {
    /// Plans the folder for `rust`; writes nothing.
    pub(crate) fn plan(env: &Environment, rust: &Rust) -> Result<Composed, Error> {
        let home = env.wasmrust_home().ok_or(Error::NoHome)?;
        let linker = discover::find_linker(env, Some(rust))
            .ok_or(Error::NoLinker)?
            .path;
        let named = env.var("WASMRUST_WASI_LIBC").is_some();
        let own = rust.wasi_libc().filter(|_| !named);
        let wasi_libc = own.or_else(|| discover::find_wasi_libc(env).map(|tool| tool.path));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let parts = [
            RECIPE.to_owned(),
            rust.version.verbose.clone(),
            text(&rust.rustc),
            text(&rust.sysroot),
            text(&linker),
        ];
        let key = cache::digest(parts.iter().map(String::as_bytes));
        let folder = home
            .join("sysroots")
            .join(format!("{}-{}", rust.version.release, &key[..12]));
        Ok(Composed {
            home,
            folder,
            rust: rust.clone(),
            linker,
            wasi_libc,
            key,
        })
    }

    /// The launcher of that name.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The sysroot for programs with this way of panicking.
    pub(crate) fn folder(&self, panic: Panic) -> PathBuf {
        match panic {
            Panic::Abort => self.folder.clone(),
            Panic::Unwind => self.folder.join("unwind"),
        }
    }

    fn target_folder(&self, target: Target, panic: Panic) -> PathBuf {
        let folder = self.folder(panic);
        folder.join("lib/rustlib").join(target.triple())
    }

    /// What a target's library is made from.
    fn target_key(&self, target: Target, panic: Panic) -> Result<String, Error> {
        let mut parts = vec![
            self.key.clone().into_bytes(),
            target.triple().as_bytes().to_vec(),
        ];
        if panic == Panic::Unwind {
            parts.push(UNWIND_RECIPE.as_bytes().to_vec());
        }
        if let Some(library) = self.rust.library_source() {
            parts.push(library.to_string_lossy().into_owned().into_bytes());
            let lock = library.join("Cargo.lock");
            parts.push(fs::read(&lock).map_err(Error::io("read", lock))?);
        }
        if target == Target::WasiP1 {
            for file in self.start_files() {
                let metadata = fs::metadata(&file).map_err(Error::io("read", &file))?;
                parts.push(
                    format!(
                        "{} {} {:?}",
                        file.display(),
                        metadata.len(),
                        metadata.modified().ok()
                    )
                    .into_bytes(),
                );
            }
        }
        Ok(cache::digest(parts.iter().map(Vec::as_slice)))
    }

    fn start_files(&self) -> Vec<PathBuf> {
        let Some(folder) = &self.wasi_libc else {
            return Vec::new();
        };
        let files = ["crt1-command.o", "crt1-reactor.o", "libc.a"].map(|name| folder.join(name));
        files.into_iter().filter(|f| f.is_file()).collect()
    }

    /// Whether `target` can be compiled for right now.
    pub(crate) fn check(
        &self,
        target: Target,
        panic: Panic,
        thorough: bool,
    ) -> Result<Integrity, Error> {
        if !self.base_is_intact(panic) {
            let damaged = self.folder.exists();
            return Ok(if damaged {
                Integrity::Damaged("its launchers or links are gone".into())
            } else {
                Integrity::Absent
            });
        }
        if panic == Panic::Abort && self.rust.has_target(target) {
            return Ok(Integrity::Complete);
        }
        Ok(cache::check(
            &self.target_folder(target, panic),
            &self.target_key(target, panic)?,
            thorough,
        ))
    }

    fn base_is_intact(&self, panic: Panic) -> bool {
        let host = self
            .folder(panic)
            .join("lib/rustlib")
            .join(&self.rust.version.host);
        self.launchers()
            .iter()
            .all(|(path, text)| fs::read_to_string(path).is_ok_and(|t| t == *text))
            && host.join("bin/rust-lld").is_file()
    }

    /// Makes whatever `targets` lack, under the lock.
    pub(crate) fn make(
        &self,
        env: &Environment,
        targets: &[Target],
        panic: Panic,
        progress: &Progress,
        thorough: bool,
    ) -> Result<(), Error> {
        let lacks = |target: &Target| {
            let found = self.check(*target, panic, thorough)?;
            Ok::<_, Error>(found != Integrity::Complete)
        };
        let mut missing = false;
        for target in targets {
            missing |= lacks(target)?;
        }
        if !missing {
            return Ok(());
        }
        let _lock = Lock::take(&self.home, "sysroots", progress)?;
        // Another process may have finished it while this one waited.
        if !self.base_is_intact(panic) {
            self.make_base(panic)?;
        }
        for &target in targets {
            match self.check(target, panic, thorough)? {
                Integrity::Complete => continue,
                Integrity::Damaged(how) => {
                    progress.say(&format!("the library for {target} is made anew: {how}"));
                }
                Integrity::Absent => {}
            }
            self.build(env, target, panic, progress)?;
        }
        Ok(())
    }

    /// Path and text of each launcher.
    fn launchers(&self) -> Vec<(PathBuf, String)> {
        let mut programs = vec![("rustc", self.rust.rustc.clone())];
        programs.extend(self.rust.rustdoc.clone().map(|path| ("rustdoc", path)));
        let pattern = |targets: &mut dyn Iterator<Item = Target>| {
            let words = targets.map(|t| format!("*\" --target {t} \"*|*\" --target={t} \"*"));
            words.collect::<Vec<_>>().join("|")
        };
        let all = pattern(&mut Target::ALL.into_iter());
        let lacking = |target: &Target| !self.rust.has_target(*target);
        let lacking = pattern(&mut Target::ALL.into_iter().filter(lacking));
        let text = |name: &str, real: &Path| {
            let real = quoted(real);
            let with = |panic| {
                let sysroot = quoted(&self.folder(panic));
                match self.test_builder().filter(|_| name == "rustdoc") {
                    None => format!("exec {real} --sysroot {sysroot} \"$@\""),
                    Some(rustc) => format!(
                        "exec env RUSTC_BOOTSTRAP=1 {real} --sysroot {sysroot} -Zunstable-options --test-builder {} \"$@\"",
                        quoted(rustc)
                    ),
                }
            };
            let (unwind, abort) = (with(Panic::Unwind), with(Panic::Abort));
            // A `--sysroot` of the user's own wins; rustc refuses two. A target that the real toolchain has is its own business.
            let mut text = format!(
                "#!/bin/sh\nwords=\" $* \"\ncase \"$words\" in *\" --sysroot\"*) exec {real} \"$@\" ;; esac\n\
                 case \"$words\" in *\" -Cpanic=unwind \"*|*\" -C panic=unwind \"*)\n\
                 case \"$words\" in {all}) {unwind} ;; esac ;;\nesac\n"
            );
            if !lacking.is_empty() {
                text += &format!("case \"$words\" in {lacking}) {abort} ;; esac\n");
            }
            text + &format!("exec {real} \"$@\"\n")
        };
        programs
            .iter()
            .map(|(name, real)| (self.program(name), text(name, real)))
            .collect()
    }

    /// The compiler of documentation tests, which rustdoc has to be told (an unstable option) where it is not the one beside rustdoc: code of
    /// another code generator is not for that one's linker.
    fn test_builder(&self) -> Option<&Path> {
        let beside = self.rust.rustdoc.as_deref()?.parent();
        (self.rust.rustc.parent() != beside).then_some(&*self.rust.rustc)
    }

    /// Makes launchers and link. Each is replaced by a rename, so a compiler that runs meanwhile is not disturbed.
    fn make_base(&self, panic: Panic) -> Result<(), Error> {
        let bin = self
            .folder(panic)
            .join("lib/rustlib")
            .join(&self.rust.version.host)
            .join("bin");
        for folder in [&self.folder.join("bin"), &bin] {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        link(&self.linker, &bin.join("rust-lld"))?;
        for (path, text) in self.launchers() {
            write_program(&path, &text)?;
        }
        Ok(())
    }

    /// Compiles std for `target` and installs it.
    fn build(
        &self,
        env: &Environment,
        target: Target,
        panic: Panic,
        progress: &Progress,
    ) -> Result<(), Error> {
        let library = self.rust.library_source().ok_or_else(|| Error::NoSource {
            rustc: self.rust.rustc.clone(),
            release: self.rust.version.release.clone(),
            target: target.triple(),
        })?;
        if target == Target::WasiP1 && self.start_files().is_empty() {
            return Err(Error::NoWasiLibc);
        }
        let key = self.target_key(target, panic)?;
        let with = match panic {
            Panic::Abort => "",
            Panic::Unwind => ", with panics that unwind",
        };
        let step = progress.step(format!("building std for {target}{with}"));
        let logs = self.home.join("logs");
        fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
        let log = logs.join(format!("sysroot-{target}.log"));
        // On the same file system as the destination, so that the last step is a rename.
        let staging = tempfile::Builder::new()
            .prefix(".making-")
            .tempdir_in(self.home.join("sysroots"));
        let staging =
            staging.map_err(Error::io("create a folder in", self.home.join("sysroots")))?;
        let source = match panic {
            Panic::Abort => Source {
                library: library.clone(),
                installed: library,
                flag: None,
            },
            Panic::Unwind => Source {
                library: overlay::make(&library, staging.path())?,
                installed: library,
                flag: Some("-Cpanic=unwind"),
            },
        };
        self.compile(env, target, &source, staging.path(), &log, &step)?;
        let made = staging.path().join("lib/rustlib").join(target.triple());
        if !has_std(&made.join("lib")) {
            return Err(self.failed(target, &log, "no std was made"));
        }
        drop_duplicate_metadata(&made.join("lib"))?;
        if let (Target::WasiP1, Some(libc)) = (target, &self.wasi_libc) {
            let tools = wasi_libc::Tools {
                rustc: &self.rust.rustc,
                linker: &self.linker,
                sysroot: staging.path(),
            };
            wasi_libc::install(libc, &made.join("lib/self-contained"), &tools)?;
        }
        cache::install(&made, &self.target_folder(target, panic), &key)?;
        step.done();
        Ok(())
    }

    fn compile(
        &self,
        env: &Environment,
        target: Target,
        source: &Source,
        into: &Path,
        log: &Path,
        step: &Step,
    ) -> Result<(), Error> {
        let library = &source.installed;
        let (reader, writer) = std::io::pipe().map_err(Error::io("make a pipe for", log))?;
        let mut file = File::create(log).map_err(Error::io("create", log))?;
        let mut cargo = Command::new(&self.rust.cargo);
        scrub(env, &mut cargo);
        // How the user builds programs is no business of std's either.
        for name in env.names() {
            let text = name.to_string_lossy();
            let prefixed = ["CARGO_PROFILE_", "CARGO_BUILD_"]
                .iter()
                .any(|p| text.starts_with(p));
            if prefixed || matches!(&*text, "CARGO_INCREMENTAL" | "RUSTC_WORKSPACE_WRAPPER") {
                cargo.env_remove(name);
            }
        }
        let vendor = library.join("vendor");
        if vendor.is_dir() {
            let directory = serde_json::Value::from(vendor.to_string_lossy());
            cargo.args([
                "--offline",
                "--config",
                "source.crates-io.replace-with='vendored-library'",
                "--config",
            ]);
            cargo.arg(format!("source.vendored-library.directory={directory}"));
        }
        // Not in the user's project: its `.cargo/config.toml` is no business of std's.
        cargo
            .current_dir(into)
            .env("RUSTC", &self.rust.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC_WRAPPER", "");
        cargo
            .stdout(
                writer
                    .try_clone()
                    .map_err(Error::io("make a pipe for", log))?,
            )
            .stderr(writer);
        let _ = writeln!(file, "# {cargo:?} build --target {target}");
        let commit = self
            .rust
            .version
            .commit
            .as_deref()
            .unwrap_or(&self.rust.version.release);
        let real = library
            .canonicalize()
            .unwrap_or_else(|_| library.to_owned());
        let version = rustc_version::version_meta_for(&self.rust.version.verbose);
        let version = version.map_err(|e| Error::BadOverride {
            path: self.rust.rustc.clone(),
            reason: e.to_string(),
        })?;
        let builder = SysrootBuilder::new(into, target.triple())
            .sysroot_config(SysrootConfig::WithStd {
                std_features: Vec::new(),
            })
            .rustc_version(version)
            .rustflags([&source.library, library, &real].map(|folder| remap(folder, commit)))
            .rustflags(source.flag)
            .cargo(cargo);
        let result = std::thread::scope(|scope| {
            scope.spawn(|| record(reader, &mut file, step));
            // Consumes the command and with it our end of the pipe, which ends the recorder.
            builder.build_from_source(&source.library)
        });
        result.map(drop).map_err(|error| {
            // The builder's own reasons (no space, a file that cannot be written) belong in the log too.
            if let Ok(mut file) = File::options().append(true).open(log) {
                let _ = writeln!(file, "# {error:#}");
            }
            self.failed(target, log, &format!("{:#}", error.root_cause()))
        })
    }

    fn failed(&self, target: Target, log: &Path, reason: &str) -> Error {
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text
            .lines()
            .filter(|l| !l.starts_with('#') && !l.trim_start().starts_with("Compiling"))
            .collect();
        let mut tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        if tail.is_empty() {
            tail = reason.lines().next().unwrap_or_default().to_owned();
        }
        let hint =
            "free disk space or repair what the log names, then run `cargo wasm setup` again"
                .to_owned();
        Error::Failed {
            what: format!("building std for {target}"),
            log: log.to_owned(),
            tail,
            hint,
        }
    }
}

/// The standard library's source.
struct Source {
    /// What is compiled.
    library: PathBuf,
    /// What was installed; the same, or what the former links to.
    installed: PathBuf,
    /// What the compiler has to be told besides.
    flag: Option<&'static str>,
}

/// Removes what an outer `cargo run` or rustup proxy put into the environment: it describes another toolchain and package.
pub(crate) fn scrub(env: &Environment, command: &mut Command) {
    for name in env.names() {
        let text = name.to_string_lossy();
        let outer = matches!(
            &*text,
            "CARGO"
                | "CARGO_MANIFEST_DIR"
                | "CARGO_MANIFEST_PATH"
                | "CARGO_MANIFEST_LINKS"
                | "CARGO_CRATE_NAME"
                | "CARGO_BIN_NAME"
                | "CARGO_PRIMARY_PACKAGE"
                | "OUT_DIR"
                | "RUSTUP_TOOLCHAIN"
                | "RUSTUP_TOOLCHAIN_SOURCE"
                | "RUST_RECURSION_COUNT"
        );
        if outer || text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_BIN_EXE_") {
            command.env_remove(name);
        }
    }
}

fn remap(library: &Path, commit: &str) -> String {
    format!(
        "--remap-path-prefix={}=/rustc/{commit}/library",
        library.display()
    )
}

/// Copies Cargo's words to the log and shows the crate being compiled.
fn record(reader: PipeReader, log: &mut File, step: &Step) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        // A full disk must not stop the reading, or the writer would wait for ever.
        let _ = log.write_all(&line);
        let text = String::from_utf8_lossy(&line);
        if let Some(what) = text.trim_start().strip_prefix("Compiling ") {
            step.detail(what.split(" (").next().unwrap_or(what).trim());
        }
        line.clear();
    }
}

/// Cargo leaves each crate's metadata beside the library that holds it too: half of the space, and nobody reads it.
fn drop_duplicate_metadata(lib: &Path) -> Result<(), Error> {
    for (_, path) in entries(lib)? {
        let alone =
            path.extension().is_some_and(|e| e == "rmeta") && path.with_extension("rlib").is_file();
        if alone {
            cache::remove(&path)?;
        }
    }
    Ok(())
}

/// Names and paths of a folder's entries, sorted.
fn entries(folder: &Path) -> Result<Vec<(OsString, PathBuf)>, Error> {
    let read = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut all: Vec<_> = read.flatten().map(|e| (e.file_name(), e.path())).collect();
    all.sort();
    Ok(all)
}

/// Quotes a path for `sh`.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(unix)]
pub(crate) fn link(to: &Path, at: &Path) -> Result<(), Error> {
    cache::remove(at)?;
    std::os::unix::fs::symlink(to, at).map_err(Error::io("link", at))
}

#[cfg(unix)]
pub(crate) fn write_program(path: &Path, text: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(folder).map_err(Error::io("create a file in", folder))?;
    file.write_all(text.as_bytes())
        .map_err(Error::io("write", path))?;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755))
        .map_err(Error::io("write", path))?;
    file.persist(path).map(drop).map_err(|e| Error::Io {
        action: "write",
        path: path.to_owned(),
        source: e.error,
    })
}

// Distributions that lack the targets are Unix ones; elsewhere rustup brings them.
#[cfg(not(unix))]
pub(crate) fn link(_: &Path, at: &Path) -> Result<(), Error> {
    Err(Error::Io {
        action: "link",
        path: at.to_owned(),
        source: std::io::ErrorKind::Unsupported.into(),
    })
}

#[cfg(not(unix))]
pub(crate) fn write_program(path: &Path, _: &str) -> Result<(), Error> {
    Err(Error::Io {
        action: "write",
        path: path.to_owned(),
        source: std::io::ErrorKind::Unsupported.into(),
    })
}
