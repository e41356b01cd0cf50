//! `cargo wasm build --release` against plain `cargo build --release` with the same rustc, sysroot and target.
//!
//! What Cargo and rustc do is the same on both sides; the difference is what our front door adds: finding the toolchain, reading
//! Cargo's messages, making and validating the component. An edited line changes the program's data, so that the component is made anew.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, Result};

use super::{Bench, Limit, Measure, Row, Session, session::Project};

pub(super) struct Build {
    name: &'static str,
    about: &'static str,
    examples: &'static [&'static str],
}

impl Build {
    /// Programs without dependencies: seconds, in which whatever we add would show.
    pub(super) const SMALL: Build = Build {
        name: "build",
        about: "`cargo wasm build --release` against plain `cargo build --release` for the same WebAssembly target, with the same \
                compiler and sysroot: what our front door adds to Cargo.",
        examples: &["hello", "wordcount"],
    };

    /// A component with some thirty dependencies: minutes.
    pub(super) const LARGE: Build = Build {
        name: "build-large",
        about: "The same for a component that has regex, serde_json and pulldown-cmark in it.",
        examples: &["markdown"],
    };
}
/// What a build may cost more than Cargo's.
const EXTRA: Limit = Limit::Extra(Duration::from_millis(100));
const CLEAN: Limit = Limit::Ratio(1.03);

impl Bench for Build {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for name in self.examples {
            let project = session.example(name)?;
            rows.push(clean(session, name, &project)?);
            rows.push(edited(session, name, &project)?);
            rows.push(unchanged(session, name, &project)?);
        }
        Ok(rows)
    }
}

fn clean(session: &Session, name: &str, project: &Project) -> Result<Row> {
    let emptied = |command: Command, side: &str| -> Result<Command> {
        let target = project.folder().join(side);
        if target.exists() {
            fs::remove_dir_all(&target)
                .with_context(|| format!("cannot empty `{}`", target.display()))?;
        }
        Ok(command)
    };
    session.compare(
        format!("{name}: clean build"),
        Measure::Cpu,
        CLEAN,
        &|_| emptied(ours(session, project), OURS),
        &|_| emptied(peer(session, project), PEER),
    )
}

fn edited(session: &Session, name: &str, project: &Project) -> Result<Row> {
    let with_edit = |command: Command, side: &str, round: u32| -> Result<Command> {
        project.edit(&format!("{side} {round}"))?;
        Ok(command)
    };
    session.compare(
        format!("{name}: one line edited"),
        Measure::Wall,
        EXTRA,
        &|round| with_edit(ours(session, project), OURS, round),
        &|round| with_edit(peer(session, project), PEER, round),
    )
}

fn unchanged(session: &Session, name: &str, project: &Project) -> Result<Row> {
    // The last edit may have been made for the other side: build both once.
    super::measure(&mut ours(session, project))?;
    super::measure(&mut peer(session, project))?;
    session.compare(
        format!("{name}: nothing to do"),
        Measure::Wall,
        EXTRA,
        &|_| Ok(ours(session, project)),
        &|_| Ok(peer(session, project)),
    )
}

/// The target folders of the two sides.
const OURS: &str = "target-ours";
const PEER: &str = "target-peer";

fn ours(session: &Session, project: &Project) -> Command {
    let mut command = session.cargo_wasm();
    command.current_dir(project.folder()).args([
        "build",
        "--release",
        "--no-wasm-opt",
        "--target-dir",
        OURS,
    ]);
    command
}

fn peer(session: &Session, project: &Project) -> Command {
    let mut command = session.cargo();
    let triple = project.triple();
    command.current_dir(project.folder()).args([
        "build",
        "--release",
        "--target",
        triple,
        "--target-dir",
        PEER,
    ]);
    command
}
