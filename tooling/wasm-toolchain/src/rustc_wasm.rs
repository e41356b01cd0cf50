//! The MIR front end: rustc's own front end with our code generator, built from the source of the rustc that is used.
//!
//! # What is made
//!
//! ```text
//! $WASMRUST_HOME/rustc-wasm/
//!   build-1.96.0-<digest of rustc>/    source/ (ours, unpacked) and target/ (Cargo's), kept
//!   1.96.0-<digest of rustc and ours>/ bin/rustc-wasm, bin/wasmir-ld, bin/host-rustc and the stamp
//! ```
//!
//! # How
//!
//! The sources of `rustc-wasm`, `wasmir`, `pack-store`, `codegen-cranelift` and `wasmir-ld` are part of this library (`build.rs`). They are unpacked beside
//! links to rustc's source; a file is written only when its contents changed, so Cargo rebuilds what a new version of ours
//! touches and none of rustc's crates. The build folder belongs to one rustc: its name is a digest of what that rustc says
//! about itself and of where its source lies. A build that was killed goes on where it stopped, because Cargo's folder stays.
//!
//! With a [profile](crate::pgo), which [`record_profile`] records on request, all of it is compiled by what the profile says.
//!
//! The finished program moves to a folder whose name also covers our sources, by one rename. So a compiler that is running is
//! never overwritten, and what two versions of `cargo wasm` made does not mix.
//!
//! # Cost
//!
//! From nothing some twenty minutes on 2 cores and 3 GB of disk; after a change of ours, what our crates and the link take.

use crate::cache::{self, Integrity, Lock};
use crate::discover::Rust;
use crate::environment::Environment;
use crate::error::Error;
use crate::pgo::{Profile, Recording};
use crate::progress::{Progress, Step};
use crate::sysroot::{link, scrub};
use crate::target::{Panic, Target};
use crate::toolchain::Toolchain;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Changes whenever the way of building does.
const RECIPE: &str = "1";

/// Path and contents of every file that the build needs of ours, and their digest.
mod sources {
    include!(concat!(env!("OUT_DIR"), "/sources.rs"));
}

/// Lines of a log that an error repeats.
const TAIL: usize = 12;

/// Folders and files of rustc's source that its crates refer to.
const LINKED: [&str; 4] = ["compiler", "library", "src", "Cargo.toml"];

/// Libraries that a build from nothing makes, for the estimate of what is left; a wrong number only makes that less exact.
const LIBRARIES: f64 = 290.0;

/// CPU seconds of the crates that take longest (optimisation level 2; measured, or estimated by the measured ones); what matters is how
/// they compare.
const LONG: [(&str, f64); 24] = [
    ("codegen_cranelift", 20.0),
    ("cranelift_codegen", 81.0),
    ("rustc_ast_lowering", 19.0),
    ("rustc_attr_parsing", 27.0),
    ("rustc_borrowck", 90.0),
    ("rustc_codegen_ssa", 38.0),
    ("rustc_const_eval", 57.0),
    ("rustc_errors", 16.0),
    ("rustc_expand", 30.0),
    ("rustc_hir_analysis", 67.0),
    ("rustc_hir_typeck", 72.0),
    ("rustc_interface", 27.0),
    ("rustc_lint", 43.0),
    ("rustc_metadata", 54.0),
    ("rustc_middle", 80.0),
    ("rustc_mir_build", 40.0),
    ("rustc_mir_transform", 63.0),
    ("rustc_parse", 40.0),
    ("rustc_query_impl", 83.0),
    ("rustc_resolve", 61.0),
    ("rustc_trait_selection", 98.0),
    ("rustc-wasm", 60.0),
    ("wasmir", 25.0),
    ("wasmir_ld", 10.0),
];

/// CPU seconds of every other library.
const USUAL: f64 = 2.0;

/// CPU seconds of a build from nothing.
const ALL: f64 = 1918.0;

/// How the MIR front end for a rustc stands.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It is there and whole: the same toolchain with `rustc-wasm` as its rustc.
    Ready(Box<Rust>),
    /// Nobody has asked for it.
    Absent,
    /// Its build was begun, but not finished.
    Unfinished,
    /// One is there that was built from other sources or for another rustc.
    Outdated,
    /// It is there, but not as it was made; the text says how.
    Damaged(String),
}

