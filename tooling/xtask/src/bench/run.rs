//! Running what `cargo wasm build --release` made against running the core module that plain Cargo made, both by our runner.
//!
//! What a component costs at run time: the adapter between WASI 0.1 and 0.2, and the engine's part in it. The runner's cache of
//! compiled code is warm for both.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{Bench, Limit, Measure, Row, Session, measure};

pub(super) struct Run;

impl Bench for Run {
    fn name(&self) -> &'static str {
        "run"
    }

    fn about(&self) -> &'static str {
        "The component that `cargo wasm build --release` makes against the core module that plain `cargo build --release` makes, both run \
         by our runner with compiled code in its cache."
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let input = session.path("input.txt");
        fs::write(&input, text(8 << 20)).context("cannot write the input")?;
        let mut rows = Vec::new();
        for (name, input, measured, limit) in [
            (
                "hello",
                None,
                Measure::Wall,
                Limit::Extra(Duration::from_millis(20)),
            ),
            // Every read and write goes through the adapter, so a program that does little else is its worst case.
            (
                "wordcount",
                Some(input.as_path()),
                Measure::Cpu,
                Limit::Ratio(1.5),
            ),
        ] {
            let (component, module) = built(session, name)?;
            let what = match input {
                Some(_) => format!("{name}: 8 MiB of text"),
                None => format!("{name}: start to end"),
            };
            // Once before, so that compiled code is in the cache.
            measure(&mut run(session, &component, input)?)?;
            measure(&mut run(session, &module, input)?)?;
            rows.push(session.compare(
                what,
                measured,
                limit,
                &|_| run(session, &component, input),
                &|_| run(session, &module, input),
            )?);
        }
        Ok(rows)
    }
}

/// The component and the module of an example.
fn built(session: &Session, name: &str) -> Result<(PathBuf, PathBuf)> {
    let project = session.example(name)?;
    let (ours, peer) = (
        project.folder().join("run-ours"),
        project.folder().join("run-peer"),
    );
    let mut command = session.cargo_wasm();
    command
        .current_dir(project.folder())
        .args(["build", "--release", "--no-wasm-opt", "--target-dir"])
        .arg(&ours);
    measure(&mut command)?;
    let mut command = session.cargo();
    command
        .current_dir(project.folder())
        .args([
            "build",
            "--release",
            "--target",
            "wasm32-wasip1",
            "--target-dir",
        ])
        .arg(&peer);
    measure(&mut command)?;
    Ok((
        artefact(&ours, name)?,
        artefact(&peer.join("wasm32-wasip1"), name)?,
    ))
}

/// The file `release/NAME.wasm` in a target folder, or in a folder for components in it.
fn artefact(target: &Path, name: &str) -> Result<PathBuf> {
    let file = format!("{name}.wasm");
    let places = ["release", "wasm/release", "wasm32-wasip1/release"];
    let found = places
        .iter()
        .map(|place| target.join(place).join(&file))
        .find(|path| path.is_file());
    found.with_context(|| format!("no `{file}` in `{}`", target.display()))
}

fn run(session: &Session, program: &Path, input: Option<&Path>) -> Result<Command> {
    let mut command = session.cargo_wasm();
    command.arg("runner").arg(program);
    if let Some(input) = input {
        command.stdin(File::open(input).context("cannot open the input")?);
    }
    Ok(command)
}

/// Words and lines, the same every time.
fn text(length: usize) -> Vec<u8> {
    const WORDS: [&str; 8] = [
        "ferris",
        "a",
        "component",
        "of",
        "linear",
        "memory",
        "und",
        "öffnet",
    ];
    let mut text = Vec::with_capacity(length + 16);
    let mut state = 0x2545_f491_u32;
    while text.len() < length {
        // xorshift32
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        text.extend_from_slice(WORDS[(state % 8) as usize].as_bytes());
        text.push(if state % 61 < 6 { b'\n' } else { b' ' });
    }
    text
}
