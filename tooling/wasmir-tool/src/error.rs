//! What can go wrong, by file and stage.

use std::path::PathBuf;

/// A failure of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}:{source}", path.display())]
    Text {
        path: PathBuf,
        source: wasmir::ParseError,
    },
    #[error("cannot {stage} `{}`: {message}", path.display())]
    Stage {
        path: PathBuf,
        stage: &'static str,
        message: String,
    },
    #[error("`{}` is not valid:\n{}", path.display(), lines(errors))]
    Invalid {
        path: PathBuf,
        errors: Vec<wasmir::VerifyError>,
    },
    #[error("after the pass `{pass}` the module is not valid:\n{}", lines(errors))]
    PassBroke {
        pass: String,
        errors: Vec<wasmir::VerifyError>,
    },
    #[error("cannot link:\n{}", lines(errors))]
    Link { errors: Vec<wasmir::LinkError> },
    #[error("`{}` is {found}, but this command wants {wanted}", path.display())]
    Kind {
        path: PathBuf,
        found: &'static str,
        wanted: &'static str,
    },
    #[error("`{}` is an archive", path.display())]
    Archive { path: PathBuf },
    #[error("{failures} of {runs} runs failed:\n{report}")]
    Runs {
        failures: usize,
        runs: usize,
        report: String,
    },
    #[error("{0}")]
    Usage(String),
}

fn lines(errors: &[impl std::fmt::Display]) -> String {
    errors
        .iter()
        .map(|e| format!("  {e}"))
        .collect::<Vec<_>>()
        .join("\n")
}

impl Error {
    /// What the user can do.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Error::Kind { .. } => Some("`wasmir lift` makes WasmIR of .wat and .wasm files"),
            Error::Archive { .. } => {
                Some("`wasmir link` takes the objects out of an archive that others need")
            }
            Error::PassBroke { .. } => Some("this is a fault of the pass, not of the input"),
            _ => None,
        }
    }

    /// 1 for a wrong input, 2 for wrong usage, 101 for a fault of ours.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::PassBroke { .. } => 101,
            Error::Usage(_) | Error::Kind { .. } | Error::Archive { .. } => 2,
            _ => 1,
        }
    }

    /// Whether the reader of our output went away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let broken = std::io::ErrorKind::BrokenPipe;
        matches!(self, Error::Write { source, .. } if source.kind() == broken)
    }
}

/// The result of a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;
