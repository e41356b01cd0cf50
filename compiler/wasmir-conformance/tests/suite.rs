//! The official test suite, through each transform.
use std::collections::BTreeSet;

use rayon::prelude::*;
use wasmir_conformance::suite::{self, Report};
use wasmir_conformance::{Transform, refuse_invalid};

fn run(transform: &Transform<'_>) -> Report {
    let filter = std::env::var("SUITE").unwrap_or_default();
    let reports: Vec<Report> = suite::scripts()
        .into_par_iter()
        .map(|file| {
            let name = format!("{}/{}", file.parent(), file.name());
            if name.contains(&filter) { suite::run_script(&name, file.raw(), transform) } else { Report::default() }
        })
        .collect();
    let mut total = Report::default();
    reports.into_iter().for_each(|report| total.merge(report));
    total
}

#[test]
fn identity() {
    let report = run(&refuse_invalid);
    for failure in &report.failures {
        println!("{failure}");
    }
    println!("{} passed, {} skipped, {} modules", report.passed, report.skipped, report.modules);
    let _ = BTreeSet::<u8>::new();
    assert!(report.failures.is_empty());
}
