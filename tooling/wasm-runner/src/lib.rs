//! Runs WebAssembly modules and components.
//!
//! A *command* (a core WASI 0.1 module with `_start`, or a component exporting `wasi:cli/run`) runs like a native program: it
//! gets the arguments after the file, the folders and variables it was granted, standard input and output, and its exit code
//! becomes the runner's. Anything else is a *library*: one of its exported functions is called, with arguments and results in
//! [WAVE], the component model's text form of values.
//!
//! ```text
//! wasm-runner app.wasm --verbose input.txt         # a command and its arguments
//! wasm-runner markdown.wasm render < ReadMe.md     # call a function; the text comes from standard input
//! wasm-runner --invoke 'add({x: 1, y: 2}, 3)' math.wasm
//! ```
//!
//! [WAVE]: https://github.com/bytecodealliance/wasm-tools/tree/main/crates/wasm-wave
//!
//! # As a library
//!
//! [`run_cli`] is the whole command; [`run`] takes parsed [`Options`] and reports how the guest ended.
//!
//! ```
//! use wasm_runner::{Action, Options, Outcome, run};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("answer.wasm");
//! std::fs::write(&file, wat::parse_str(r#"(module (func (export "answer") (result i32) i32.const 42))"#)?)?;
//!
//! let mut options = Options::new(file);
//! options.cache = false;
//! options.action = Action::Invoke("answer()".to_owned());
//! assert_eq!(run(&options)?, Outcome::Returned("42\n".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Exit codes
//!
//! | code | meaning |
//! |---|---|
//! | the guest's | the guest ended by itself; as on Unix only the lowest eight bits count |
//! | 1 | the program or its input is wrong: not WebAssembly, a missing import, an unknown function, wrong arguments, an `err` result |
//! | 2 | the command line cannot be understood: an unknown option, a malformed size |
//! | 101 | a bug of the runner |
//! | 134 | the guest was stopped: a trap (a Rust panic is one), out of fuel, out of time |
//!
//! # Architecture
//!
//! The runner is a command line, WAVE, and the printing of results and backtraces; every program runs in a
//! [sandbox](wasm_sandbox), which sets the engine up, grants what the options name, keeps the limits and makes the calls. Only `run`
//! talks to the sandbox, and nothing here knows the engine beneath it. Nothing reads the process's environment but `cli`, `cache` (where
//! to keep compiled code) and the variables that are passed on to the guest.

mod cache;
mod call;
mod cli;
mod error;
mod exports;
mod options;
mod program;
mod report;
mod run;

pub use cli::run_cli;
pub use error::{Error, ExportList, ImportProblem};
pub use options::{Action, EnvVar, Format, Limits, Mount, Options, ParseOptionError};
pub use report::{Frame, Stop, TrapReport};
pub use run::{Outcome, run};
