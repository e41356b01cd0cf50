//! Everything that can go wrong before, while and after a guest runs, with what to do about it.
//!
//! [`Display`](std::fmt::Display) gives the one-line message, [`Error::details`] what follows it (a list of exports, the place in
//! a value, a backtrace), [`Error::hint`] the next step, [`Error::exit_code`] the documented exit code.

use std::{fmt::Write, io, ops::Range, path::PathBuf};

use thiserror::Error;

use crate::report::{self, TrapReport};

/// Why a run failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The program's file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not binary WebAssembly.
    #[error("`{}` is not a WebAssembly program: {found}", path.display())]
    NotWasm {
        /// The file.
        path: PathBuf,
        /// What it looks like instead.
        found: Found,
    },
    /// The program does not validate.
    #[error("`{}` is not valid WebAssembly: {detail}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The validator's words, with the offset.
        detail: String,
    },
    /// The program wants something the runner does not have.
    #[error("`{}` imports what this runner does not provide", path.display())]
    Imports {
        /// The file.
        path: PathBuf,
        /// Each import that is missing or of another type.
        problems: Vec<ImportProblem>,
    },
    /// A folder cannot be given to the guest.
    #[error("cannot open the folder `{}` for the guest: {detail}", host.display())]
    Mount {
        /// The folder.
        host: PathBuf,
        /// The system's reason.
        detail: String,
    },
    /// A library was run without naming a function.
    #[error("`{}` is a library; name the function to call", path.display())]
    NoFunction {
        /// The file.
        path: PathBuf,
        /// What can be called.
        exports: ExportList,
    },
    /// No export of that name.
    #[error("no exported function `{name}`")]
    UnknownFunction {
        /// The name as given.
        name: String,
        /// The most similar name, when one is similar.
        nearest: Option<String>,
        /// What can be called.
        exports: ExportList,
    },
    /// Several exports of that name.
    #[error("`{name}` is exported by several interfaces")]
    AmbiguousFunction {
        /// The name as given.
        name: String,
        /// The candidates' full names.
        candidates: Vec<String>,
    },
    /// Too many or too few arguments.
    #[error("expected {expected}, got {given}")]
    ArgumentCount {
        /// How many are wanted, in words.
        expected: String,
        /// How many were given.
        given: usize,
        /// The function's signature.
        signature: String,
        /// What would help.
        hint: Option<String>,
    },
    /// An argument is not a value of the parameter's type.
    #[error("{reason}")]
    Value {
        /// What is wrong.
        reason: String,
        /// The text it stands in.
        text: String,
        /// Where in that text, in bytes.
        span: Range<usize>,
        /// What is expected there.
        expected: String,
        /// The function's signature, when the function is known.
        signature: Option<String>,
    },
    /// The value that standard input should supply is unusable.
    #[error("cannot take {parameter} from standard input: {reason}")]
    Stdin {
        /// The parameter.
        parameter: String,
        /// Why.
        reason: String,
    },
    /// The guest's function returned `err(…)`.
    #[error("the function returned an error: {0}")]
    GuestError(String),
    /// The guest was stopped.
    #[error("{}", .0.headline())]
    Stopped(Box<TrapReport>),
    /// The program could not be started, for a reason other than its own code.
    #[error("cannot start `{}`: {detail}", path.display())]
    Start {
        /// The file.
        path: PathBuf,
        /// The engine's words.
        detail: String,
        /// The memory limit, when memory was refused because of it.
        memory_refused: Option<u64>,
    },
    /// A feature of the component model that has no text form.
    #[error("{0}")]
    Unsupported(String),
    /// Results could not be written.
    #[error("cannot write the result: {0}")]
    Output(#[source] io::Error),
    /// The engine failed in a way no program should be able to cause.
    #[error("the engine failed: {0}")]
    Internal(String),
}

/// What a file that is not WebAssembly looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Found {
    /// No bytes.
    #[error("the file is empty")]
    Empty,
    /// The beginning of a header.
    #[error("the file ends within its header")]
    Truncated,
    /// A version or layer of the format that does not exist yet or any more.
    #[error("it has the unknown version {0:#x}")]
    Version(u32),
    /// The text format.
    #[error("it is WebAssembly text")]
    Text,
    /// An ELF, PE or Mach-O file.
    #[error("it is a native executable or object")]
    Native,
    /// An archive of objects.
    #[error("it is an archive of objects")]
    Archive,
    /// Anything else.
    #[error("it does not begin with `\\0asm`")]
    Other,
}

/// An import the runner cannot satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportProblem {
    /// `interface` or `module` and `name`.
    pub name: String,
    /// What would provide it, when known.
    pub needs: Option<&'static str>,
}

/// The functions a program exports, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportList(pub Vec<String>);

/// How many exports an error lists before it only counts the rest.
const MAX_LISTED: usize = 40;

