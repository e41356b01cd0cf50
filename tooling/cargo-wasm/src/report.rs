//! What the user reads on standard error: status lines in Cargo's style, errors, the last line.
//!
//! Colours follow `--color`, then `NO_COLOR` and `CLICOLOR_FORCE`, then whether standard error is a terminal (all by
//! `anstream`). A closed pipe is never an error: nobody is left to read it.

use crate::error::{Blame, Error};
use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default().bold();

/// Applies `--color`.
pub(crate) fn set_color(when: Option<&str>) {
    match when {
        Some("always") => ColorChoice::Always.write_global(),
        Some("never") => ColorChoice::Never.write_global(),
        _ => {}
    }
}

fn line(style: Style, head: &str, text: &str) {
    let _ = writeln!(anstream::stderr(), "{style}{head}{style:#} {text}");
}

/// A status line with Cargo's right-aligned verb.
pub(crate) fn status(verb: &str, text: &str) {
    line(GOOD, &format!("{verb:>12}"), text);
}

/// A warning.
pub(crate) fn warning(text: &str) {
    line(WARN, "warning:", text);
}

/// Something worth knowing.
pub(crate) fn note(text: &str) {
    line(HELP, "note:", text);
}

/// An error about a place of the user's program, which has its notes with it.
pub(crate) fn diagnostic(text: &str) {
    line(BAD, "error:", text);
}

/// An error with its causes and its hint.
pub(crate) fn error(error: &Error) {
    let text = error.to_string();
    let mut lines = text.lines();
    line(BAD, "error:", lines.next().unwrap_or_default());
    for rest in lines {
        match rest.strip_prefix("  help: ") {
            Some(hint) => line(HELP, "  help:", hint),
            None => {
                let _ = writeln!(anstream::stderr(), "{rest}");
            }
        }
    }
    if error.blame == Blame::Ours {
        let _ = writeln!(
            anstream::stderr(),
            "  note: this is a bug of cargo-wasm; please report it with the command and its output"
        );
    }
}

/// The last line of a build: artefact, size, time.
pub(crate) fn artefact(path: &Path, what: &str, size: u64, time: Duration, fresh: bool) {
    let unchanged = if fresh { ", unchanged" } else { "" };
    status(
        "Finished",
        &format!(
            "{} ({what}, {}{unchanged}) in {:.2}s",
            relative(path),
            human_size(size),
            time.as_secs_f64()
        ),
    );
}

/// Lines that belong together, on standard error.
pub(crate) fn table(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// A path as short as it can be said from the current folder.
pub(crate) fn relative(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here
        .as_deref()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path);
    short.display().to_string()
}

/// `1.5 KiB`, `3.2 MiB`, `1.30 GiB`; the unit is at least KiB.
pub(crate) fn human_size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    if kib < 1024.0 {
        format!("{kib:.1} KiB")
    } else if kib < 1024.0 * 1024.0 {
        format!("{:.2} MiB", kib / 1024.0)
    } else {
        format!("{:.2} GiB", kib / 1024.0 / 1024.0)
    }
}

/// Writes to standard output; a closed pipe ends the writing quietly.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
