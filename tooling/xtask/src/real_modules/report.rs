//! The table of programs.

use std::fmt::{self, Write};

use super::list::Program;

/// What one run gave.
#[derive(Debug)]
pub struct Report {
    /// The Node that ran the programs.
    pub node: String,
    pub(super) rows: Vec<Row>,
}

/// One program at one stage.
#[derive(Debug)]
pub(super) struct Row {
    name: String,
    about: String,
    version: String,
    stage: &'static str,
    /// Bytes of the modules as they came.
    pub(super) before: u64,
    /// Bytes of the modules as recompiled.
    pub(super) after: u64,
    /// CPU time to recompile them.
    pub(super) seconds: f64,
    /// What became of it.
    pub(super) outcome: Outcome,
}

/// What became of a recompiled program.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// All answers are the same.
    Same {
        /// How many there are.
        answers: usize,
        /// Time of the work by that with the original module.
        time: Range,
    },
    /// The first answer that differs.
    Different(String),
    /// It was not recompiled, or did not run to its end.
    Failed(String),
}

/// Lowest, median and highest of some ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Range {
    /// Of at least one number.
    pub(super) fn of(ratios: &mut [f64]) -> Self {
        ratios.sort_unstable_by(f64::total_cmp);
        let at = |i: usize| ratios.get(i).copied().unwrap_or(f64::NAN);
        let last = ratios.len().saturating_sub(1);
        Range {
            lowest: at(0),
            median: (at(last / 2) + at(last.div_ceil(2))) / 2.0,
            highest: at(last),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Same { answers, .. } => write!(f, "yes, {answers} of {answers}"),
            Outcome::Different(what) => write!(f, "**no**: {what}"),
            Outcome::Failed(why) => write!(f, "**no**: {why}"),
        }
    }
}

impl Row {
    /// A program of which nothing is known yet.
    pub(super) fn new(program: &Program, version: &str, stage: &'static str) -> Self {
        Row {
            name: program.name.clone(),
            about: program.about.clone(),
            version: version.to_owned(),
            stage,
            before: 0,
            after: 0,
            seconds: 0.0,
            outcome: Outcome::Failed("nothing was run".to_owned()),
        }
    }
}

impl Report {
    /// Whether every program gave the same answers.
    pub fn holds(&self) -> bool {
        let same = |row: &Row| matches!(row.outcome, Outcome::Same { .. });
        self.rows.iter().all(same)
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut out = String::from(
            "| program | stage | input | size ratio | recompiled in (CPU) | time of its work, ratio (lowest – highest) | same answers |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let time = match row.outcome {
                Outcome::Same { time, .. } => format!(
                    "{:.2} ({:.2} – {:.2})",
                    time.median, time.lowest, time.highest
                ),
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "| {} {} ({}) | {} | {:.2} MB | {:.3} | {:.2} s | {time} | {} |",
                row.name,
                row.version,
                row.about,
                row.stage,
                row.before as f64 / 1e6,
                row.after as f64 / row.before as f64,
                row.seconds,
                row.outcome.to_string().replace('|', "\\|")
            );
        }
        let _ = writeln!(
            out,
            "\nNode {}; our tools built with `{}`.",
            self.node,
            crate::bench::profile()
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_answer_spoils_the_report() {
        let row = |outcome| Row {
            name: "a".to_owned(),
            about: "b".to_owned(),
            version: "1".to_owned(),
            stage: "lift",
            before: 2_000_000,
            after: 1_000_000,
            seconds: 0.5,
            outcome,
        };
        let time = Range::of(&mut [3.0, 1.0, 1.5]);
        let mut report = Report {
            node: "v20".to_owned(),
            rows: vec![row(Outcome::Same { answers: 3, time })],
        };
        assert!(report.holds());
        assert!(report.markdown().contains(
            "| a 1 (b) | lift | 2.00 MB | 0.500 | 0.50 s | 1.50 (1.00 – 3.00) | yes, 3 of 3 |"
        ));
        report
            .rows
            .push(row(Outcome::Different("x | y".to_owned())));
        assert!(!report.holds());
        assert!(report.markdown().contains("**no**: x \\| y"));
    }
}
