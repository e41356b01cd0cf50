//! Why a value does not fit its type, and where in the value.

use std::fmt;

/// Why a value does not fit its type.
///
/// ```
/// use wasm_sandbox::value::{Type, ValueErrorKind, to_value};
///
/// let error = to_value(&(1, 2, 3), &Type::Tuple([Type::U8, Type::U8].into())).unwrap_err();
/// assert_eq!(error.kind, ValueErrorKind::Length { expected: 2, found: 3 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// The value is of another kind than the type.
    Mismatch {
        /// The type.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The number does not fit.
    OutOfRange {
        /// The type.
        expected: String,
        /// The number.
        found: String,
    },
    /// A record's field is absent and not optional.
    MissingField {
        /// The field.
        name: String,
    },
    /// The record has no such field.
    UnknownField {
        /// The field.
        name: String,
        /// The fields there are.
        expected: String,
    },
    /// The variant, enum or flags have no such name.
    UnknownCase {
        /// The name.
        name: String,
        /// The names there are.
        expected: String,
    },
    /// A tuple, or an argument list, has the wrong length.
    Length {
        /// The right length.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// Values of the type cannot cross the border.
    Unsupported {
        /// The type.
        ty: String,
    },
    /// What the Rust type's own `Serialize` or `Deserialize` said.
    Custom(String),
}

/// A value does not fit its type.
///
/// ```
/// use wasm_sandbox::value::{Type, to_value};
///
/// let error = to_value(&[1, 300], &Type::List(Type::U8.into())).unwrap_err();
/// assert_eq!(error.path, "[1]");
/// assert_eq!(error.to_string(), "value at `[1]`: 300 does not fit `u8`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// Where in the value: `.field`, `[index]`, `(case)`, outermost first; empty for the value itself.
    pub path: String,
    /// Why.
    pub kind: ValueErrorKind,
}

impl ValueError {
    pub(super) fn new(kind: ValueErrorKind) -> Self {
        Self {
            path: String::new(),
            kind,
        }
    }

    pub(super) fn mismatch(expected: &impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::new(ValueErrorKind::Mismatch {
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }

    pub(super) fn range(expected: &impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::new(ValueErrorKind::OutOfRange {
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }

    /// The same error seen from one level further out.
    pub(super) fn within(mut self, step: impl fmt::Display) -> Self {
        self.path = format!("{step}{}", self.path);
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("value")?;
        if !self.path.is_empty() {
            write!(f, " at `{}`", self.path)?;
        }
        f.write_str(": ")?;
        match &self.kind {
            ValueErrorKind::Mismatch { expected, found } => {
                write!(f, "expected `{expected}`, found {found}")
            }
            ValueErrorKind::OutOfRange { expected, found } => {
                write!(f, "{found} does not fit `{expected}`")
            }
            ValueErrorKind::MissingField { name } => write!(f, "field `{name}` is missing"),
            ValueErrorKind::UnknownField { name, expected } => {
                write!(f, "there is no field `{name}`; expected {expected}")
            }
            ValueErrorKind::UnknownCase { name, expected } => {
                write!(f, "there is no case `{name}`; expected {expected}")
            }
            ValueErrorKind::Length { expected, found } => {
                write!(f, "expected {expected} elements, found {found}")
            }
            ValueErrorKind::Unsupported { ty } => {
                write!(f, "a `{ty}` cannot cross the sandbox's border")
            }
            ValueErrorKind::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ValueError {}

impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ValueErrorKind::Custom(message.to_string()))
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ValueErrorKind::Custom(message.to_string()))
    }
}
