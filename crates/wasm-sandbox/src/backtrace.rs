//! Where a guest was when it was stopped.

use std::fmt;

/// A guest's call stack, innermost call first.
///
/// Empty when the runtime does not keep one, or when the guest was not executing: it was waiting for
/// the host, say.
///
/// ```
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(
///     r#"(module (func $inner unreachable) (func (export "outer") (call $inner)))"#,
/// )?;
/// let module = runtime.load_module(&wasm)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// let error = instance.call_simple_function("outer", &[]).unwrap_err();
/// assert_eq!(error.backtrace()[0].function.as_deref(), Some("inner"));
/// assert_eq!(error.backtrace()[1].index, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtrace(Box<[Frame]>);

impl Backtrace {
    /// The calls, innermost first.
    ///
    /// ```
    /// use wasm_sandbox::Backtrace;
    ///
    /// assert!(Backtrace::default().frames().is_empty());
    /// ```
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.0
    }
}

impl FromIterator<Frame> for Backtrace {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        Self(frames.into_iter().collect())
    }
}

/// One call of a [`Backtrace`]; an inlined call is a frame of its own.
///
/// ```
/// use wasm_sandbox::{Backtrace, Frame, SourceLine};
///
/// let source = SourceLine { file: "src/lib.rs".into(), line: Some(7), column: Some(3) };
/// let frame = Frame { index: 4, function: Some("parse".into()), source: Some(source) };
/// let backtrace: Backtrace = [frame].into_iter().collect();
/// assert_eq!(backtrace.frames()[0].function.as_deref(), Some("parse"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's index in its module.
    pub index: u32,
    /// The function's name, as its compiler mangled it, where the module tells.
    pub function: Option<String>,
    /// The place in the source, where the module has debug information and
    /// [`RuntimeConfig::source_lines`](crate::RuntimeConfig::source_lines) is set.
    pub source: Option<SourceLine>,
}

/// A place in a guest's source, as the guest's own debug information names it.
///
/// ```
/// use wasm_sandbox::SourceLine;
///
/// let place = SourceLine { file: "src/lib.rs".into(), line: Some(7), column: None };
/// assert_eq!(place.to_string(), "src/lib.rs:7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u32>,
}

/// `file:line:column`
impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        [self.line, self.column]
            .into_iter()
            .flatten()
            .try_for_each(|part| write!(f, ":{part}"))
    }
}
