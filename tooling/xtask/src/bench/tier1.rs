//! Dev builds by `rustc-wasm` against rustc's LLVM: what the compiler costs against a debug build, and what it makes against a
//! release build.
//!
//! Both sides start from a command of the user's: ours is `cargo wasm … --frontend rustc-wasm`, the peer is plain Cargo with the same
//! rustc, and for what is run our runner with `--no-wasmir`. An edited program as a whole is in nobody's cache of compiled code. Our runner
//! keeps the code of single functions as well, which an engine by itself does not: the peer runs without (`--no-cache`), and in a second
//! comparison with it.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result};

use super::{Bench, Limit, Measure, Row, Session, generated, measure, one_crate, session::Project};

pub(super) struct Tier1;

/// A program.
struct Program {
    name: &'static str,
    source: Source,
    /// Arguments that make it work long enough to be measured.
    work: Option<&'static [&'static str]>,
}

/// Where a program comes from.
enum Source {
    /// A package, from the repository's root; it reads a page of text.
    Package(&'static str),
    /// A published crate; it reads SQL.
    OneCrate,
    /// Nobody wrote it.
    Generated,
}

const PROGRAMS: [Program; 5] = [
    Program {
        name: "hello",
        source: Source::Package("examples/hello"),
        work: None,
    },
    Program {
        name: "text-app",
        source: Source::Package("tests/fixtures/text-app"),
        work: Some(&["--repeat", "200"]),
    },
    Program {
        name: "many-crates",
        source: Source::Package("tests/fixtures/many-crates"),
        work: None,
    },
    Program {
        name: "one-crate",
        source: Source::OneCrate,
        work: Some(&["--repeat", "2000"]),
    },
    Program {
        name: "generated",
        source: Source::Generated,
        work: None,
    },
];

const CLEAN: Limit = Limit::Ratio(0.85);
const EDIT: Limit = Limit::Ratio(0.5);
const MEMORY: Limit = Limit::Ratio(1.2);
const SIZE: Limit = Limit::Ratio(1.3);
const RUN: Limit = Limit::Ratio(1.6);

impl Bench for Tier1 {
    fn name(&self) -> &'static str {
        "tier1"
    }

    fn about(&self) -> &'static str {
        "Dev builds by `rustc-wasm` (`--frontend rustc-wasm`) against LLVM: the build, and the way from an edited line to the program's last \
         answer, against its debug build; size and run time of what is made against its release build."
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let page = session.path("page.md");
        fs::copy(crate::root().join("ReadMe.md"), &page).context("cannot copy the input")?;
        let sql = session.path("statements.sql");
        fs::write(&sql, one_crate::INPUT).context("cannot write the input")?;
        let mut rows = Vec::new();
        for program in &PROGRAMS {
            let (project, input) = match program.source {
                Source::Package(place) => (session.project(Path::new(place))?, &page),
                Source::OneCrate => (one_crate::project(session, program.name)?, &sql),
                Source::Generated => {
                    let source = generated::source();
                    (
                        session.written(program.name, "edition = \"2024\"\n", &source)?,
                        &page,
                    )
                }
            };
            let run = Runs {
                session,
                project: &project,
                program,
                input,
            };
            rows.extend(run.clean()?);
            rows.extend(run.edited()?);
            rows.extend(run.made()?);
        }
        Ok(rows)
    }
}

/// The measurements of one program.
struct Runs<'a> {
    session: &'a Session,
    project: &'a Project,
    program: &'a Program,
    input: &'a Path,
}

