//! The command as a user sees it: every file in `tests/transcripts` is a list of command lines with what they print and their exit
//! codes, run against the programs in `tests/programs`. `BLESS=1 cargo test -p wasm-runner` writes down what is printed now.
//!
//! A command line is `$ wasm-runner …` with words divided by spaces, `'…'` around words with spaces, `NAME=value` words in front for
//! the environment, and `<<< TEXT` or `< FILE` at the end for standard input (empty otherwise). Standard output comes first
//! (`~` for an empty line, `⏎` where the last line has no end), then standard error with `! ` in front of each line, then
//! `= exit code` when it is not 0.

use std::{fmt::Write, fs, path::Path};

use crate::support::Workshop;

#[test]
fn transcripts() {
    let workshop = Workshop::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "the transcripts are missing");

    let mut wrong = String::new();
    for path in files {
        let expected = fs::read_to_string(&path).expect("a transcript");
        let actual = replay(&workshop, &expected);
        if actual == expected {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, actual).expect("a writable transcript");
        } else {
            let _ = writeln!(
                wrong,
                "{}:\n{}",
                path.display(),
                difference(&expected, &actual)
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "outputs changed; `BLESS=1` accepts them\n{wrong}"
    );
}

/// The transcript with the outputs of now.
fn replay(workshop: &Workshop, transcript: &str) -> String {
    let mut out = String::new();
    for line in transcript.lines() {
        if line.is_empty() || line.starts_with('#') {
            let _ = writeln!(out, "{line}");
        } else if let Some(command) = line.strip_prefix("$ ") {
            let _ = writeln!(out, "{line}");
            let ended = workshop.run_line(command);
            for line in ended.stdout.split_inclusive('\n') {
                // An empty line of the transcript itself only divides.
                out.push_str(if line == "\n" { "~\n" } else { line });
            }
            if !ended.stdout.is_empty() && !ended.stdout.ends_with('\n') {
                out.push_str("⏎\n");
            }
            for line in ended.stderr.lines() {
                let _ = writeln!(out, "{}", format!("! {line}").trim_end());
            }
            if ended.code != Some(0) {
                let _ = writeln!(
                    out,
                    "= {}",
                    ended
                        .code
                        .map_or("killed".to_owned(), |code| code.to_string())
                );
            }
        }
    }
    out
}

/// The first lines that differ.
fn difference(expected: &str, actual: &str) -> String {
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    match lines.find(|(_, (expected, actual))| expected != actual) {
        Some((at, (expected, actual))) => {
            format!("  line {}\n  - {expected}\n  + {actual}", at + 1)
        }
        None => format!(
            "  {} lines became {}",
            expected.lines().count(),
            actual.lines().count()
        ),
    }
}
