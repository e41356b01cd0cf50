//! A package's own tests: compiles them with Cargo and runs every test program.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use serde::Deserialize;

use super::{
    Answer, Tier, Tools, libtest,
    program::Program,
    tools::{TARGET, compile},
};

/// For how long a test may print nothing. Unoptimised code of LLVM on a busy machine has to fit.
const PATIENCE: Duration = Duration::from_secs(180);

/// A line of what Cargo prints about its work.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// The verdicts of the tests of the package in `folder`; `choice` says which of them, and their features. A name is that of the
/// test program, `lib` for the library's own, and of the test in it.
pub(super) fn test(tools: &Tools, tier: Tier, folder: &Path, choice: &[String]) -> Result<Answer> {
    let mut cargo = tools.cargo(tier);
    cargo
        .current_dir(folder)
        .args(["test", "--no-run", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .args(choice);
    let built = match compile(&mut cargo)? {
        Ok(built) => built,
        Err(refused) => return Ok(refused),
    };
    let mut verdicts = BTreeMap::new();
    for line in built.lines() {
        let Ok(Message {
            executable: Some(module),
            target: Some(target),
        }) = serde_json::from_str(line)
        else {
            continue;
        };
        let program = match target.kind.iter().any(|kind| kind.contains("lib")) {
            true => "lib",
            false => &target.name,
        };
        let tests = libtest::run(&Program {
            engine: tools.engine(),
            tools,
            module: &module,
            folder,
            patience: PATIENCE,
        })?;
        verdicts.extend(
            tests
                .into_iter()
                .map(|(test, verdict)| (format!("{program}::{test}"), verdict)),
        );
    }
    Ok(Answer::Tests(verdicts))
}
