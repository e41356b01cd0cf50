//! `cargo wasm inspect`: of a file, or of what a package builds to.

use crate::cli::{Inspect, Make};
use crate::error::{Error, Result};
use crate::finish;
use crate::inspection;
use crate::plan::{self, Purpose};
use crate::report;
use crate::session::Session;
use crate::stages::Stages;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints one report per file.
pub(crate) fn inspect(arguments: Inspect) -> Result<ExitCode> {
    let files: Vec<PathBuf> = match arguments.path.as_deref().filter(|p| !p.is_dir()) {
        Some(file) => vec![file.to_owned()],
        None => {
            let session = Session::begin(arguments.cargo, arguments.path.as_deref(), false)?;
            let jobs = plan::jobs(&session.project, &session.options, Purpose::Build)?;
            let session = session.with_frontend(None, false, plan::target_names(&jobs))?;
            session
                .build(&jobs, &Make::default(), Some(&[]), &mut Stages::default())?
                .into_iter()
                .map(|(artefact, _)| artefact.file)
                .collect()
        }
    };
    if files.is_empty() {
        return Err(Error::user("the selected packages build to no module")
            .hint("name a .wasm file, or a package with a program or exports")
            .into());
    }
    let mut reports = Vec::new();
    for file in &files {
        let shown = PathBuf::from(report::relative(file));
        reports.push(inspection::inspect(&finish::read(file)?, &shown)?);
    }
    if arguments.json {
        // One file gives one object, several give a list.
        let text = match reports.as_slice() {
            [one] => serde_json::to_string_pretty(one),
            all => serde_json::to_string_pretty(all),
        };
        report::print(
            &(text.map_err(|e| Error::ours("the report cannot be written").because(&e))? + "\n"),
        );
    } else {
        let texts: Vec<String> = reports.iter().map(|r| r.text(arguments.top)).collect();
        report::print(&texts.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}