impl Standing {
    /// Why it cannot be used, as the end of a sentence about `rustc-wasm`; `None` if it can.
    pub fn obstacle(&self) -> Option<String> {
        Some(match self {
            Standing::Ready(_) => return None,
            Standing::Absent => "is not built yet".into(),
            Standing::Unfinished => "was not built to its end".into(),
            Standing::Outdated => {
                "was built from other sources, or for another rustc, than these".into()
            }
            Standing::Damaged(how) => format!("is damaged: {how}"),
        })
    }
}

/// How the MIR front end for `rust` stands. Reads one stamp and the sizes of its files; with `thorough`, their contents.
///
/// # Errors
/// There is no cache folder.
pub fn standing(env: &Environment, rust: &Rust, thorough: bool) -> Result<Standing, Error> {
    let plan = Plan::there(env, rust)?;
    Ok(match cache::check(&plan.finished, &plan.key, thorough) {
        Integrity::Complete => Standing::Ready(Box::new(plan.compiler(rust))),
        Integrity::Damaged(how) => Standing::Damaged(how),
        Integrity::Absent if plan.others() => Standing::Outdated,
        Integrity::Absent if plan.workshop.exists() => Standing::Unfinished,
        Integrity::Absent => Standing::Absent,
    })
}

/// Builds the MIR front end for `rust` unless it is there, then std for every target with it.
///
/// # Errors
/// rustc's source is not installed, a build fails, or a file cannot be written.
pub fn set_up(env: &Environment, rust: &Rust, progress: &Progress) -> Result<Toolchain, Error> {
    let compiler = make(env, rust, progress)?;
    Toolchain::checked(env, compiler, &Target::ALL, Panic::Abort, progress, true)
}

/// Records what the MIR front end for `rust` spends its time on, unless that was done: from then on it is built by that.
///
/// # Errors
/// rustc's source or `llvm-profdata` is not installed, a build fails, or a file cannot be written.
pub fn record_profile(env: &Environment, rust: &Rust, progress: &Progress) -> Result<(), Error> {
    let plan = Plan::of(env, rust)?;
    if plan.profile.is_some() {
        return Ok(());
    }
    let _lock = Lock::take(&plan.home, "rustc-wasm", progress)?;
    // Another process may have recorded it while this one waited.
    match Profile::of(&plan.workshop) {
        Some(_) => Ok(()),
        None => plan.record(env, rust, progress),
    }
}

/// Builds the MIR front end for `rust` unless it is there and whole.
///
/// # Errors
/// rustc's source is not installed, the build fails, or a file cannot be written.
pub fn make(env: &Environment, rust: &Rust, progress: &Progress) -> Result<Rust, Error> {
    let plan = Plan::of(env, rust)?;
    if cache::check(&plan.finished, &plan.key, true) != Integrity::Complete {
        let _lock = Lock::take(&plan.home, "rustc-wasm", progress)?;
        // Another process may have finished it while this one waited.
        if cache::check(&plan.finished, &plan.key, true) != Integrity::Complete {
            plan.build(env, rust, progress)?;
        }
    }
    Ok(plan.compiler(rust))
}

/// The finished front end's folder, and that in which it is built; they need not exist.
pub(crate) fn folders(env: &Environment, rust: &Rust) -> Result<[PathBuf; 2], Error> {
    let plan = Plan::there(env, rust)?;
    Ok([plan.finished, plan.workshop])
}

/// The same toolchain with the MIR front end as its rustc; it need not exist.
pub(crate) fn compiler(env: &Environment, rust: &Rust) -> Result<Rust, Error> {
    Ok(Plan::there(env, rust)?.compiler(rust))
}

/// Where rustc's own source lies: the compiler's crates and the library's, of exactly this release.
pub fn compiler_source(env: &Environment, rust: &Rust) -> Option<PathBuf> {
    let named = env.var("WASMRUST_RUSTC_SRC").map(PathBuf::from);
    let rustlib = rust.rustlib();
    let usual = [
        rustlib.join("src/rust"),
        rustlib.join("rustc-src/rust"),
        env.root()
            .join("usr/src")
            .join(format!("rustc-{}", rust.version.release)),
    ];
    named.into_iter().chain(usual).find(|folder| {
        let has = |file: &str| folder.join(file).is_file();
        let version = fs::read_to_string(folder.join("src/version"));
        // rustup's component has neither the workspace's manifest, which nobody needs, nor the version, which is the toolchain's.
        has("compiler/rustc_driver_impl/Cargo.toml")
            && version.map_or(true, |v| v.trim() == rust.version.release)
    })
}

