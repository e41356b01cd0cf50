//! How a guest was stopped, as data: `run` fills it in, [`TrapReport::render`] prints it like a Rust backtrace.
//!
//! The frames of Rust's panic machinery (above the function that panicked) and of the runtime's start code (below `main`) say
//! nothing about the user's program: they are hidden, as `RUST_BACKTRACE=1` does natively, unless the full trace is asked for.

use std::fmt::Write;

/// Why the guest was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A trap, with the engine's words for it.
    Trap(String),
    /// It used all of its fuel: this much.
    OutOfFuel(u64),
    /// It ran longer than this.
    TimedOut(std::time::Duration),
}

/// A stopped guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapReport {
    /// Why.
    pub stop: Stop,
    /// Where, innermost call first. Empty when the guest was waiting for the host.
    pub frames: Vec<Frame>,
    /// Whether an allocation was refused because of the memory limit before, which is then the likely cause.
    pub memory_refused: Option<u64>,
}

/// One call of a backtrace; an inlined call is a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function's name, demangled, or its index when it has none.
    pub function: String,
    /// `file:line:column`, when the program carries debug information.
    pub location: Option<String>,
}

impl TrapReport {
    /// The first line.
    pub(crate) fn headline(&self) -> String {
        match &self.stop {
            Stop::Trap(what) => format!("the guest trapped: {what}"),
            Stop::OutOfFuel(fuel) => format!("the guest ran out of fuel after {fuel} units"),
            Stop::TimedOut(limit) => format!("the guest ran longer than {limit:?}"),
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        if let Some(limit) = self.memory_refused {
            return Some(more_memory(limit));
        }
        match &self.stop {
            Stop::OutOfFuel(_) => {
                Some("allow more with `--fuel`, or see where it loops in the backtrace".to_owned())
            }
            Stop::TimedOut(_) => Some("allow more with `--timeout`".to_owned()),
            Stop::Trap(_) => None,
        }
    }

    /// The backtrace, one `   0: name` line and one `at file:line:column` line per frame; empty without frames.
    pub(crate) fn render(&self, full: bool) -> String {
        let shown = if full {
            0..self.frames.len()
        } else {
            relevant(&self.frames)
        };
        let hidden = self.frames.len() - shown.len();
        let mut out = String::new();
        if self.frames.is_empty() {
            return out;
        }
        out.push_str("stack backtrace:\n");
        let mut located = false;
        let mut index = 0;
        // Endless recursion is one frame many times; showing it once says as much.
        for same in self.frames[shown].chunk_by(PartialEq::eq) {
            let frame = &same[0];
            let _ = writeln!(out, "{index:>4}: {}", frame.function);
            if let Some(location) = &frame.location {
                located = true;
                let _ = writeln!(out, "             at {location}");
            }
            if same.len() > 1 {
                let _ = writeln!(out, "      … and {} more calls like this", same.len() - 1);
            }
            index += same.len();
        }
        if hidden > 0 {
            let _ = writeln!(
                out,
                "note: {hidden} frames of the runtime are hidden; show them with `RUST_BACKTRACE=full`"
            );
        }
        if !located {
            out.push_str("note: the program carries no debug information, so there are no lines of source to show\n");
        }
        out
    }
}

/// What to do when memory was refused.
pub(crate) fn more_memory(limit: u64) -> String {
    format!("the guest was refused memory beyond `--max-memory` ({limit} bytes); allow more")
}

/// The range of frames that belong to the user's program.
///
/// Everything up to and including the last panic frame goes, and everything from the first start-code frame on. When nothing
/// would be left (a panic inside the runtime itself), all frames stay.
fn relevant(frames: &[Frame]) -> std::ops::Range<usize> {
    let end = frames
        .iter()
        .position(|frame| is_start_code(&frame.function))
        .unwrap_or(frames.len());
    let start = frames[..end]
        .iter()
        .rposition(|frame| is_panic_machinery(&frame.function))
        .map_or(0, |index| index + 1);
    if start < end {
        start..end
    } else {
        0..frames.len()
    }
}

fn is_panic_machinery(function: &str) -> bool {
    const EXACT: [&str; 10] = [
        "abort",
        "__rust_abort",
        "__rust_start_panic",
        "__rustc::__rust_start_panic",
        "__rustc::rust_panic",
        "rust_panic",
        "rust_begin_unwind",
        "__rustc::rust_begin_unwind",
        "__rustc::__rust_abort",
        "std::process::abort",
    ];
    const PREFIXES: [&str; 7] = [
        "core::panicking::",
        "std::panicking::",
        "std::sys::backtrace::__rust_end_short_backtrace",
        "panic_abort::",
        "std::sys::pal::",
        "core::option::expect_failed",
        "core::option::unwrap_failed",
    ];
    EXACT.contains(&function)
        || PREFIXES.iter().any(|prefix| function.starts_with(prefix))
        || function.starts_with("core::result::unwrap_failed")
}

fn is_start_code(function: &str) -> bool {
    const PREFIXES: [&str; 2] = [
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "std::rt::lang_start",
    ];
    const EXACT: [&str; 4] = [
        "_start",
        "__main_void",
        "_start.command_export",
        "__original_main",
    ];
    PREFIXES.iter().any(|prefix| function.starts_with(prefix)) || EXACT.contains(&function)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(functions: &[&str]) -> TrapReport {
        TrapReport {
            stop: Stop::Trap("wasm `unreachable` instruction executed".to_owned()),
            frames: functions
                .iter()
                .map(|function| Frame {
                    function: (*function).to_owned(),
                    location: None,
                })
                .collect(),
            memory_refused: None,
        }
    }

    const PANIC: [&str; 7] = [
        "__rustc::__rust_start_panic",
        "std::panicking::panic_with_hook",
        "__rustc::rust_begin_unwind",
        "core::panicking::panic_fmt",
        "app::main",
        "std::rt::lang_start",
        "_start",
    ];

    #[test]
    fn machinery_is_hidden() {
        let text = report(&PANIC).render(false);
        assert!(text.contains("   0: app::main\n"), "{text}");
        assert!(
            text.contains("6 frames of the runtime are hidden"),
            "{text}"
        );
        assert!(!text.contains("panicking"), "{text}");
    }

    #[test]
    fn full_shows_all() {
        let text = report(&PANIC).render(true);
        for function in PANIC {
            assert!(text.contains(function), "{text}");
        }
        assert!(!text.contains("hidden"), "{text}");
    }

    #[test]
    fn a_trace_is_never_hidden_whole() {
        let text = report(&["std::panicking::panic_with_hook", "_start"]).render(false);
        assert!(text.contains("panic_with_hook"), "{text}");
    }

    #[test]
    fn repeated_frames_are_counted() {
        let text = report(&["deeper", "deeper", "deeper", "main"]).render(true);
        assert!(
            text.contains("   0: deeper\n      … and 2 more calls like this\n   3: main\n"),
            "{text}"
        );
    }

    #[test]
    fn no_frames_no_trace() {
        assert_eq!(report(&[]).render(false), "");
    }
}
