//! Brings binaryen's `wasm-opt` from its npm package, when asked.

use crate::cache::Lock;
use crate::discover::{Tool, find_wasm_opt};
use crate::environment::Environment;
use crate::error::Error;
use crate::progress::Progress;
use std::fs::{self, File};
use std::process::{Command, Stdio};

/// The package's version, part of the folder's name.
const VERSION: &str = "132.0.0";
/// The folder inside the cache folder.
pub(crate) const FOLDER: &str = "binaryen-132.0.0";

/// Finds `wasm-opt` or installs it below the cache folder with `npm`.
pub fn bring_wasm_opt(env: &Environment, progress: &Progress) -> Result<Tool, Error> {
    if let Some(tool) = find_wasm_opt(env) {
        return Ok(tool);
    }
    let home = env.wasmrust_home().ok_or(Error::NoHome)?;
    let _lock = Lock::take(&home, "binaryen", progress)?;
    if let Some(tool) = find_wasm_opt(env) {
        return Ok(tool);
    }
    let step = progress.step(format!("installing binaryen {VERSION} by npm"));
    let logs = home.join("logs");
    fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
    let log = logs.join("binaryen.log");
    let staging = tempfile::Builder::new()
        .prefix(".making-")
        .tempdir_in(&home)
        .map_err(Error::io("create a folder in", &home))?;
    let file = File::create(&log).map_err(Error::io("create", &log))?;
    let copy = file.try_clone().map_err(Error::io("create", &log))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--prefix"])
        .arg(staging.path())
        .arg(format!("binaryen@{VERSION}"));
    let status = npm.stdin(Stdio::null()).stdout(file).stderr(copy).status();
    let status = status.map_err(|e| Error::Command {
        command: "npm install binaryen".into(),
        status: None,
        source: Some(e),
    })?;
    if !status.success() {
        let tail = fs::read_to_string(&log).unwrap_or_default();
        let hint =
            "see the log, or install `wasm-opt` (binaryen) so that it is on `PATH`".to_owned();
        return Err(Error::Failed {
            what: "installing binaryen".into(),
            log,
            tail,
            hint,
        });
    }
    let destination = home.join(FOLDER);
    crate::cache::remove(&destination)?;
    fs::rename(staging.keep(), &destination)
        .map_err(Error::io("move a finished folder to", destination))?;
    step.done();
    find_wasm_opt(env).ok_or(Error::Command {
        command: "wasm-opt --version".into(),
        status: None,
        source: None,
    })
}