/// One run of Cargo over rustc's crates and ours.
struct Job {
    /// What it does otherwise than usual, for the user.
    how: &'static str,
    /// More flags for rustc.
    flags: String,
    /// Cargo's folder.
    target: PathBuf,
    /// The name of the log.
    log: &'static str,
}

/// What is to be made, and where.
struct Plan {
    home: PathBuf,
    /// Sources and Cargo's folder, one per rustc.
    workshop: PathBuf,
    /// The result, one per rustc and version of our sources.
    finished: PathBuf,
    key: String,
    /// What it is compiled by.
    profile: Option<Profile>,
}

impl Plan {
    /// What is to be made: with the profile, if there is one.
    fn of(env: &Environment, rust: &Rust) -> Result<Plan, Error> {
        Plan::with(env, rust, Profile::of)
    }

    /// What is to be used: what was made without the profile, as long as nothing is made with it.
    fn there(env: &Environment, rust: &Rust) -> Result<Plan, Error> {
        let plan = Plan::of(env, rust)?;
        let is_whole =
            |plan: &Plan| cache::check(&plan.finished, &plan.key, false) == Integrity::Complete;
        if plan.profile.is_some() && !is_whole(&plan) {
            let plain = Plan::with(env, rust, |_| None)?;
            if is_whole(&plain) {
                return Ok(plain);
            }
        }
        Ok(plan)
    }

    fn with(
        env: &Environment,
        rust: &Rust,
        profile: impl FnOnce(&Path) -> Option<Profile>,
    ) -> Result<Plan, Error> {
        let home = env.wasmrust_home().ok_or(Error::NoHome)?.join("rustc-wasm");
        let source = compiler_source(env, rust).unwrap_or_default();
        let parts = [
            RECIPE.to_owned(),
            rust.version.verbose.clone(),
            rust.rustc.to_string_lossy().into_owned(),
            source.to_string_lossy().into_owned(),
        ];
        let theirs = cache::digest(parts.iter().map(String::as_bytes));
        let release = &rust.version.release;
        let workshop = home.join(format!("build-{release}-{}", &theirs[..12]));
        let profile = profile(&workshop);
        let mut parts = vec![theirs.as_bytes(), sources::DIGEST.as_bytes()];
        parts.extend(profile.iter().map(|profile| profile.digest.as_bytes()));
        let key = cache::digest(parts);
        Ok(Plan {
            workshop,
            finished: home.join(format!("{release}-{}", &key[..12])),
            home,
            key,
            profile,
        })
    }

    /// Whether there are finished front ends of other sources or other rustcs.
    fn others(&self) -> bool {
        let folders = fs::read_dir(&self.home).into_iter().flatten().flatten();
        folders
            .map(|entry| entry.path())
            .any(|path| path != self.finished && path.join(cache::STAMP).is_file())
    }

    fn program() -> String {
        format!("rustc-wasm{}", std::env::consts::EXE_SUFFIX)
    }

    /// What the front end calls to link.
    fn linker() -> String {
        format!("wasmir-ld{}", std::env::consts::EXE_SUFFIX)
    }

    /// `rust` with the front end in place of its rustc.
    fn compiler(&self, rust: &Rust) -> Rust {
        Rust {
            rustc: self.finished.join("bin").join(Plan::program()),
            ..rust.clone()
        }
    }

    fn build(&self, env: &Environment, rust: &Rust, progress: &Progress) -> Result<(), Error> {
        let (how, flags) = match &self.profile {
            Some(profile) => (
                " by its profile",
                format!("-Cprofile-use={}", profile.file.display()),
            ),
            None => ("", String::new()),
        };
        let job = Job {
            how,
            flags,
            target: self.workshop.join("target"),
            log: "rustc-wasm.log",
        };
        self.cargo(env, rust, &job, progress)?;
        // On the same file system as the destination, so that the last step is a rename.
        let staging = tempfile::Builder::new()
            .prefix(".making-")
            .tempdir_in(&self.home)
            .map_err(Error::io("create a folder in", &self.home))?;
        let made = staging.path().join("made");
        put_together(rust, &job.target, &made.join("bin"))?;
        cache::install(&made, &self.finished, &self.key)
    }

