//! What each stage of a build took, for `--timings`.
//!
//! Times are wall-clock times of the whole command, summed by stage in the order in which the stages first ran. They are
//! taken whether or not somebody asks: a clock is read a dozen times per artefact.
//!
//! Of what `rustc-wasm` compiled the stage `cargo` has parts: sums over crates that were compiled side by side, so they are no
//! shares of the whole.

use serde::Serialize;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A clock with named laps.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    list: Vec<(&'static str, Duration)>,
    /// What the compilers that Cargo ran did, in the order of the first.
    parts: Vec<(&'static str, Duration)>,
    /// The crates that they compiled.
    crates: Vec<Crate>,
}

/// What one crate took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) front_end: Duration,
    pub(crate) code_generation: Duration,
    pub(crate) link: Duration,
}

impl Crate {
    fn all(&self) -> Duration {
        self.front_end + self.code_generation + self.link
    }
}

/// So many crates are named in the table.
const NAMED: usize = 5;

/// A stage as `--message-format json` shows it, in Cargo's manner: one line, told apart by its `reason`.
#[derive(Serialize)]
struct Message<'a> {
    reason: &'static str,
    stage: &'a str,
    /// The stage that this one is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_of: Option<&'a str>,
    seconds: f64,
}

/// A crate as `--message-format json` shows it; times are seconds.
#[derive(Serialize)]
struct CrateMessage<'a> {
    reason: &'static str,
    name: &'a str,
    front_end: f64,
    code_generation: f64,
    link: f64,
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
        sum_up(&mut self.list, stage, time);
    }

    /// Adds time to a part of the stage `cargo`.
    pub(crate) fn add_part(&mut self, part: &'static str, time: Duration) {
        sum_up(&mut self.parts, part, time);
    }

    /// Adds a crate that Cargo had compiled.
    pub(crate) fn add_crate(&mut self, compiled: Crate) {
        self.crates.push(compiled);
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
        if !self.parts.is_empty() {
            let _ = writeln!(
                text,
                "\n             within cargo, summed over {} crates:",
                self.crates.len()
            );
        }
        for (name, time) in &self.parts {
            let _ = writeln!(text, "{name:>20} {:9.3} s", time.as_secs_f64());
        }
        // Longest first; of the same length in the order in which they ended.
        let mut longest: Vec<&Crate> = self.crates.iter().collect();
        longest.sort_by_key(|compiled| std::cmp::Reverse(compiled.all()));
        if longest.len() > 1 {
            text.push_str("\n              crate     front end   code gen.        link\n");
            for one in longest.iter().take(NAMED) {
                let [front_end, code_generation, link] =
                    [one.front_end, one.code_generation, one.link].map(|time| time.as_secs_f64());
                let name = &one.name;
                let _ = writeln!(
                    text,
                    "{name:>20} {front_end:9.3} s {code_generation:9.3} s {link:9.3} s"
                );
            }
        }
        text
    }

    /// The same as JSON, one line per stage.
    pub(crate) fn json(&self) -> String {
        let mut text = String::new();
        let stages = self.list.iter().map(|stage| (stage, None));
        let parts = self.parts.iter().map(|part| (part, Some("cargo")));
        for ((stage, time), part_of) in stages.chain(parts) {
            push(
                &mut text,
                &Message {
                    reason: "wasm-stage",
                    stage,
                    part_of,
                    seconds: time.as_secs_f64(),
                },
            );
        }
        for compiled in &self.crates {
            push(
                &mut text,
                &CrateMessage {
                    reason: "wasm-crate",
                    name: &compiled.name,
                    front_end: compiled.front_end.as_secs_f64(),
                    code_generation: compiled.code_generation.as_secs_f64(),
                    link: compiled.link.as_secs_f64(),
                },
            );
        }
        text
    }
}

fn sum_up(list: &mut Vec<(&'static str, Duration)>, name: &'static str, time: Duration) {
    match list.iter_mut().find(|(known, _)| *known == name) {
        Some((_, sum)) => *sum += time,
        None => list.push((name, time)),
    }
}

fn push(text: &mut String, message: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(message) {
        text.push_str(&line);
        text.push('\n');
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

    #[test]
    fn what_compilers_did_is_no_part_of_the_total() {
        let mut stages = Stages::default();
        stages.add("cargo", Duration::from_secs(1));
        for (name, seconds) in [("a", 1), ("b", 2)] {
            let compiled = Crate {
                name: name.into(),
                front_end: Duration::from_secs(seconds),
                code_generation: Duration::ZERO,
                link: Duration::ZERO,
            };
            stages.add_part("front end", compiled.front_end);
            stages.add_crate(compiled);
        }
        let table = stages.table();
        assert!(
            table.contains("       total     1.000 s 100.0 %\n"),
            "{table}"
        );
        assert!(
            table.contains("           front end     3.000 s\n"),
            "{table}"
        );
        let [a, b] = ["  a ", "  b "].map(|name| table.find(name));
        assert!(b < a, "the longest first\n{table}");
        let json = stages.json();
        let part = json
            .lines()
            .find(|line| line.contains("front end"))
            .unwrap();
        assert!(part.contains("\"part_of\":\"cargo\""), "{part}");
        assert_eq!(json.matches("wasm-crate").count(), 2);
    }
}
