//! Tables of results, and their place in the documentation.
//!
//! The section of a benchmark is marked `bench:NAME` in the page.

use std::{fmt::Write, path::Path};

use anyhow::Result;
use serde::Serialize;

use super::{Limit, Measure, Row};
use crate::page;

/// The results of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The machine it ran on.
    pub machine: String,
    /// The Cargo profile of what was measured.
    pub profile: &'static str,
    /// One per benchmark.
    pub sections: Vec<Section>,
}

/// The results of one benchmark.
#[derive(Debug, Serialize)]
pub struct Section {
    /// The benchmark's name.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// The results.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether every limit holds.
    pub fn holds(&self) -> bool {
        self.sections
            .iter()
            .flat_map(|section| &section.rows)
            .all(Row::holds)
    }

    /// All tables.
    pub fn markdown(&self) -> String {
        self.sections
            .iter()
            .map(|section| self.section(section))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn section(&self, section: &Section) -> String {
        let mut out = format!("## {}\n\n{}\n\n", section.name, section.about);
        out.push_str(
            "| what | measured | ours | peer | compared (lowest – highest) | limit | holds |\n",
        );
        out.push_str("|---|---|---|---|---|---|---|\n");
        for row in &section.rows {
            let (lowest, median, highest) = row.compared();
            let measure = match row.measure {
                Measure::Wall => "wall",
                Measure::Cpu => "CPU",
                Measure::Memory => "memory",
                Measure::Size => "size",
            };
            let (compared, limit) = match row.limit {
                Limit::Ratio(limit) => (
                    format!("{median:.3} ({lowest:.3} – {highest:.3})"),
                    format!("≤ {limit}"),
                ),
                Limit::Extra(limit) => (
                    format!("{} ({} – {})", extra(median), extra(lowest), extra(highest)),
                    format!("≤ +{:.0} ms", limit.as_secs_f64() * 1e3),
                ),
                Limit::None => (
                    format!("{median:.3} ({lowest:.3} – {highest:.3})"),
                    String::new(),
                ),
            };
            let holds = match (row.limit, row.holds()) {
                (Limit::None, _) => "",
                (_, true) => "yes",
                (_, false) => "**no**",
            };
            let _ = writeln!(
                out,
                "| {} | {measure} | {} | {} | {compared} | {limit} | {holds} |",
                row.what,
                amount(row.measure, row.ours()),
                amount(row.measure, row.theirs()),
            );
        }
        let pairs = section.rows.iter().map(|row| row.subject.len());
        let pairs = match pairs.min().unwrap_or(0) {
            1 => "One pair".to_owned(),
            // Rows of which more were measured say so.
            pairs => format!("Medians of {pairs} pairs"),
        };
        let _ = writeln!(
            out,
            "\n{pairs}; {}; our tools built with `{}`.",
            self.machine, self.profile
        );
        out
    }

    /// Puts the tables into the page at `path`.
    pub fn write(&self, path: &Path) -> Result<()> {
        page::update(path, |page| {
            self.sections
                .iter()
                .try_fold(page.to_owned(), |page, section| {
                    let mark = format!("bench:{}", section.name);
                    page::replace(&page, &mark, &self.section(section))
                })
        })
    }
}

fn amount(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Wall | Measure::Cpu if value < 1.0 => format!("{:.0} ms", value * 1e3),
        Measure::Wall | Measure::Cpu => format!("{value:.2} s"),
        Measure::Memory | Measure::Size if value < 1e6 => format!("{:.0} kB", value / 1e3),
        Measure::Memory | Measure::Size => format!("{:.2} MB", value / 1e6),
    }
}

fn extra(seconds: f64) -> String {
    format!("{:+.0} ms", seconds * 1e3)
}
