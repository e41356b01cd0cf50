//! Running programs in Node, and comparing what they answer.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use wasm_toolchain::Environment;

use super::{
    here,
    report::{Outcome, Range},
};

/// The oldest major version that runs the scripts.
const OLDEST: u32 = 20;

/// How often one process does the work after warming up; the least time counts.
const ROUNDS: &str = "7";

/// The Node on this machine.
#[derive(Debug)]
pub(super) struct Node {
    path: PathBuf,
    /// What it calls itself.
    pub(super) version: String,
}

/// What one process reports.
#[derive(Debug, Deserialize)]
struct Answered {
    answers: Map<String, Value>,
    times: Vec<f64>,
}

impl Node {
    /// Finds it.
    pub(super) fn find(environment: &Environment) -> Result<Self> {
        let help = format!("help: install Node.js {OLDEST} or newer");
        let Some(path) = environment.which("node") else {
            bail!("cannot run programs without `node`\n{help}");
        };
        let output = Command::new(&path).arg("--version").output();
        let output = output.context("cannot start `node`")?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(
            major(&version).is_some_and(|major| major >= OLDEST),
            "`{}` is too old: {version}\n{help}",
            path.display()
        );
        Ok(Node { path, version })
    }

    /// Runs a script with the original and with the recompiled packages, in turn.
    pub(super) fn compare(&self, script: &Path, roots: [&Path; 2], runs: u32) -> Result<Outcome> {
        let [original, recompiled] = roots;
        let mut ratios = Vec::new();
        let mut answers = 0;
        for run in 0..runs {
            let one = |root| self.run(script, root);
            let (expected, found);
            if run % 2 == 0 {
                expected = one(original);
                found = one(recompiled);
            } else {
                found = one(recompiled);
                expected = one(original);
            }
            let expected = expected.context("the original module does not work here")?;
            let found = match found {
                Ok(found) => found,
                Err(error) => return Ok(Outcome::Failed(format!("{error:#}"))),
            };
            if let Some(difference) = difference(&expected.answers, &found.answers) {
                return Ok(Outcome::Different(difference));
            }
            answers = expected.answers.len();
            ratios.push(least(&found.times) / least(&expected.times));
        }
        Ok(Outcome::Same {
            answers,
            time: Range::of(&mut ratios),
        })
    }

    fn run(&self, script: &Path, root: &Path) -> Result<Answered> {
        let mut command = Command::new(&self.path);
        command.arg(here().join("runner.mjs")).arg(script);
        let output = command.arg(root).arg(ROUNDS).output();
        let output = output.context("cannot start `node`")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", telling(&errors));
        serde_json::from_slice(&output.stdout)
            .map_err(|_| anyhow!("it ended without an answer: {}", telling(&errors)))
    }
}

fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The major version of `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The line of a stack trace that says what happened: `RuntimeError: unreachable`.
fn telling(errors: &str) -> &str {
    let says = |line: &&str| {
        line.split_once(": ")
            .is_some_and(|(name, _)| name.ends_with("Error") && !name.contains(' '))
    };
    let mut lines = errors.lines().filter(says);
    let line = lines.next().or_else(|| errors.lines().last());
    line.unwrap_or("nothing was said").trim()
}

/// Where two sets of answers differ; answers that nobody gave prove nothing, so no answers differ too.
fn difference(expected: &Map<String, Value>, found: &Map<String, Value>) -> Option<String> {
    if expected.is_empty() {
        return Some("there are no answers to compare".to_owned());
    }
    let names = expected.keys().chain(found.keys());
    for name in names {
        let [a, b] = [expected, found].map(|answers| answers.get(name));
        if a != b {
            let [a, b] = [a, b].map(|value| value.map_or("nothing".to_owned(), Value::to_string));
            let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
            return Some(format!(
                "`{name}` at byte {at}: `{}`, not `{}`",
                around(&b, at),
                around(&a, at)
            ));
        }
    }
    None
}

/// Some letters of `text` from byte `at` on.
fn around(text: &str, at: usize) -> String {
    let from = text.char_indices().map(|(i, _)| i).rfind(|&i| i <= at);
    text[from.unwrap_or(0)..].chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn differences_are_found() {
        let a = answers(r#"{"sum": 1.5, "list": ["ä", [2, null]]}"#);
        assert_eq!(difference(&a, &a), None);
        let nested = difference(&a, &answers(r#"{"sum": 1.5, "list": ["ä", [3, null]]}"#));
        assert_eq!(
            nested.unwrap(),
            "`list` at byte 7: `3,null]]`, not `2,null]]`"
        );
        assert!(difference(&a, &answers(r#"{"sum": 1.5}"#)).is_some());
        assert!(difference(&answers(r#"{"sum": 1.5}"#), &a).is_some());
        assert!(difference(&a, &answers(r#"{"sum": "1.5", "list": ["ä", [2, null]]}"#)).is_some());
        assert!(difference(&Map::new(), &Map::new()).is_some());
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("20"), None);
    }

    #[test]
    fn traces_are_cut_to_what_they_say() {
        let trace = "file:///a.js:3\n  throw new Error(\"x: y\");\n\nRuntimeError: unreachable\n    at f\n\nNode.js v20.1.0\n";
        assert_eq!(telling(trace), "RuntimeError: unreachable");
        assert_eq!(telling("aborted\n"), "aborted");
    }
}
