//! Runs each test of a libtest program that was compiled for WASI.
//!
//! A panic ends the program, as panics abort. So the test it happened in has failed, and the rest runs in a new instance; the same
//! for a test that does not end.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use anyhow::{Context, Result, anyhow};

use super::{Verdict, program::Program};

/// A further instance is started for this many tests more, up to one per processor.
const TESTS_PER_INSTANCE: usize = 50;

/// Every test's verdict.
pub(super) fn run(program: &Program<'_>) -> Result<BTreeMap<String, Verdict>> {
    let listed = program.run(["--list"])?;
    let names = listed
        .output
        .lines()
        .filter_map(|line| line.strip_suffix(": test").map(str::to_owned));
    let names: Vec<String> = names.collect();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let instances = processors
        .min(names.len().div_ceil(TESTS_PER_INSTANCE))
        .max(1);
    thread::scope(|scope| {
        // Dealt out in turn, because slow tests tend to stand together.
        let shares = (0..instances).map(|first| {
            names
                .iter()
                .skip(first)
                .step_by(instances)
                .cloned()
                .collect()
        });
        let running: Vec<_> = shares
            .map(|share| scope.spawn(|| run_share(program, share)))
            .collect();
        let mut verdicts = BTreeMap::new();
        for share in running {
            let share = share
                .join()
                .map_err(|_| anyhow!("a thread that ran tests panicked"))?;
            verdicts.extend(share.context("the tests cannot be run")?);
        }
        Ok(verdicts)
    })
}

/// The verdicts of some of the tests, one after the other.
fn run_share(
    program: &Program<'_>,
    mut left: BTreeSet<String>,
) -> Result<BTreeMap<String, Verdict>> {
    let mut verdicts = BTreeMap::new();
    while !left.is_empty() {
        let options = ["--test-threads=1", "--exact"].map(str::to_owned);
        let ended = program.run(options.iter().chain(&left))?;
        let before = left.len();
        for (name, verdict) in lines(&ended.output) {
            if left.remove(name) {
                verdicts.insert(name.to_owned(), verdict);
            }
        }
        if left.len() == before {
            // Not even one began: nothing more can be learnt.
            let missing = std::mem::take(&mut left).into_iter();
            verdicts.extend(missing.map(|name| (name, Verdict::Failed)));
        }
    }
    Ok(verdicts)
}

/// What a run says: `test NAME ... ok`, `test NAME - should panic ... ignored, reason`. The test in which the program ended has no
/// word behind it.
fn lines(output: &str) -> impl Iterator<Item = (&str, Verdict)> {
    output.lines().filter_map(|line| {
        let (name, word) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let name = name
            .trim_end()
            .trim_end_matches(" - should panic")
            .trim_end();
        let verdict = match word {
            _ if word.starts_with("ok") => Verdict::Passed,
            _ if word.starts_with("ignored") => Verdict::Ignored,
            _ => Verdict::Failed,
        };
        Some((name, verdict))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_libtest_prints() {
        let output = "\nrunning 4 tests\ntest a::b ... ok\ntest c - should panic ... ignored, no unwinding\n\
                      test d ... ignored\ntest of nothing\ntest e ... ";
        let read: Vec<_> = lines(output).collect();
        let expected = [
            ("a::b", Verdict::Passed),
            ("c", Verdict::Ignored),
            ("d", Verdict::Ignored),
            ("e", Verdict::Failed),
        ];
        assert_eq!(read, expected);
    }
}
