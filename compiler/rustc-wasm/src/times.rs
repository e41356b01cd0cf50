//! What one invocation took, for `cargo wasm --timings`.
//!
//! With `RUSTC_WASM_TIMINGS=FILE` every invocation that compiles a crate appends one line of JSON to the file:
//!
//! ```text
//! {"crate":"regex","front_end":812.4,"code_generation":95.0,"link":3.1}
//! ```
//!
//! Times are wall-clock times in milliseconds. The front end's is what the backend did not take: parsing, types, borrows, MIR,
//! metadata, and rustc's own start. `link` is the making of an rlib, or the linker's work, whose stages
//! `RUSTC_WASM_LINK_TIMINGS` has in full. A line is written by one call, so that lines of invocations side by side do not mix.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Names the file.
pub(crate) const VARIABLE: &str = "RUSTC_WASM_TIMINGS";

/// A part of an invocation that is not the front end's.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    CodeGeneration,
    Link,
}

/// The clock of an invocation; clones show the same time.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<[Duration; 2]>>);

impl Clock {
    /// Runs `work` as a part of the invocation.
    pub(crate) fn time<T>(&self, part: Part, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        // A fatal error unwinds past this; then nobody asks how long the part took.
        if let Ok(mut parts) = self.0.lock() {
            parts[part as usize] += start.elapsed();
        }
        result
    }

    /// The line of the crate `name`, whose invocation took `all`.
    fn line(&self, name: &str, all: Duration) -> String {
        let parts = self.0.lock().map(|parts| *parts).unwrap_or_default();
        let [code_generation, link] = parts;
        let front_end = all.saturating_sub(code_generation + link);
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let mut line = String::new();
        // Writing to a string does not fail. A crate's name is an identifier: nothing in it has to be escaped.
        let _ = writeln!(
            line,
            "{{\"crate\":\"{name}\",\"front_end\":{:.1},\"code_generation\":{:.1},\"link\":{:.1}}}",
            ms(front_end),
            ms(code_generation),
            ms(link)
        );
        line
    }

    /// Appends the line to `file`.
    pub(crate) fn write(&self, file: &OsStr, name: &str, all: Duration) -> std::io::Result<()> {
        let mut file = File::options().append(true).create(true).open(file)?;
        file.write_all(self.line(name, all).as_bytes())
    }
}
