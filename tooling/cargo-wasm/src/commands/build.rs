//! `cargo wasm build`.

use crate::cli::Build;
use crate::error::Result;
use crate::plan::{self, Purpose};
use crate::report;
use crate::session::Session;
use crate::stages::Stages;
use std::process::ExitCode;
use std::time::Instant;

/// Compiles the selected packages and names each artefact.
pub(crate) fn build(arguments: Build) -> Result<ExitCode> {
    let start = Instant::now();
    let session = Session::begin(
        arguments.cargo,
        arguments.path.as_deref(),
        arguments.make.setup,
    )?;
    let jobs = plan::jobs(&session.project, &session.options, Purpose::Build)?;
    let make = &arguments.make;
    let session =
        session.with_frontend(make.frontend, make.no_wasmir, plan::target_names(&jobs))?;
    let session = session.with_panic(make.panic, false)?;
    let emit = Some(arguments.emit.as_slice()).filter(|forms| !forms.is_empty());
    let mut stages = Stages::default();
    let finished = session.build(&jobs, make, emit, &mut stages)?;
    if session.options.timings.is_some() {
        if session.options.reads_json() {
            report::print(&stages.json());
        } else {
            report::table(&stages.table());
        }
    }
    if session.options.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    for (artefact, fresh) in &finished {
        let what = artefact.what();
        report::artefact(&artefact.file, what, artefact.size, start.elapsed(), *fresh);
    }
    if finished.is_empty() {
        report::warning(
            "no artefact was made: the selected libraries export nothing (they have neither `#[wasm::export]` nor the crate type `cdylib`)",
        );
    }
    Ok(ExitCode::SUCCESS)
}