    /// Builds the front end with counters, and records a profile with it.
    fn record(&self, env: &Environment, rust: &Rust, progress: &Progress) -> Result<(), Error> {
        let recording = Recording::begin(env, rust, &self.workshop)?;
        let job = Job {
            how: " with counters",
            flags: recording.flag(),
            target: recording.target(),
            log: "rustc-wasm-counting.log",
        };
        self.cargo(env, rust, &job, progress)?;
        put_together(rust, &job.target, &recording.bin())?;
        recording.finish(env, rust, &Plan::program(), &self.workshop, progress)
    }

    /// The folder of our sources.
    fn sources(&self) -> PathBuf {
        self.workshop.join("source")
    }

    /// Unpacks our sources and lets Cargo build the front end.
    fn cargo(
        &self,
        env: &Environment,
        rust: &Rust,
        job: &Job,
        progress: &Progress,
    ) -> Result<(), Error> {
        let source = compiler_source(env, rust).ok_or_else(|| Error::NoCompilerSource {
            rustc: rust.rustc.clone(),
            release: rust.version.release.clone(),
        })?;
        let home = env.wasmrust_home().ok_or(Error::NoHome)?;
        let logs = home.join("logs");
        fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
        let log = logs.join(job.log);
        unpack(&self.sources(), sources::FILES)?;
        let link_at = self.sources().join("compiler/rustc-wasm/rustc-src");
        link_source(&source, &link_at)?;
        if !progress.is_quiet() {
            progress.say(&forecast(job, &log));
        }
        let step = progress.step(format!(
            "building the MIR front end of rustc {}{}",
            rust.version.release, job.how
        ));
        let built = job.target.join(BUILT);
        // Until it is built, nobody knows by which flags what is there was compiled.
        if fs::read_to_string(&built).is_ok_and(|old| old != job.flags) {
            cache::remove(&built)?;
        }
        self.compile(env, rust, job, &log, &step)?;
        for name in [Plan::program(), Plan::linker()] {
            if !job.target.join("debug").join(&name).is_file() {
                return Err(failed(
                    &log,
                    &format!("Cargo reported success, but made no `{name}`"),
                ));
            }
        }
        fs::write(&built, &job.flags).map_err(Error::io("write", &built))?;
        step.done();
        Ok(())
    }

    fn compile(
        &self,
        env: &Environment,
        rust: &Rust,
        job: &Job,
        log: &Path,
        step: &Step,
    ) -> Result<(), Error> {
        let (reader, writer) = std::io::pipe().map_err(Error::io("make a pipe for", log))?;
        let copy = writer
            .try_clone()
            .map_err(Error::io("make a pipe for", log))?;
        let mut file = File::create(log).map_err(Error::io("create", log))?;
        let mut cargo = self.command(env, rust, job);
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
        record(reader, &mut file, step);
        let status = child.wait().map_err(cannot_start)?;
        if status.success() {
            Ok(())
        } else {
            Err(failed(log, &status.to_string()))
        }
    }

    /// Cargo with what rustc's own build tells its crates. The version must be that of `rustc -V` to the letter: metadata and
    /// procedural macros are bound to it.
    fn command(&self, env: &Environment, rust: &Rust, job: &Job) -> Command {
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
        let rustflags = format!("-Zforce-unstable-if-unmarked {}", job.flags);
        let rustflags = rustflags.trim_end();
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
            // Generics are not shared between rustc's crates: that would build faster, and every later compilation be a tenth slower.
            ("RUSTFLAGS", rustflags),
            // Build scripts and procedural macros with counters: nobody asks what they counted.
            ("LLVM_PROFILE_FILE", "/dev/null"),
        ];
        cargo
            .args(["build", "--message-format", "json-render-diagnostics"])
            .current_dir(self.sources().join("compiler/rustc-wasm"))
            .env("CARGO_TARGET_DIR", &job.target)
            .env("RUSTC", &rust.rustc)
            .envs(told)
            .stdin(Stdio::null());
        cargo
    }
}

