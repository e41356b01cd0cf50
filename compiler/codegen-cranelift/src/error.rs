//! The emitter's errors: what a function asked for that WebAssembly, or this emitter, does not offer.

use std::fmt;

/// Why a function could not be emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An instruction without a lowering; the text is the instruction as CLIF prints it.
    Unsupported(String),
    /// A name that the environment does not know.
    UnknownName(String),
    /// A limit of WebAssembly engines is exceeded.
    Limit(&'static str),
    /// The input breaks a rule of CLIF.
    Invalid(String),
}

/// An error with the function it happened in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The function, as its CLIF name prints.
    pub function: String,
    /// What went wrong.
    pub kind: ErrorKind,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Unsupported(inst) => write!(f, "no WebAssembly lowering for `{inst}`")?,
            ErrorKind::UnknownName(name) => write!(f, "unknown name `{name}`")?,
            ErrorKind::Limit(what) => write!(f, "limit exceeded: {what}")?,
            ErrorKind::Invalid(what) => write!(f, "invalid input: {what}")?,
        }
        write!(f, " in function `{}`", self.function)
    }
}

impl std::error::Error for Error {}

/// The result of an emitter stage.
pub type Result<T, E = ErrorKind> = std::result::Result<T, E>;
