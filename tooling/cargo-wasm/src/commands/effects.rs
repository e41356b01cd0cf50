//! `cargo wasm effects`: what a program does to the world around it, and by which way.

use crate::cli::{Effects, EffectsFormat};
use crate::component;
use crate::error::{Error, Result};
use crate::finish;
use crate::plan::{self, Purpose};
use crate::report;
use crate::session::Session;
use crate::stages::Stages;
use crate::tier1::contracts;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wasmir_verify::{Options, Report, infer};

/// Prints the effects of each entry of a file, or of what a package builds to.
///
/// Of a package the modules that the stock rustc made are read: no function was inlined there, so chains are complete.
pub(crate) fn effects(arguments: Effects) -> Result<ExitCode> {
    let files: Vec<PathBuf> = match arguments.path.as_deref().filter(|p| !p.is_dir()) {
        Some(file) => vec![file.to_owned()],
        None => {
            let session = Session::begin(arguments.cargo, arguments.path.as_deref(), false)?;
            let jobs = plan::jobs(&session.project, &session.options, Purpose::Build)?;
            let made = session.compile(&jobs, &mut Stages::default())?;
            made.into_iter().map(|linked| linked.core).collect()
        }
    };
    if files.is_empty() {
        return Err(Error::user("the selected packages build to no module")
            .hint("name a .wasm file, or a package with a program or exports")
            .into());
    }
    let mut reports = Vec::new();
    // Whether the declarations hold; the report is printed first.
    let mut outcome = Ok(());
    for file in &files {
        let bytes = finish::read(file)?;
        let cores = component::cores(&bytes, file)?;
        for (name, core) in &cores {
            let shown = match name {
                Some(name) => format!("{} ({name})", report::relative(file)),
                None => report::relative(file),
            };
            let (report, kept) = report_on(core, file, arguments.panics)?;
            reports.push((shown, report));
            outcome = outcome.and(kept);
        }
    }
    let text = match (arguments.format, reports.as_slice()) {
        (EffectsFormat::Json, [(_, one)]) => one.json() + "\n",
        (EffectsFormat::Json, all) => {
            // A list of pairs would lose which file is which.
            let map: std::collections::BTreeMap<&str, &Report> = all
                .iter()
                .map(|(file, report)| (file.as_str(), report))
                .collect();
            serde_json::to_string_pretty(&map)
                .map_err(|e| Error::ours("the report cannot be written").because(&e))?
                + "\n"
        }
        (EffectsFormat::Tree, [(_, one)]) => one.tree(),
        (EffectsFormat::Tree, all) => {
            let texts = all
                .iter()
                .map(|(file, report)| format!("{file}:\n{}", report.tree()));
            texts.collect::<Vec<_>>().join("\n")
        }
    };
    report::print(&text);
    outcome.map(|()| ExitCode::SUCCESS)
}

fn report_on(core: &[u8], file: &Path, panics: bool) -> Result<(Report, Result<()>)> {
    let mut module = wasmir_lift::lift(core).map_err(|e| {
        Error::user(format!(
            "the effects of `{}` cannot be inferred",
            report::relative(file)
        ))
        .because(&e)
    })?;
    let mut options = Options {
        panics,
        ..Options::default()
    };
    let kept = contracts::check(&mut module, &mut options, file);
    let inferred = infer(&module, &options)
        .map_err(|e| Error::ours("the effects cannot be inferred").because(&e))?;
    Ok((Report::new(&module, &inferred), kept))
}