/// Copies the programs that Cargo made to `bin`, with what they look for beside themselves.
fn put_together(rust: &Rust, target: &Path, bin: &Path) -> Result<(), Error> {
    fs::create_dir_all(bin).map_err(Error::io("create", bin))?;
    for name in [Plan::program(), Plan::linker()] {
        let program = bin.join(&name);
        fs::copy(target.join("debug").join(&name), &program)
            .map_err(Error::io("write", &program))?;
    }
    let host = bin.join("host-rustc");
    fs::write(&host, rust.rustc.to_string_lossy().as_bytes()).map_err(Error::io("write", &host))
}

/// The file in Cargo's folder that says by which flags all of it was compiled.
const BUILT: &str = "wasmrust-flags";

/// What is to be expected of a build into `target`.
fn forecast(job: &Job, log: &Path) -> String {
    let target = &job.target;
    // What older versions built has no such file, and no flags.
    let built = fs::read_to_string(target.join(BUILT)).unwrap_or_default();
    let how_long = if target.join("debug/rustc-wasm").is_file() && built == job.flags {
        "rustc's own crates are there from an earlier build; ours take a minute or two".to_owned()
    } else if target.exists() && !target.join("debug/rustc-wasm").is_file() {
        "an earlier build was stopped; this one goes on where it was".to_owned()
    } else {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // Dependencies leave little for more than eight to do at a time.
        let minutes = (ALL / 60.0 / processors.min(8) as f64).ceil();
        format!(
            "rustc's front end is compiled once: about {minutes} minutes here if nothing else runs, and 3 GB in the cache folder; \
             when it is stopped, the next set-up goes on where it was"
        )
    };
    format!("{how_long} (log: `{}`)", log.display())
}

/// Writes the files whose contents are not there yet and removes those that are no longer ours.
fn unpack(folder: &Path, files: &[(&str, &[u8])]) -> Result<(), Error> {
    for (name, contents) in files {
        let path = folder.join(name);
        // An untouched file keeps its time, by which Cargo tells what to rebuild.
        if fs::read(&path).is_ok_and(|old| old == *contents) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        fs::write(&path, contents).map_err(Error::io("write", &path))?;
    }
    let mut folders = vec![folder.join("compiler")];
    while let Some(folder_) = folders.pop() {
        for entry in fs::read_dir(&folder_).map_err(Error::io("read", &folder_))? {
            let entry = entry.map_err(Error::io("read", &folder_))?;
            let path = entry.path();
            if entry.file_name() == "rustc-src" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let name = name.to_string_lossy().replace('\\', "/");
            if files.iter().all(|(known, _)| *known != name) {
                cache::remove(&path)?;
            }
        }
    }
    Ok(())
}

