//! `cargo wasm check`.

use crate::cargo;
use crate::cli::Check;
use crate::error::{Failure, Result};
use crate::plan::{self, Purpose};
use crate::session::Session;
use std::process::ExitCode;

/// Runs `cargo check` for the target that each part will be compiled for.
pub(crate) fn check(arguments: Check) -> Result<ExitCode> {
    let session = Session::begin(arguments.cargo, arguments.path.as_deref(), arguments.setup)?;
    let jobs = plan::jobs(&session.project, &session.options, Purpose::Check)?;
    let session = session.with_frontend(arguments.frontend, false, plan::target_names(&jobs))?;
    let toolchain = session.toolchain(&plan::targets(&jobs))?;
    for job in &jobs {
        let mut command = session.cargo(&toolchain, "check");
        command
            .args(job.selection(&session.options))
            .args(session.options.compilation());
        if !session.options.message_format.is_empty() {
            command
                .arg("--message-format")
                .arg(session.options.message_format.join(","));
        }
        if !cargo::run(command)?.success() {
            return Err(Failure::Said(1));
        }
    }
    Ok(ExitCode::SUCCESS)
}
