//! What a dev build gains and costs by going through WasmIR: `cargo wasm build` against plain `cargo build`, and both sides from an
//! edited line to the program's last answer.
//!
//! The program is compiled by the engine before it runs, and that takes longer the more code there is; so a smaller module can win back
//! at the start what its making cost. An edited program is in nobody's cache of compiled code.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result};

use super::{Bench, Limit, Measure, Row, Session, session::Project};

pub(super) struct Dev;

/// What making the module better may add to the debug build it follows.
const ADDED: Limit = Limit::Ratio(1.15);
/// Build and start together have to be shorter than without.
const ROUND: Limit = Limit::Ratio(1.0);

impl Bench for Dev {
    fn name(&self) -> &'static str {
        "dev"
    }

    fn about(&self) -> &'static str {
        "Dev builds: `cargo wasm build` and `run`, which send the module through WasmIR, against plain `cargo build`, and against the \
         same `run` with `--no-wasmir`. The program has regex, serde_json and pulldown-cmark in it."
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let project = session.project(Path::new("tests/fixtures/text-app"))?;
        let input = session.path("page.md");
        let page = fs::read(crate::root().join("ReadMe.md")).context("cannot read the input")?;
        fs::write(&input, page).context("cannot write the input")?;
        let emptied = |mut command: Command, side: &str| -> Result<Command> {
            let target = project.folder().join(side);
            if target.exists() {
                fs::remove_dir_all(&target)
                    .with_context(|| format!("cannot empty `{}`", target.display()))?;
            }
            command.args(["--target-dir", side]);
            Ok(command)
        };
        let clean = session.compare(
            "text-app: clean build",
            Measure::Cpu,
            ADDED,
            &|_| emptied(ours(session, &project, "build"), "dev-ours"),
            &|_| emptied(cargo(session, &project), "dev-peer"),
        )?;
        let edited = |side: &str, round: u32, options: &[&str]| -> Result<Command> {
            project.edit(&format!("{side} {round}"))?;
            let mut command = ours(session, &project, "run");
            command
                .args(["--target-dir", side])
                .args(options)
                .stdin(File::open(&input).context("cannot open the input")?);
            Ok(command)
        };
        // Once before, so that the dependencies are built on both sides.
        super::measure(&mut edited("dev-with", 0, &[])?)?;
        super::measure(&mut edited("dev-without", 0, &["--no-wasmir"])?)?;
        let [wall, cpu] = session.compare_all(
            "text-app: one line edited, to the answer",
            [(Measure::Wall, ROUND), (Measure::Cpu, Limit::None)],
            &|round| edited("dev-with", round + 1, &[]),
            &|round| edited("dev-without", round + 1, &["--no-wasmir"]),
        )?;
        Ok(vec![clean, wall, cpu])
    }
}

fn ours(session: &Session, project: &Project, command: &str) -> Command {
    let mut cargo_wasm = session.cargo_wasm();
    cargo_wasm.current_dir(project.folder()).arg(command);
    cargo_wasm
}

fn cargo(session: &Session, project: &Project) -> Command {
    let mut cargo = session.cargo();
    cargo
        .current_dir(project.folder())
        .args(["build", "--target", project.triple()]);
    cargo
}
