//! A profile of the MIR front end, by which it is compiled a second time (profile-guided optimisation).
//!
//! # How
//!
//! The front end is built with counters (`-Cprofile-generate`) in a folder of its own. That one compiles std for `wasm32-wasip1`, and a
//! small [program](training.rs) three times over, as edits do. LLVM's own `llvm-profdata` makes one file of what was counted. rustc is
//! built like this for its releases, too.
//!
//! rustc's crates do not change when ours do: the profile belongs to the rustc, stands in its build folder, and is used for all that is
//! built there from then on.
//!
//! ```text
//! build-1.96.0-<digest of rustc>/profiling/   the front end with counters and what it compiled; removed when all is done
//! build-1.96.0-<digest of rustc>/profile/     rustc-wasm.profdata and its digest; comes into being by one rename
//! ```
//!
//! # Cost
//!
//! A little more than another build from nothing, and 3 GB of disk until it is done.

use crate::cache;
use crate::discover::Rust;
use crate::environment::{Environment, program_in};
use crate::error::Error;
use crate::progress::Progress;
use crate::setup::logged;
use crate::sysroot::{quoted, write_program};
use crate::target::Target;
use crate::toolchain::Toolchain;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compiled besides std.
const PROGRAM: &str = include_str!("training.rs");

/// How often the program is compiled.
const ROUNDS: usize = 3;

/// A recorded profile.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// What `-Cprofile-use` reads.
    pub(crate) file: PathBuf,
    /// What tells it from others.
    pub(crate) digest: String,
}

impl Profile {
    /// The profile of a build folder, if one was recorded.
    pub(crate) fn of(workshop: &Path) -> Option<Profile> {
        let folder = workshop.join("profile");
        Some(Profile {
            digest: fs::read_to_string(folder.join("digest")).ok()?,
            file: folder.join("rustc-wasm.profdata"),
        })
    }
}

/// The `llvm-profdata` of the LLVM in `rust`: rustup's, or the distribution's.
fn profdata(env: &Environment, rust: &Rust) -> Option<PathBuf> {
    let major = major(rust);
    let name = "llvm-profdata";
    let folders = [
        rust.rustlib().join(&rust.version.host).join("bin"),
        env.root().join(format!("usr/lib/llvm-{major}/bin")),
    ];
    let beside = folders.iter().find_map(|folder| program_in(folder, name));
    beside.or_else(|| env.which(&format!("{name}-{major}")))
}

fn major(rust: &Rust) -> &str {
    let llvm = rust.version.llvm.as_deref().unwrap_or_default();
    llvm.split('.').next().unwrap_or_default()
}

/// The folder that a profile is recorded in.
pub(crate) struct Recording {
    folder: PathBuf,
    profdata: PathBuf,
}

impl Recording {
    /// Begins in the build folder of `rust`, or goes on there.
    ///
    /// # Errors
    /// There is no `llvm-profdata` for its LLVM.
    pub(crate) fn begin(
        env: &Environment,
        rust: &Rust,
        workshop: &Path,
    ) -> Result<Recording, Error> {
        let profdata = profdata(env, rust).ok_or_else(|| Error::NoProfdata {
            release: rust.version.release.clone(),
            major: major(rust).to_owned(),
        })?;
        let folder = workshop.join("profiling");
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        Ok(Recording { folder, profdata })
    }

    /// Cargo's folder for the front end with counters.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// How it is compiled; where the counts go is told to each run.
    pub(crate) fn flag(&self) -> String {
        format!("-Cprofile-generate={}", self.folder.join("own").display())
    }

    /// Where the front end with counters is to stand: a folder of its own, with all that it looks for.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets `program` in the folder's `bin` compile, and puts what was counted in its place.
    pub(crate) fn finish(
        self,
        env: &Environment,
        rust: &Rust,
        program: &str,
        workshop: &Path,
        progress: &Progress,
    ) -> Result<(), Error> {
        let (counts, home, made) = (
            self.folder.join("counts"),
            self.folder.join("home"),
            self.folder.join("made"),
        );
        // Only whole runs count.
        for folder in [&counts, &home, &made] {
            cache::remove(folder)?;
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        // One file for all runs of a program, however many there are.
        let bin = self.folder.join("bin");
        let launcher = bin.join("counting");
        let text = format!(
            "#!/bin/sh\nLLVM_PROFILE_FILE={} exec {} \"$@\"\n",
            quoted(&counts.join("%m.profraw")),
            quoted(&bin.join(program)),
        );
        write_program(&launcher, &text)?;
        let counting = Rust {
            rustc: launcher,
            // std is what it is to compile.
            takes_std: false,
            ..rust.clone()
        };
        progress.say("what the compiler spends its time on is recorded while it compiles the standard library");
        let apart = env.with("WASMRUST_HOME", &home);
        let targets = [Target::WasiP1];
        let toolchain = Toolchain::complete(&apart, counting, &targets, progress)?;
        for round in 0..ROUNDS {
            let command = self.program(&toolchain, round)?;
            let what = format!(
                "compiling and linking a program ({} of {ROUNDS})",
                round + 1
            );
            logged(env, command, &what, "rustc-wasm-profile.log", progress)?;
        }
        let file = made.join("rustc-wasm.profdata");
        let mut merge = Command::new(&self.profdata);
        merge.args(["merge", "-o"]).args([&file, &counts]);
        let what = "putting the counts together";
        logged(env, merge, what, "rustc-wasm-profile.log", progress)?;
        let contents = fs::read(&file).map_err(Error::io("read", &file))?;
        let digest = made.join("digest");
        fs::write(&digest, cache::digest([&*contents])).map_err(Error::io("write", &digest))?;
        let profile = workshop.join("profile");
        fs::rename(&made, &profile).map_err(Error::io("move the profile to", &profile))?;
        cache::remove(&self.folder)
    }

    /// The command that compiles the program as Cargo compiles a package that is being worked on; each round, one line is new.
    fn program(&self, toolchain: &Toolchain, round: usize) -> Result<Command, Error> {
        let source = self.folder.join("training.rs");
        let text = format!("{PROGRAM}\npub const ROUND: usize = {round};\n");
        fs::write(&source, text).map_err(Error::io("write", &source))?;
        let incremental = self.folder.join("home/incremental");
        let mut rustc = Command::new(toolchain.rustc());
        rustc
            .arg(&source)
            .args(["--edition", "2024", "--target", Target::WasiP1.triple()])
            .args(["-Cpanic=abort", "-Cdebuginfo=2", "--out-dir"])
            .arg(self.folder.join("home"))
            .arg(format!("-Cincremental={}", incremental.display()));
        Ok(rustc)
    }
}
