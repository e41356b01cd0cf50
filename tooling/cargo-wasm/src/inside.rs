//! What went on inside Cargo's stage of a build by `rustc-wasm`, for `--timings`.
//!
//! The compiler and its linker append lines to files that two environment variables name: each crate's front end, code
//! generation and link, and the stages of each link that made a program. Crates are compiled side by side, so the sums may
//! exceed the time that Cargo took; what Cargo found fresh has no line.

use crate::error::{Error, Result};
use crate::stages::{Crate, Stages};
use std::fs;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Where the compiler writes to, and what; `compiler/rustc-wasm` reads the same names.
const COMPILER: &str = "RUSTC_WASM_TIMINGS";
const LINKER: &str = "RUSTC_WASM_LINK_TIMINGS";

/// The linker's stages, and how the table names them: its last is `wasm-ld`, which writes the module.
const STAGES: [(&str, &str); 6] = [
    ("read", "read"),
    ("reach", "reach"),
    ("merge", "merge"),
    ("passes", "passes"),
    ("emit", "emit"),
    ("link", "write"),
];

/// Files that are being written to.
pub(crate) struct Inside {
    folder: TempDir,
}

impl Inside {
    /// Makes `cargo`'s compilers write down their times.
    pub(crate) fn watch(cargo: &mut Command) -> Result<Inside> {
        let folder = tempfile::tempdir()
            .map_err(|e| Error::user("no temporary folder can be made").because(&e))?;
        for name in [COMPILER, LINKER] {
            cargo.env(name, folder.path().join(name));
        }
        Ok(Inside { folder })
    }

    /// Adds what they have written to the stage `cargo`.
    pub(crate) fn add_to(self, stages: &mut Stages) {
        // A file is there when somebody wrote to it.
        let text = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        for crate_ in crates(&text(COMPILER)) {
            stages.add_part("front end", crate_.front_end);
            stages.add_part("code generation", crate_.code_generation);
            stages.add_part("rlibs and linking", crate_.link);
            stages.add_crate(crate_);
        }
        for (stage, time) in linked(&text(LINKER)) {
            stages.add_part(stage, time);
        }
    }
}

fn milliseconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value / 1e3).unwrap_or_default()
}

/// The compiler's lines; one that cannot be read is left out.
fn crates(text: &str) -> impl Iterator<Item = Crate> {
    text.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let time = |part: &str| line[part].as_f64().map(milliseconds);
        Some(Crate {
            name: line["crate"].as_str()?.to_owned(),
            front_end: time("front_end")?,
            code_generation: time("code_generation")?,
            link: time("link")?,
        })
    })
}

/// The linker's lines, `STAGE MILLISECONDS`.
fn linked(text: &str) -> impl Iterator<Item = (&'static str, Duration)> {
    text.lines().filter_map(|line| {
        let (stage, time) = line.split_once(' ')?;
        let (_, shown) = STAGES.iter().find(|(name, _)| *name == stage)?;
        Some((*shown, milliseconds(time.parse().ok()?)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_rubbish_is_passed_over() {
        let text = "{\"crate\":\"a\",\"front_end\":1500.0,\"code_generation\":250.5,\"link\":0.0}\nrubbish\n{\"crate\":\"b\"}\n";
        let read: Vec<Crate> = crates(text).collect();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].name, "a");
        assert_eq!(read[0].front_end, Duration::from_millis(1500));
        assert_eq!(read[0].code_generation, Duration::from_micros(250_500));
        let read: Vec<_> = linked("read 2.0\nlink 3.5\nnonsense\nx y\nemit -1\n").collect();
        assert_eq!(
            read,
            [
                ("read", Duration::from_millis(2)),
                ("write", Duration::from_micros(3500)),
                ("emit", Duration::ZERO)
            ]
        );
    }
}
