//! Running a program for WASI in an engine, with a limit on the time in which it says nothing.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{Tier, Tools};

/// How often a running program is looked at.
const PERIOD: Duration = Duration::from_millis(10);

/// How our runner's words about a program that gave up begin.
const TRAPPED: &str = "error: the guest trapped: wasm `unreachable` instruction executed";

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Standard output.
    pub(super) output: String,
    /// Standard error.
    pub(super) errors: String,
    /// The exit code, 134 after a trap; `None` if it was stopped because it said nothing for too long.
    pub(super) code: Option<i32>,
}

/// What runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// Node: the usual one, since LLVM's programs and ours ran in it before there was another.
    Node,
    /// Our own runner, which is Wasmtime: where panics unwind by the standard's exceptions, which Node has from version 25 on.
    Runner,
    /// None: a program of the machine it was compiled on.
    Host,
}

impl Engine {
    /// The engine for programs whose panics unwind. For WebAssembly the released LLVM has exceptions as they were before they became
    /// the standard, and a std that does not link with them: its programs are the host's.
    pub(super) fn unwinding(tier: Tier) -> Engine {
        match tier {
            Tier::Llvm => Engine::Host,
            Tier::Ours => Engine::Runner,
        }
    }
}

/// A compiled program and where it runs.
pub(super) struct Program<'a> {
    pub(super) engine: Engine,
    pub(super) tools: &'a Tools,
    /// The module.
    pub(super) module: &'a Path,
    /// What it sees as its current folder.
    pub(super) folder: &'a Path,
    /// For how long it may print nothing.
    pub(super) patience: Duration,
}

impl Program<'_> {
    /// Runs it to its end.
    pub(super) fn run<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Ended> {
        let folder =
            tempfile::tempdir_in(self.tools.work()).context("cannot make a temporary folder")?;
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let mut command = match self.engine {
            Engine::Node => self.node()?,
            Engine::Runner => self.runner()?,
            Engine::Host => Command::new(self.module),
        };
        command
            .args(args.into_iter().map(|arg| arg.as_ref().to_owned()))
            .stdin(std::process::Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}, in which programs are run"))?;
        let (mut said, mut since) = (0, Instant::now());
        let code = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status.code().unwrap_or(134));
            }
            let now = size(&out) + size(&err);
            if now != said {
                (said, since) = (now, Instant::now());
            }
            if since.elapsed() > self.patience {
                child.kill()?;
                child.wait()?;
                break None;
            }
            thread::sleep(PERIOD);
        };
        let text = |path: &Path| -> Result<String> {
            Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
        };
        let mut errors = text(&err)?;
        if self.engine == Engine::Runner
            && code == Some(134)
            && let Some(start) = errors.find(TRAPPED)
        {
            // In Node's words, without the backtrace.
            errors.replace_range(start.., "RuntimeError: unreachable\n");
        }
        if self.engine == Engine::Host && code == Some(134) {
            // A signal says nothing.
            errors += "RuntimeError: unreachable\n";
        }
        Ok(Ended {
            output: text(&out)?,
            errors,
            code,
        })
    }

    fn node(&self) -> Result<Command> {
        let mut node = Command::new("node");
        node.args(["--no-warnings", "--stack-size=4000"])
            .arg(self.script()?)
            .args([self.folder, self.folder, self.module]);
        Ok(node)
    }

    fn runner(&self) -> Result<Command> {
        let mut runner = Command::new(self.tools.runner()?);
        let folder = self.folder.display();
        runner
            .args(["runner", "--no-cache"])
            .arg(format!("--dir={folder}::."))
            .arg(format!("--dir={folder}::/"))
            .arg(format!("--dir={folder}::{folder}"))
            .arg(self.module)
            .arg("--");
        Ok(runner)
    }

    /// The script for Node, written where programs are built.
    fn script(&self) -> Result<PathBuf> {
        let path = self.tools.work().join("wasi.mjs");
        let text = include_str!("wasi.mjs");
        if fs::read_to_string(&path).map_or(true, |old| old != text) {
            fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(path)
    }
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}
