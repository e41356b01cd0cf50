//! The MIR of a module's crate, for `--emit mir`: every function of the crate itself as the code generator is given it, before
//! instances are made of it. Functions of other crates are in those crates' MIR.
//!
//! Cargo cannot be asked for MIR beside a build of several crates, so each selected crate is compiled once more by `cargo rustc`,
//! without its dependencies, and rustc writes the text to a file that this module names. The file has a new name every time:
//! otherwise Cargo would take the crate for compiled, and nothing would be written where somebody removed the text.

use crate::cargo;
use crate::error::{Error, Failure, Result};
use crate::finish;
use crate::session::{Linked, Session};
use std::path::Path;

/// Writes the MIR of the crate that `linked` was made of to `to`.
pub(crate) fn write(session: &Session, linked: &Linked, to: &Path) -> Result<()> {
    let toolchain = session.toolchain(linked.target.as_slice())?;
    let folder = tempfile::tempdir()
        .map_err(|e| Error::user("no temporary folder can be made").because(&e))?;
    let text = folder.path().join("text.mir");
    let mut command = session.cargo(&toolchain, "rustc");
    command
        .args(&linked.selection)
        .args(["--target", &linked.triple])
        .args(session.options.compilation())
        .arg("--quiet")
        // What there is to warn of was said by the build.
        .args(["--", "-Awarnings"])
        .arg(format!("--emit=mir={}", text.display()));
    // Nothing of this is a message for whoever reads ours.
    command.stdout(std::process::Stdio::null());
    if !cargo::run(command)?.success() {
        return Err(Failure::Said(1));
    }
    finish::write(to, &finish::read(&text)?)
}
