//! What can go wrong while finding or making a toolchain, with the step that puts it right.

use crate::setup;
use std::path::PathBuf;
use std::process::ExitStatus;

/// A failure of discovery or set-up. [`Error::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable rustc.
    #[error("no rustc {release} with WebAssembly targets was found (looked at {})", looked.join(", "))]
    NoRustc {
        /// The release that is needed.
        release: &'static str,
        /// Every place looked at, and what was there.
        looked: Vec<String>,
    },
    /// The rustc named by `WASMRUST_RUSTC` does not work.
    #[error("`WASMRUST_RUSTC` names `{}`, which is not a working rustc: {reason}", path.display())]
    BadOverride {
        /// The path given.
        path: PathBuf,
        /// What happened when it was asked for its version.
        reason: String,
    },
    /// A rustc without its Cargo.
    #[error("`{}` was found, but no `cargo` that goes with it", rustc.display())]
    NoCargo {
        /// The rustc in question.
        rustc: PathBuf,
    },
    /// The standard library's source is needed to build a sysroot.
    #[error("rustc {release} (`{}`) has no standard library for `{target}`, and its source is not installed", rustc.display())]
    NoSource {
        /// The rustc in question.
        rustc: PathBuf,
        /// Its release.
        release: String,
        /// The target whose library is missing.
        target: &'static str,
    },
    /// rustc's own source is needed to build the MIR front end.
    #[error("the source of rustc {release} itself (`{}`) is not installed", rustc.display())]
    NoCompilerSource {
        /// The rustc in question.
        rustc: PathBuf,
        /// Its release.
        release: String,
    },
    /// The counts of a front end with counters cannot be read.
    #[error("a profile of the compiler needs LLVM {major}'s `llvm-profdata`, which was not found")]
    NoProfdata {
        /// The release of the rustc in question.
        release: String,
        /// The major version of its LLVM.
        major: String,
    },
    /// No WebAssembly linker.
    #[error("no WebAssembly linker was found (neither rustup's `rust-lld` nor `lld`)")]
    NoLinker,
    /// `wasm32-wasip1` needs wasi-libc.
    #[error("`wasm32-wasip1` needs wasi-libc (`crt1-command.o`, `libc.a`), which was not found")]
    NoWasiLibc,
    /// No folder to keep things in.
    #[error("no cache folder: neither `WASMRUST_HOME` nor a home folder is set")]
    NoHome,
    /// A build tool failed; its words are in the log.
    #[error("{what} failed; its output is in `{}`{}", log.display(), excerpt(tail))]
    Failed {
        /// What was being done.
        what: String,
        /// The whole output.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
        /// What to do about it.
        hint: String,
    },
    /// Distribution packages are missing and installing them was not allowed.
    #[error("missing: {}", missing.join(", "))]
    NotAllowed {
        /// What is missing.
        missing: Vec<String>,
        /// The command that brings it.
        command: String,
    },
    /// A command could not be run or ended badly.
    #[error("`{command}` {}", ending(*status))]
    Command {
        /// The command line.
        command: String,
        /// How it ended; `None` when it could not be started.
        status: Option<ExitStatus>,
        /// Why it could not be started.
        #[source]
        source: Option<std::io::Error>,
    },
    /// A file operation failed.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// The operation, as an infinitive.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// An `Io` error builder for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }

    /// What the user can do about it, when there is something.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NoRustc { .. } => {
                format!("run `cargo wasm setup --yes`, or by hand: `{}` or `{}`", setup::RUSTUP_COMMAND, setup::APT_COMMAND)
            }
            Error::BadOverride { .. } => "unset `WASMRUST_RUSTC` or let it name a rustc executable".into(),
            Error::NoCargo { .. } => {
                "install the Cargo of the same release beside it (`cargo-web` where the compiler is `rustc-web`)".into()
            },
            Error::NoSource { .. } => {
                format!("run `cargo wasm setup --yes`, or by hand: `{}` or `{}`", setup::RUSTUP_COMMAND, setup::APT_COMMAND)
            }
            Error::NoCompilerSource { release, .. } => format!(
                "install it (Debian: `apt-get install -y rust-web-src`; rustup: `rustup component add --toolchain {release} rustc-dev rust-src`) or set `WASMRUST_RUSTC_SRC` to its folder"
            ),
            Error::NoProfdata { release, major } => format!(
                "install it (Debian: `apt-get install -y llvm-{major}`; rustup: `rustup component add --toolchain {release} llvm-tools`)"
            ),
            Error::NoLinker => "install `lld`, or any rustup toolchain (each carries `rust-lld`)".into(),
            Error::NoWasiLibc => {
                "run `cargo wasm setup --yes`, or install the package `wasi-libc`, or set `WASMRUST_WASI_LIBC` to the folder that holds `libc.a`".into()
            }
            Error::NoHome => "set `WASMRUST_HOME` to a folder that can be written".into(),
            Error::Failed { hint, .. } => hint.clone(),
            Error::NotAllowed { command, .. } => {
                format!("`cargo wasm setup --yes` runs this for you: `{command}`")
            }
            Error::Command { source: Some(_), .. } => "is it installed and on `PATH`?".into(),
            Error::Command { .. } => "run the command by itself to see why".into(),
            Error::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "make it writable, or set `WASMRUST_HOME` to another folder".into()
                }
                std::io::ErrorKind::StorageFull => "free some space, or set `WASMRUST_HOME` to a folder on another disk".into(),
                _ => return None,
            },
        })
    }
}

fn ending(status: Option<ExitStatus>) -> String {
    match status {
        Some(status) => format!("failed ({status})"),
        None => "could not be started".into(),
    }
}

fn excerpt(tail: &str) -> String {
    if tail.is_empty() {
        String::new()
    } else {
        format!(
            "; it ends:\n    {}",
            tail.trim_end().replace('\n', "\n    ")
        )
    }
}
