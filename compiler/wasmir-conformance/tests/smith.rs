//! Generated modules through each stage of the pipeline.
//!
//! `SEEDS=0..20000` chooses the seeds; a failure names its seed, and `SEEDS=n..m` runs it alone.

use std::ops::Range;

use rayon::prelude::*;
use wasmir_conformance::differential::{self, Verdict};
use wasmir_conformance::{Transform, generate, refuse_invalid, stages};

fn seeds(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else {
        return default;
    };
    let parse = |text: &str| {
        text.parse::<u64>()
            .expect("SEEDS is a range such as 0..20000")
    };
    let (start, end) = text
        .split_once("..")
        .expect("SEEDS is a range such as 0..20000");
    parse(start)..parse(end)
}

fn run(range: Range<u64>, transform: &Transform<'_>) {
    let seeds = seeds(range);
    let total = seeds.end - seeds.start;
    let results: Vec<_> = seeds
        .into_par_iter()
        .filter_map(|seed| {
            Some((
                seed,
                differential::compare(&generate::module(seed)?, seed, transform),
            ))
        })
        .collect();
    let (mut compared, mut calls, mut returned) = (0, 0, 0);
    let mut failures = Vec::new();
    for (seed, result) in results {
        match result {
            Ok(Verdict::Same {
                calls: c,
                returned: r,
            }) => {
                compared += 1;
                calls += c;
                returned += r;
            }
            Ok(Verdict::Inconclusive(_)) => {}
            Err(difference) => failures.push(format!("seed {seed}: {difference}")),
        }
    }
    println!("{compared} of {total} modules compared, {calls} calls, {returned} of them returned");
    let listed = failures
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        failures.is_empty(),
        "{} modules differ:\n{listed}",
        failures.len()
    );
    if total >= 100 {
        assert!(
            compared * 4 >= total as usize * 3,
            "only {compared} of {total} modules were compared"
        );
        assert!(
            returned * 10 >= calls,
            "only {returned} of {calls} calls returned: the modules exercise too little"
        );
    }
}

/// The engine agrees with itself, and the modules exercise enough.
#[test]
fn identity() {
    run(0..100, &refuse_invalid);
}

/// Every module is lifted and verified.
#[test]
fn lift() {
    run(0..300, &stages::lift);
}

/// Sections are read and written again around bodies as they came.
#[test]
fn copy() {
    run(0..300, &stages::copy);
}

/// The whole pipeline.
#[test]
fn recompile() {
    run(0..300, &stages::recompile);
}

/// The whole pipeline with the passes of a dev build.
#[test]
fn passes() {
    run(0..300, &stages::passes);
}