/// Makes `at` a folder of links to the parts of rustc's source. What the distribution keeps in two places looks like one tree.
fn link_source(source: &Path, at: &Path) -> Result<(), Error> {
    if at.is_symlink() {
        cache::remove(at)?;
    }
    fs::create_dir_all(at).map_err(Error::io("create", at))?;
    for part in LINKED {
        let mut to = source.join(part);
        if part == "library" && !to.is_dir() {
            // rustup keeps the library's source as another component.
            to = source.join("../../src/rust/library");
        }
        let link_at = at.join(part);
        if !to.exists() {
            continue;
        }
        if !fs::read_link(&link_at).is_ok_and(|old| old == to) {
            link(&to, &link_at)?;
        }
    }
    Ok(())
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

/// What Cargo says when a crate is finished.
#[derive(Deserialize)]
struct Finished {
    #[serde(default)]
    fresh: bool,
    target: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// Copies Cargo's words to the log and shows how far it is.
fn record(reader: PipeReader, log: &mut File, step: &Step) {
    let mut reader = BufReader::new(reader);
    let mut estimate = Estimate::new();
    let mut line = Vec::new();
    let mut current = String::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        if line.starts_with(b"{") {
            // Messages about anything else have no such fields.
            if let Ok(crate_) = serde_json::from_slice::<Finished>(&line) {
                estimate.finished(&crate_.target.name, crate_.fresh);
            }
        } else {
            // A full disk must not stop the reading, or the writer would wait for ever.
            let _ = log.write_all(&line);
            let text = String::from_utf8_lossy(&line);
            if let Some(what) = text.trim_start().strip_prefix("Compiling ") {
                current = what.split(" (").next().unwrap_or(what).trim().to_owned();
            }
        }
        step.part(estimate.part());
        step.detail(&format!("{}{current}", estimate.text()));
        line.clear();
    }
}

/// How much of the work is done, in CPU seconds of the machine on which [`LONG`] was measured.
struct Estimate {
    start: Instant,
    total: f64,
    /// What was there before, and what this run has done.
    fresh: f64,
    done: f64,
}

impl Estimate {
    fn new() -> Estimate {
        let long: f64 = LONG.iter().map(|(_, weight)| weight).sum();
        Estimate {
            start: Instant::now(),
            total: long + (LIBRARIES - LONG.len() as f64) * USUAL,
            fresh: 0.0,
            done: 0.0,
        }
    }

    fn finished(&mut self, name: &str, fresh: bool) {
        let weight = LONG.iter().find(|(long, _)| *long == name);
        let weight = weight.map_or(USUAL, |(_, weight)| *weight);
        *(if fresh {
            &mut self.fresh
        } else {
            &mut self.done
        }) += weight;
    }

    /// How much of the work is done, from 0 to 1; never quite all, as the number of crates is estimated, too.
    fn part(&self) -> f64 {
        ((self.fresh + self.done) / self.total).min(0.99)
    }

    /// `12 %, about 9 min left: `, once enough is known.
    fn text(&self) -> String {
        self.text_after(self.start.elapsed())
    }

    fn text_after(&self, elapsed: Duration) -> String {
        let percent = (self.part() * 100.0) as u32;
        let left = (self.total - self.fresh - self.done).max(0.0);
        let rate = self.done / elapsed.as_secs_f64().max(0.001);
        // A rate measured on a few small crates says nothing.
        if self.done < self.total / 50.0 || rate <= 0.0 {
            return format!("{percent} %: ");
        }
        let minutes = (left / rate / 60.0).ceil() as u64;
        format!("{percent} %, about {minutes} min left: ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_are_whole() {
        let has = |name: &str| sources::FILES.iter().any(|(n, _)| *n == name);
        for name in [
            "Cargo.toml",
            "compiler/wasmir/Cargo.toml",
            "compiler/pack-store/src/lib.rs",
            "compiler/wasmir/src/lib.rs",
            "compiler/codegen-cranelift/src/lib.rs",
            "compiler/wasmir-ld/src/lib.rs",
            "compiler/rustc-wasm/Cargo.toml",
            "compiler/rustc-wasm/Cargo.lock",
            "compiler/rustc-wasm/src/main.rs",
        ] {
            assert!(has(name), "{name}");
        }
        assert!(sources::FILES.is_sorted());
        assert_eq!(sources::DIGEST.len(), 64);
    }

    #[test]
    fn unpacking_leaves_unchanged_files_alone_and_removes_strangers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let old: &[(&str, &[u8])] = &[
            ("Cargo.toml", b"a"),
            ("compiler/x/a.rs", b"1"),
            ("compiler/x/b.rs", b"2"),
        ];
        unpack(folder.path(), old).unwrap();
        let time = |name: &str| fs::metadata(at(name)).unwrap().modified().unwrap();
        let before = time("compiler/x/a.rs");
        std::thread::sleep(Duration::from_millis(20));
        let new: &[(&str, &[u8])] = &[
            ("Cargo.toml", b"a"),
            ("compiler/x/a.rs", b"1"),
            ("compiler/x/c.rs", b"3"),
        ];
        unpack(folder.path(), new).unwrap();
        assert_eq!(time("compiler/x/a.rs"), before);
        assert!(!at("compiler/x/b.rs").exists());
        assert_eq!(fs::read(at("compiler/x/c.rs")).unwrap(), b"3");
    }

    #[test]
    fn the_estimate_counts_only_the_work_of_this_run() {
        let mut estimate = Estimate::new();
        assert_eq!(estimate.text_after(Duration::from_secs(5)), "0 %: ");
        let half = estimate.total / 2.0;
        estimate.fresh = half;
        assert_eq!(estimate.text_after(Duration::from_secs(5)), "50 %: ");
        estimate.done = half / 2.0;
        assert_eq!(
            estimate.text_after(Duration::from_secs(120)),
            "75 %, about 2 min left: "
        );
        estimate.finished("rustc_middle", false);
        assert_eq!(estimate.done, half / 2.0 + 80.0);
    }
}
