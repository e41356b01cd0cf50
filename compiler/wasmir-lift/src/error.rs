//! Why a module or body was not lifted.

use std::fmt;

/// Why a module or body was not lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiftError {
    /// The bytes are not a valid module.
    Invalid {
        /// What is wrong.
        message: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
    },
    /// The module is a component.
    Component,
    /// The module is valid but uses what WasmIR does not have.
    Unsupported {
        /// What it uses.
        what: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
    },
    /// A raw body does not fit its module: it was not made by [`crate::lift`], or the module was changed so that the
    /// body refers to something that is gone.
    Body {
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes from the start of the body.
        offset: usize,
    },
    /// A body would grow beyond all proportion in three-address form.
    TooLarge {
        /// Bytes of the body.
        bytes: usize,
    },
    /// The function has no body to lift.
    NoBody,
}

impl LiftError {
    pub(crate) fn unsupported(what: impl Into<String>, offset: u64) -> LiftError {
        LiftError::Unsupported {
            what: what.into(),
            offset,
        }
    }
}

impl From<wasmparser::Error> for LiftError {
    fn from(error: wasmparser::Error) -> LiftError {
        LiftError::Invalid {
            message: error.message().to_owned(),
            offset: error.offset(),
        }
    }
}

impl fmt::Display for LiftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiftError::Invalid { message, offset } => {
                write!(f, "invalid module at offset {offset:#x}: {message}")
            }
            LiftError::Component => f.write_str(
                "this is a component, not a core module\n\
                 help: `wasm-tools component unbundle` takes the core modules out of a component",
            ),
            LiftError::Unsupported { what, offset } => {
                write!(f, "{what} at offset {offset:#x} is not supported")
            }
            LiftError::Body { what, offset } => {
                write!(
                    f,
                    "raw body does not fit its module: {what} at offset {offset:#x} of the body"
                )
            }
            LiftError::TooLarge { bytes } => write!(
                f,
                "a body of {bytes} bytes branches with so many values that its instructions exceed the limit\n\
                 help: such a function can still be emitted as it came, without being lifted"
            ),
            LiftError::NoBody => f.write_str("the function has no raw body to lift"),
        }
    }
}

impl std::error::Error for LiftError {}
