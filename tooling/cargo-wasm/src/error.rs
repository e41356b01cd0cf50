//! One error type for every command: what happened, why, what to do, and whose mistake it was.

use std::fmt;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The user's program, files or machine: 1.
    User,
    /// The command line: 2.
    Usage,
    /// A bug of this tool: 101.
    Ours,
}

impl Blame {
    pub(crate) fn code(self) -> u8 {
        match self {
            Blame::User => 1,
            Blame::Usage => 2,
            Blame::Ours => 101,
        }
    }
}

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Cargo or the guest has already said why; only the code remains to be passed on.
    Said(u8),
    /// To be reported by us.
    Error(Error),
}

/// An error to be shown: message, causes, hint.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    pub(crate) blame: Blame,
}

/// What every step of a command returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Error {
    /// An error of the user's program, files or machine.
    pub(crate) fn user(message: impl Into<String>) -> Error {
        Error {
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            blame: Blame::User,
        }
    }

    /// An error of the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Error {
        Error {
            blame: Blame::Usage,
            ..Error::user(message)
        }
    }

    /// A bug of ours.
    pub(crate) fn ours(message: impl Into<String>) -> Error {
        Error {
            blame: Blame::Ours,
            ..Error::user(message)
        }
    }

    /// With what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// With what brought it about.
    pub(crate) fn cause(mut self, cause: impl fmt::Display) -> Error {
        self.causes.push(cause.to_string());
        self
    }

    /// With a chain of causes, as an error value carries it.
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Error {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some libraries repeat their source in their own text.
            if !self.causes.iter().any(|c| c.contains(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

impl From<wasm_toolchain::Error> for Failure {
    fn from(error: wasm_toolchain::Error) -> Failure {
        let mut shown = Error::user(error.to_string());
        if let Some(source) = std::error::Error::source(&error) {
            shown = shown.because(source);
        }
        shown.hint = error.hint();
        Failure::Error(shown)
    }
}

impl fmt::Display for Error {
    /// Plain text; `report::error` adds the colours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", cause.replace('\n', "\n    "))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {}", hint.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}