impl Runs<'_> {
    fn what(&self, what: &str) -> String {
        format!("{}: {what}", self.program.name)
    }

    fn clean(&self) -> Result<[Row; 2]> {
        let emptied = |mut command: Command, side: &str| -> Result<Command> {
            let target = self.project.folder().join(side);
            if target.exists() {
                fs::remove_dir_all(&target)
                    .with_context(|| format!("cannot empty `{}`", target.display()))?;
            }
            command.args(["--target-dir", side]);
            Ok(command)
        };
        self.session.compare_all(
            self.what("clean build"),
            [(Measure::Cpu, CLEAN), (Measure::Memory, MEMORY)],
            &|_| emptied(self.ours("build"), "tier1-ours"),
            &|_| emptied(self.cargo(&[]), "tier1-peer"),
        )
    }

    fn edited(&self) -> Result<Vec<Row>> {
        let edited = |mut command: Command, side: &str, round: u32| -> Result<Command> {
            self.project.edit(&format!("{side} {round}"))?;
            command
                .args(["--target-dir", side])
                .stdin(File::open(self.input).context("cannot open the input")?);
            Ok(command)
        };
        let ours = |round| edited(self.ours("run"), "tier1-run", round);
        let peer = |round, cache: &[&str]| {
            let mut command = self.session.cargo_wasm();
            command
                .current_dir(self.project.folder())
                .args(["run", "--no-wasmir", "--frontend", "stock"])
                .args(cache);
            edited(command, "tier1-run-peer", round)
        };
        // Once before, so that the dependencies are built on both sides.
        measure(&mut ours(0)?)?;
        measure(&mut peer(0, &[])?)?;
        let mut rows = Vec::from(self.session.compare_all(
            self.what("one line edited, to the answer"),
            [(Measure::Wall, EDIT), (Measure::Cpu, Limit::None)],
            &|round| ours(round + 1),
            &|round| peer(round + 1, &["--no-cache"]),
        )?);
        // Other edits than before: those are known as a whole by now.
        rows.extend(self.session.compare_all(
            self.what("the same, functions kept on both sides"),
            [(Measure::Wall, Limit::None), (Measure::Cpu, Limit::None)],
            &|round| ours(round + 1001),
            &|round| peer(round + 1001, &[]),
        )?);
        Ok(rows)
    }

    /// Size and run time of the modules.
    fn made(&self) -> Result<Vec<Row>> {
        let mut command = self.ours("build");
        command.args(["--emit", "core", "--target-dir", "tier1-ours"]);
        measure(&mut command)?;
        let mut command = self.cargo(&["--release"]);
        command.args(["--target-dir", "tier1-peer"]);
        measure(&mut command)?;
        let name = self.program.name;
        let folder = self.project.folder();
        let ours = folder.join(format!("tier1-ours/wasm/debug/{name}.core.wasm"));
        let triple = self.project.triple();
        let peer = folder.join(format!("tier1-peer/{triple}/release/{name}.wasm"));
        let what = self.what("size against LLVM's release build");
        let size = super::emit::sizes(what, SIZE, &ours, &peer)?;
        size.tell();
        let mut rows = vec![size];
        if let Some(work) = self.program.work {
            let run = |module: &Path| -> Result<Command> {
                let mut command = self.session.cargo_wasm();
                command
                    .arg("runner")
                    .arg(module)
                    .arg("--")
                    .args(work)
                    .stdin(File::open(self.input).context("cannot open the input")?);
                Ok(command)
            };
            // Once before, so that compiled code is in the cache.
            measure(&mut run(&ours)?)?;
            measure(&mut run(&peer)?)?;
            rows.push(self.session.compare_short(
                &self.what("run time against LLVM's release build"),
                Measure::Cpu,
                RUN,
                &|_| run(&ours),
                &|_| run(&peer),
            )?);
        }
        Ok(rows)
    }

    fn ours(&self, subcommand: &str) -> Command {
        let mut command = self.session.cargo_wasm();
        command
            .current_dir(self.project.folder())
            .args([subcommand, "--frontend", "rustc-wasm"]);
        command
    }

    fn cargo(&self, options: &[&str]) -> Command {
        let mut command = self.session.cargo();
        command
            .current_dir(self.project.folder())
            .args(["build", "--target", self.project.triple()])
            .args(options);
        command
    }
}
