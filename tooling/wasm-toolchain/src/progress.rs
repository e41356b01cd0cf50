//! What the user sees while something takes long: a spinner with the current step on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a step tells where it is, away from a terminal.
const PERIOD: Duration = Duration::from_secs(30);

/// Reports long steps on standard error.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    bars: bool,
    quiet: bool,
}

impl Progress {
    /// Bars on a terminal, lines elsewhere, nothing when `quiet`.
    pub fn new(quiet: bool) -> Progress {
        // The same convention as Cargo's: no moving bars in CI logs and on terminals that cannot move the cursor.
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb")
            || std::env::var_os("CI").is_some();
        Progress {
            bars: std::io::stderr().is_terminal() && !dumb && !quiet,
            quiet,
        }
    }

    /// Starts a step. `what` is a phrase such as "building std for wasm32-wasip1".
    pub fn step(&self, what: impl Into<String>) -> Step {
        let what = what.into();
        let bar = if self.bars {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style(SPINNER));
            bar.set_prefix(what.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            Some(bar)
        } else {
            if !self.quiet {
                line(&format!("{what} …"));
            }
            None
        };
        Step {
            what,
            bar,
            quiet: self.quiet,
            start: Instant::now(),
            told: Mutex::new(Instant::now()),
        }
    }

    /// Whether nothing but errors is to be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Says one line, between steps.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            line(text);
        }
    }
}

/// One running step; ends with [`Step::done`], or silently when dropped because of an error.
#[derive(Debug)]
pub struct Step {
    what: String,
    bar: Option<ProgressBar>,
    quiet: bool,
    start: Instant,
    /// When a line was last printed.
    told: Mutex<Instant>,
}

/// A step of which nobody knows how long it is.
const SPINNER: &str = "{spinner} {prefix} {elapsed} {wide_msg}";

/// A step of which the done part is known.
const BAR: &str = "{spinner} {prefix} {elapsed} [{bar:24}] {wide_msg}";

/// The length of a bar, in the units of its position.
const WHOLE: u64 = 1000;

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}

impl Step {
    /// Shows how much is done, from 0 to 1 (terminals only); from then on the step has a bar.
    pub fn part(&self, part: f64) {
        let Some(bar) = &self.bar else { return };
        if bar.length().is_none() {
            bar.set_length(WHOLE);
            bar.set_style(style(BAR));
        }
        bar.set_position((part.clamp(0.0, 1.0) * WHOLE as f64) as u64);
    }

    /// Shows what is being worked on now: on a terminal at once, elsewhere in a line from time to time, so that whoever reads a
    /// log sees that something happens.
    pub fn detail(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        } else if !self.quiet
            && let Ok(mut told) = self.told.lock()
            && told.elapsed() >= PERIOD
        {
            *told = Instant::now();
            line(&format!("{}: {text}", self.what));
        }
    }

    /// Ends the step with a line that tells how long it took.
    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            line(&format!(
                "{}: done in {:.1} s",
                self.what,
                self.start.elapsed().as_secs_f64()
            ));
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(text: &str) {
    // A closed standard error is no reason to stop working.
    let _ = writeln!(std::io::stderr(), "{text}");
}
