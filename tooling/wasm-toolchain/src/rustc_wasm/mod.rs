//! The MIR front end: rustc's own front end with our code generator, built for the rustc that is used.
//!
//! # What is made
//!
//! ```text
//! $WASMRUST_HOME/rustc-wasm/
//!   build-1.96.0-<digest of rustc>/    source/ (ours, unpacked) and target/ (Cargo's), kept
//!   1.96.0-<digest of rustc and ours>/ bin/rustc-wasm, bin/wasmir-ld, bin/host-rustc and the stamp; lib/ with our part where rustc's
//!                                      crates are the toolchain's library
//! ```
//!
//! # How
//!
//! The sources of `rustc-wasm`, `wasmir`, `pack-store`, `codegen-cranelift` and `wasmir-ld` are part of this library (`build.rs`). They are unpacked beside
//! links to rustc's source ([`sources`]); a file is written only when its contents changed, so Cargo ([`job`]) rebuilds what a new version of ours
//! touches and none of rustc's crates. Those come from the toolchain where it has them, else from their source ([`crates`]). The build
//! folder belongs to one rustc: its name is a digest of what that rustc says
//! about itself and of where its source lies. A build that was killed goes on where it stopped, because Cargo's folder stays.
//!
//! With a [profile](crate::pgo), which [`record_profile`] records on request, all of it is compiled by what the profile says.
//!
//! The finished program moves to a folder whose name also covers our sources, by one rename. So a compiler that is running is
//! never overwritten, and what two versions of `cargo wasm` made does not mix.
//!
//! # Cost
//!
//! From rustc's source some twenty minutes on 2 cores and 3 GB of disk, once; after a change of ours, or with rustc's crates from the
//! toolchain, what our crates and the link take.

mod crates;
mod estimate;
mod job;
mod sources;

pub use crates::compiler_source;

use crate::cache::{self, Integrity, Lock};
use crate::discover::Rust;
use crate::environment::Environment;
use crate::error::Error;
use crate::pgo::{Profile, Recording};
use crate::progress::Progress;
use crate::target::{Panic, Target};
use crate::toolchain::Toolchain;
use crates::Crates;
use job::{Job, program};
use std::fs;
use std::path::{Path, PathBuf};

/// Changes whenever the way of building does.
const RECIPE: &str = "1";

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

/// Records what the MIR front end for `rust` spends its time on, unless that was done: from then on it is built by that. Where rustc's
/// crates come with the toolchain, they were compiled so already.
///
/// # Errors
/// rustc's source or `llvm-profdata` is not installed, a build fails, or a file cannot be written.
pub fn record_profile(env: &Environment, rust: &Rust, progress: &Progress) -> Result<(), Error> {
    let plan = Plan::of(env, rust)?;
    if let Crates::Toolchain(_) = plan.crates {
        progress.say("rustc's crates come with this toolchain, compiled by a profile; nothing is to be recorded");
        return Ok(());
    }
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

/// What is to be made, and where.
struct Plan {
    home: PathBuf,
    /// Sources and Cargo's folder, one per rustc.
    workshop: PathBuf,
    /// The result, one per rustc and version of our sources.
    finished: PathBuf,
    key: String,
    crates: Crates,
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
        let crates = Crates::of(env, rust);
        let mut parts = vec![
            RECIPE.to_owned(),
            rust.version.verbose.clone(),
            rust.rustc.to_string_lossy().into_owned(),
            source.to_string_lossy().into_owned(),
        ];
        if let Crates::Toolchain(folders) = &crates {
            parts.extend(folders.iter().map(|folder| folder.display().to_string()));
        }
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
            crates,
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

    /// `rust` with the front end in place of its rustc.
    fn compiler(&self, rust: &Rust) -> Rust {
        Rust {
            rustc: self.finished.join("bin").join(program()),
            // It makes smaller programs of a std that it compiled itself: one whose MIR was kept and inlined.
            takes_std: rust.library_source().is_none(),
            ..rust.clone()
        }
    }

    fn build(&self, env: &Environment, rust: &Rust, progress: &Progress) -> Result<(), Error> {
        let (how, flag) = match &self.profile {
            Some(profile) => (
                " by its profile",
                format!("-Cprofile-use={}", profile.file.display()),
            ),
            None => ("", String::new()),
        };
        let job = Job {
            how,
            crates: &self.crates,
            flag,
            sources: self.sources(),
            target: self.workshop.join("target"),
            log: "rustc-wasm.log",
        };
        job.run(env, rust, progress)?;
        // On the same file system as the destination, so that the last step is a rename.
        let staging = tempfile::Builder::new()
            .prefix(".making-")
            .tempdir_in(&self.home)
            .map_err(Error::io("create a folder in", &self.home))?;
        let made = staging.path().join("made");
        job.put_together(rust, &made)?;
        cache::install(&made, &self.finished, &self.key)
    }

    /// Builds the front end with counters, and records a profile with it.
    fn record(&self, env: &Environment, rust: &Rust, progress: &Progress) -> Result<(), Error> {
        let recording = Recording::begin(env, rust, &self.workshop)?;
        let job = Job {
            how: " with counters",
            crates: &self.crates,
            flag: recording.flag(),
            sources: self.sources(),
            target: recording.target(),
            log: "rustc-wasm-counting.log",
        };
        job.run(env, rust, progress)?;
        job.put_together(rust, recording.folder())?;
        recording.finish(env, rust, &program(), &self.workshop, progress)
    }

    fn sources(&self) -> PathBuf {
        self.workshop.join("source")
    }
}
