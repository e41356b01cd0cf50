//! What each stage of a build took, for `--timings`.
//!
//! Times are wall-clock times of the whole command, summed by stage in the order in which the stages first ran. They are
//! taken whether or not somebody asks: a clock is read a dozen times per artefact.

use serde::Serialize;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A clock with named laps.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    list: Vec<(&'static str, Duration)>,
}

/// A stage as `--message-format json` shows it, in Cargo's manner: one line, told apart by its `reason`.
#[derive(Serialize)]
struct Message<'a> {
    reason: &'static str,
    stage: &'a str,
    seconds: f64,
}

impl Stages {
    /// Runs `work` and adds its time to `stage`.
    pub(crate) fn time<T>(&mut self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.add(stage, start.elapsed());
        result
    }

    /// Adds time to `stage`.
    fn add(&mut self, stage: &'static str, time: Duration) {
        match self.list.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, sum)) => *sum += time,
            None => self.list.push((stage, time)),
        }
    }

    /// The table: stage, seconds, share.
    pub(crate) fn table(&self) -> String {
        let total: Duration = self.list.iter().map(|(_, time)| *time).sum();
        let mut text = String::new();
        let mut line = |name: &str, time: Duration| {
            let share = match total.as_secs_f64() {
                0.0 => 0.0,
                all => 100.0 * time.as_secs_f64() / all,
            };
            let _ = writeln!(
                text,
                "{name:>12} {:9.3} s {share:5.1} %",
                time.as_secs_f64()
            );
        };
        for (name, time) in &self.list {
            line(name, *time);
        }
        line("total", total);
        text
    }

    /// The same as JSON, one line per stage.
    pub(crate) fn json(&self) -> String {
        let mut text = String::new();
        for (stage, time) in &self.list {
            let message = Message {
                reason: "wasm-stage",
                stage,
                seconds: time.as_secs_f64(),
            };
            if let Ok(line) = serde_json::to_string(&message) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_of_one_stage_are_added_in_the_order_of_the_first() {
        let mut stages = Stages::default();
        stages.add("cargo", Duration::from_millis(1500));
        stages.add("lift", Duration::from_millis(250));
        stages.add("cargo", Duration::from_millis(250));
        assert_eq!(
            stages.table(),
            "       cargo     1.750 s  87.5 %\n        lift     0.250 s  12.5 %\n       total     2.000 s 100.0 %\n"
        );
        let json = stages.json();
        let lines: Vec<serde_json::Value> = json
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["reason"], "wasm-stage");
        assert_eq!(lines[1]["stage"], "lift");
        assert_eq!(lines[1]["seconds"], 0.25);
    }
}
