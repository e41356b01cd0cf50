//! How long a build takes: what is said before it, and while it runs.
//!
//! The weights are CPU seconds of one machine (optimisation level 2); what matters is how they compare. What is left is the weight of
//! what is left, at the rate of what this run has done.

use super::crates::Crates;
use super::job::{BUILT, Job, program};
use crate::progress::Step;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Libraries that a build of ours alone makes, and one of rustc's crates in addition; a wrong number only makes the estimate less exact.
const LIBRARIES: [f64; 2] = [95.0, 195.0];

/// CPU seconds of those of ours and our dependencies that take longest (measured).
const OURS: [(&str, f64); 5] = [
    ("codegen_cranelift", 20.0),
    ("cranelift_codegen", 81.0),
    ("rustc_codegen_wasm", 60.0),
    ("wasmir", 25.0),
    ("wasmir_ld", 10.0),
];

/// CPU seconds of rustc's crates that take longest (measured, or estimated by the measured ones).
const RUSTCS: [(&str, f64); 19] = [
    ("rustc_ast_lowering", 19.0),
    ("rustc_attr_parsing", 27.0),
    ("rustc_borrowck", 90.0),
    ("rustc_codegen_ssa", 38.0),
    ("rustc_const_eval", 57.0),
    ("rustc_errors", 16.0),
    ("rustc_expand", 30.0),
    ("rustc_hir_analysis", 67.0),
    ("rustc_hir_typeck", 72.0),
    ("rustc_interface", 27.0),
    ("rustc_lint", 43.0),
    ("rustc_metadata", 54.0),
    ("rustc_middle", 80.0),
    ("rustc_mir_build", 40.0),
    ("rustc_mir_transform", 63.0),
    ("rustc_parse", 40.0),
    ("rustc_query_impl", 83.0),
    ("rustc_resolve", 61.0),
    ("rustc_trait_selection", 98.0),
];

/// CPU seconds of every other library.
const USUAL: f64 = 2.0;

/// CPU seconds of a build of rustc's crates and ours from nothing (measured); with a profile, or with counters to record one; of ours alone.
const ALL: f64 = 1918.0;
const PROFILED: f64 = 2400.0;
const OURS_ALONE: f64 = 450.0;

/// What Cargo says when a crate is finished.
#[derive(Deserialize)]
struct Finished {
    #[serde(default)]
    fresh: bool,
    target: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// Copies Cargo's words to the log and shows how far it is.
pub(super) fn record(reader: PipeReader, log: &mut File, crates: &Crates, step: &Step) {
    let mut reader = BufReader::new(reader);
    let mut estimate = Estimate::new(crates);
    let mut line = Vec::new();
    let mut current = String::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        if line.starts_with(b"{") {
            // Messages about anything else have no such fields.
            if let Ok(crate_) = serde_json::from_slice::<Finished>(&line) {
                estimate.finished(&crate_.target.name, crate_.fresh);
            }
        } else {
            // A full disk must not stop the reading, or the writer would wait for ever.
            let _ = log.write_all(&line);
            let text = String::from_utf8_lossy(&line);
            if let Some(what) = text.trim_start().strip_prefix("Compiling ") {
                current = what.split(" (").next().unwrap_or(what).trim().to_owned();
            }
        }
        step.part(estimate.part());
        step.detail(&format!("{}{current}", estimate.text()));
        line.clear();
    }
}

/// How much of the work is done, in CPU seconds of the machine on which the weights were measured.
struct Estimate {
    start: Instant,
    total: f64,
    /// What was there before, and what this run has done.
    fresh: f64,
    done: f64,
}

impl Estimate {
    fn new(crates: &Crates) -> Estimate {
        let all = |long: &[(&str, f64)], libraries: f64| {
            let weights: f64 = long.iter().map(|(_, weight)| weight).sum();
            weights + (libraries - long.len() as f64) * USUAL
        };
        let rustcs = match crates {
            Crates::Source => all(&RUSTCS, LIBRARIES[1]),
            Crates::Toolchain(_) => 0.0,
        };
        Estimate {
            start: Instant::now(),
            total: all(&OURS, LIBRARIES[0]) + rustcs,
            fresh: 0.0,
            done: 0.0,
        }
    }

    fn finished(&mut self, name: &str, fresh: bool) {
        let weight = OURS.iter().chain(&RUSTCS).find(|(long, _)| *long == name);
        let weight = weight.map_or(USUAL, |(_, weight)| *weight);
        *(if fresh {
            &mut self.fresh
        } else {
            &mut self.done
        }) += weight;
    }

    /// How much of the work is done, from 0 to 1; never quite all, as the number of crates is estimated, too.
    fn part(&self) -> f64 {
        ((self.fresh + self.done) / self.total).min(0.99)
    }

    /// `12 %, about 9 min left: `, once enough is known.
    fn text(&self) -> String {
        self.text_after(self.start.elapsed())
    }

    fn text_after(&self, elapsed: Duration) -> String {
        let percent = (self.part() * 100.0) as u32;
        let left = (self.total - self.fresh - self.done).max(0.0);
        let rate = self.done / elapsed.as_secs_f64().max(0.001);
        // A rate measured on a few small crates says nothing.
        if self.done < self.total / 50.0 || rate <= 0.0 {
            return format!("{percent} %: ");
        }
        let minutes = (left / rate / 60.0).ceil() as u64;
        format!("{percent} %, about {minutes} min left: ")
    }
}

/// What is to be expected of a build.
pub(super) fn forecast(job: &Job<'_>, log: &Path) -> String {
    // What older versions built has no such file, and no flags.
    let built = fs::read_to_string(job.target.join(BUILT)).unwrap_or_default();
    let is_made = job.made().join(program()).is_file();
    let from_nothing = |seconds: f64| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // Dependencies leave little for more than eight to do at a time.
        (seconds / 60.0 / processors.min(8) as f64).ceil()
    };
    let how_long = if is_made && built == job.flag {
        "rustc's own crates are there from an earlier build; ours take a minute or two".to_owned()
    } else if job.target.exists() && !is_made {
        "an earlier build was stopped; this one goes on where it was".to_owned()
    } else if let Crates::Toolchain(_) = job.crates {
        let minutes = from_nothing(OURS_ALONE);
        format!(
            "rustc's own crates come with the toolchain; ours take about {minutes} minutes here if nothing else runs"
        )
    } else {
        let minutes = from_nothing(if job.flag.is_empty() { ALL } else { PROFILED });
        format!(
            "rustc's front end is compiled once: about {minutes} minutes here if nothing else runs, and 3 GB in the cache folder; \
             when it is stopped, the next set-up goes on where it was"
        )
    };
    format!("{how_long} (log: `{}`)", log.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_counts_only_the_work_of_this_run() {
        let mut estimate = Estimate::new(&Crates::Source);
        assert_eq!(estimate.text_after(Duration::from_secs(5)), "0 %: ");
        let half = estimate.total / 2.0;
        estimate.fresh = half;
        assert_eq!(estimate.text_after(Duration::from_secs(5)), "50 %: ");
        estimate.done = half / 2.0;
        assert_eq!(
            estimate.text_after(Duration::from_secs(120)),
            "75 %, about 2 min left: "
        );
        estimate.finished("rustc_middle", false);
        assert_eq!(estimate.done, half / 2.0 + 80.0);
    }
}
