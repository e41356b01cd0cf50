//! The official test suite through each stage of the pipeline.
//!
//! `SUITE=simd` runs only the scripts whose name contains `simd`.

use rayon::prelude::*;
use wasmir_conformance::suite::{self, Report};
use wasmir_conformance::{Transform, refuse_invalid, stages};

/// Directives that contradict the current specification: `script:line`, then why.
const OUTDATED: &str = include_str!("outdated.txt");

fn run(transform: &Transform<'_>) {
    let filter = std::env::var("SUITE").unwrap_or_default();
    let reports: Vec<Report> = suite::scripts()
        .into_par_iter()
        .map(|file| {
            let name = format!("{}/{}", file.parent(), file.name());
            if name.contains(&filter) {
                suite::run_script(&name, file.raw(), transform)
            } else {
                Report::default()
            }
        })
        .collect();
    let mut total = Report::default();
    reports.into_iter().for_each(|report| total.merge(report));

    let known = |failure: &suite::Failure| {
        let place = format!("{}:{} ", failure.script, failure.line);
        OUTDATED.lines().any(|line| line.starts_with(&place))
    };
    let (outdated, failures): (Vec<_>, Vec<_>) = total.failures.into_iter().partition(known);
    // A module that is refused takes all later directives of its script with it: causes first.
    let follows = |failure: &&suite::Failure| failure.message.starts_with("no module");
    let (consequences, causes): (Vec<_>, Vec<_>) = failures.iter().partition(follows);
    let listed: Vec<String> = causes
        .into_iter()
        .chain(consequences)
        .take(50)
        .map(ToString::to_string)
        .collect();
    assert!(
        failures.is_empty(),
        "{} directives failed:\n{}",
        failures.len(),
        listed.join("\n")
    );
    if filter.is_empty() {
        let expected = OUTDATED
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .count();
        assert_eq!(
            outdated.len(),
            expected,
            "a listed directive passes: take it out of outdated.txt"
        );
        assert!(
            total.passed > 50_000,
            "only {} directives ran",
            total.passed
        );
    }
}

/// The engine and the harness by themselves.
#[test]
fn identity() {
    run(&refuse_invalid);
}

/// Every valid module is lifted, every body verified; every invalid or malformed module is refused.
#[test]
fn lift() {
    run(&stages::lift);
}

/// Sections are read and written again around bodies as they came.
#[test]
fn copy() {
    run(&stages::copy);
}

/// The whole pipeline.
#[test]
fn recompile() {
    run(&stages::recompile);
}

/// The whole pipeline with the passes of a dev build.
#[test]
fn passes() {
    run(&stages::passes);
}
