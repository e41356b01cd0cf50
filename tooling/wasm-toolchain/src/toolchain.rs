//! A toolchain that is ready to compile.

use crate::discover::{self, Rust};
use crate::environment::Environment;
use crate::error::Error;
use crate::progress::Progress;
use crate::sysroot::{Composed, scrub};
use crate::target::{Panic, Target};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A rustc, its Cargo and std for the targets asked for.
#[derive(Debug, Clone)]
pub struct Toolchain {
    rust: Rust,
    rustc: PathBuf,
    rustdoc: Option<PathBuf>,
    sysroot: PathBuf,
}

impl Toolchain {
    /// Finds the toolchain and makes the sysroots of `targets` when they are missing or damaged; installs nothing outside the cache folder.
    pub fn ready(
        env: &Environment,
        targets: &[Target],
        progress: &Progress,
    ) -> Result<Toolchain, Error> {
        Toolchain::complete(env, discover::find_rust(env)?, targets, progress)
    }

    /// The same for a `rust` that was found before.
    pub fn complete(
        env: &Environment,
        rust: Rust,
        targets: &[Target],
        progress: &Progress,
    ) -> Result<Toolchain, Error> {
        Toolchain::checked(env, rust, targets, Panic::Abort, progress, false)
    }

    /// The same with std for programs whose panics unwind (`-Cpanic=unwind`) as well.
    pub fn unwinding(
        env: &Environment,
        rust: Rust,
        targets: &[Target],
        progress: &Progress,
    ) -> Result<Toolchain, Error> {
        let usual = Toolchain::complete(env, rust, targets, progress)?;
        Toolchain::checked(env, usual.rust, targets, Panic::Unwind, progress, false)
    }

    /// The same; a `thorough` check compares every file of a sysroot by content.
    pub(crate) fn checked(
        env: &Environment,
        rust: Rust,
        targets: &[Target],
        panic: Panic,
        progress: &Progress,
        thorough: bool,
    ) -> Result<Toolchain, Error> {
        if panic == Panic::Abort && targets.iter().all(|t| rust.has_target(*t)) {
            let (rustc, rustdoc, sysroot) = (
                rust.rustc.clone(),
                rust.rustdoc.clone(),
                rust.sysroot.clone(),
            );
            return Ok(Toolchain {
                rust,
                rustc,
                rustdoc,
                sysroot,
            });
        }
        let composed = Composed::plan(env, &rust)?;
        composed.make(env, targets, panic, progress, thorough)?;
        let rustdoc = rust.rustdoc.is_some().then(|| composed.program("rustdoc"));
        Ok(Toolchain {
            rustc: composed.program("rustc"),
            rustdoc,
            sysroot: composed.folder(panic),
            rust,
        })
    }

    /// The tools that were found.
    pub fn rust(&self) -> &Rust {
        &self.rust
    }

    /// The compiler to run: the real one, or the launcher that adds our sysroot.
    pub fn rustc(&self) -> &Path {
        &self.rustc
    }

    /// The sysroot that it compiles with.
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// A Cargo command line that compiles with this toolchain. Everything else of the user's environment and configuration holds.
    pub fn cargo(&self, env: &Environment) -> Command {
        let mut cargo = Command::new(&self.rust.cargo);
        scrub(env, &mut cargo);
        cargo.env("RUSTC", &self.rustc);
        if let Some(rustdoc) = &self.rustdoc {
            cargo.env("RUSTDOC", rustdoc);
        }
        cargo
    }
}