impl Error {
    /// The process's exit code for this error; see the crate's documentation.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Stopped(_) => 134,
            Error::Internal(_) => 101,
            _ => 1,
        }
    }

    /// What follows the message: whole lines, or nothing.
    pub fn details(&self, full_backtrace: bool) -> String {
        let mut out = String::new();
        match self {
            Error::Imports { problems, .. } => {
                for problem in problems.iter().take(MAX_LISTED) {
                    let _ = match problem.needs {
                        Some(needs) => writeln!(out, "  `{}`: needs {needs}", problem.name),
                        None => writeln!(out, "  `{}`", problem.name),
                    };
                }
                more(&mut out, problems.len());
            }
            Error::NoFunction { exports, .. } | Error::UnknownFunction { exports, .. } => {
                out.push_str(if exports.0.is_empty() {
                    "it exports no functions\n"
                } else {
                    "it exports\n"
                });
                for line in exports.0.iter().take(MAX_LISTED) {
                    let _ = writeln!(out, "  {line}");
                }
                more(&mut out, exports.0.len());
            }
            Error::AmbiguousFunction { candidates, .. } => {
                for line in candidates.iter().take(MAX_LISTED) {
                    let _ = writeln!(out, "  {line}");
                }
                more(&mut out, candidates.len());
            }
            Error::ArgumentCount { signature, .. } => {
                let _ = writeln!(out, "  the function is `{signature}`");
            }
            Error::Value {
                text,
                span,
                expected,
                signature,
                ..
            } => {
                let (line, column, width) = excerpt(text, span);
                let _ = writeln!(
                    out,
                    "  |\n  | {line}\n  | {}{} {expected}",
                    " ".repeat(column),
                    "^".repeat(width)
                );
                if let Some(signature) = signature {
                    let _ = writeln!(out, "  = the function is `{signature}`");
                }
            }
            Error::Stopped(report) => out = report.render(full_backtrace),
            _ => {}
        }
        out
    }

    /// What to do about it, when there is something to do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NotWasm { found, .. } => match found {
                Found::Empty | Found::Truncated => "build the program again",
                Found::Version(_) => "build it for version 1 of modules, or as a component",
                Found::Text => "assemble it first, for example with `wasm-tools parse`",
                Found::Native => "build it for WebAssembly: `cargo wasm build`",
                Found::Archive => "give the linked program, not a library of objects",
                Found::Other => return None,
            },
            Error::Invalid { .. } => "the file may be cut off or damaged; build the program again",
            Error::Start {
                memory_refused: Some(limit),
                ..
            } => return Some(report::more_memory(*limit)),
            Error::Imports { problems, .. }
                if problems.iter().all(|problem| problem.needs.is_none()) =>
            {
                "a host that provides these imports can run it; this runner offers WASI 0.1 to modules and WASI 0.2 to components"
            }
            Error::UnknownFunction {
                nearest: Some(nearest),
                ..
            } => {
                return Some(format!(
                    "a function with a similar name exists: `{nearest}`"
                ));
            }
            Error::UnknownFunction { name, .. } if name.starts_with('-') => {
                "options of the runner stand before the file; what follows the file is the program's"
            }
            Error::AmbiguousFunction { .. } => "give the full name of one of them",
            Error::ArgumentCount { hint, .. } => return hint.clone(),
            Error::Stopped(report) => return report.hint(),
            Error::Internal(_) => "this is a bug of the runner; please report it with the program",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn more(out: &mut String, all: usize) {
    if all > MAX_LISTED {
        let _ = writeln!(out, "  … and {} more", all - MAX_LISTED);
    }
}

/// The line of `text` that `span` begins in, cut to a readable width around it; the column and width of the mark below it.
fn excerpt(text: &str, span: &Range<usize>) -> (String, usize, usize) {
    const BEFORE: usize = 60;
    const AFTER: usize = 40;
    let start = floor_char(text, span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let end = floor_char(text, span.end).clamp(start, line_end);
    let show = |c: char| if c.is_control() { ' ' } else { c };

    let before: Vec<char> = text[line_start..start].chars().collect();
    let skipped = before.len().saturating_sub(BEFORE);
    let mut line: String = if skipped > 0 {
        "…".to_owned()
    } else {
        String::new()
    };
    line.extend(before[skipped..].iter().copied().map(show));
    let column = line.chars().count();
    let width = text[start..end].chars().take(AFTER).count().max(1);
    let mut rest = text[start..line_end].chars();
    line.extend(rest.by_ref().take(AFTER.max(width)).map(show));
    if rest.next().is_some() {
        line.push('…');
    }
    (line, column, width)
}

fn floor_char(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_stay_on_one_line_and_in_bounds() {
        assert_eq!(
            excerpt("add(1, x)", &(7..8)),
            ("add(1, x)".to_owned(), 7, 1)
        );
        assert_eq!(excerpt("a\nbc\nd", &(2..4)), ("bc".to_owned(), 0, 2));
        assert_eq!(excerpt("", &(5..9)), (String::new(), 0, 1));
        assert_eq!(excerpt("äöü", &(1..3)), ("äöü".to_owned(), 0, 1));
        let long = "x".repeat(500);
        let (line, column, width) = excerpt(&long, &(250..400));
        assert_eq!((column, width), (61, 40));
        assert_eq!(line.chars().count(), 1 + 60 + 40 + 1);
    }
}
