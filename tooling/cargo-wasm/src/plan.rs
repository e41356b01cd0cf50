//! Which Cargo commands one of ours becomes.
//!
//! Programs and libraries want different targets: a program imports WASI, a library only what its code asks for. So the
//! packages that Cargo's options select are split into jobs, each one Cargo command; most builds are a single job.
//!
//! | part of a package | target | command |
//! |---|---|---|
//! | binaries, examples | `wasm32-wasip1` | `cargo build --bins …` |
//! | library of type `cdylib` | `wasm32-unknown-unknown` | `cargo build --lib` |
//! | other library that is meant to be a component | `wasm32-unknown-unknown` | `cargo rustc --lib --crate-type cdylib` |
//! | any other library | `wasm32-unknown-unknown` | `cargo build --lib`, no artefact |
//!
//! `--target`, then the package's setting, override the target. Without a choice of targets on the command line, a package with
//! binaries is its binaries, and its library only when that is a component itself.

use crate::cli::Cargo;
use crate::error::{Error, Result};
use crate::project::{Project, has_bins, is_cdylib, is_component, library};
use std::ffi::OsString;
use wasm_toolchain::Target;

/// One Cargo command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// Names of workspace members.
    pub(crate) packages: Vec<String>,
    /// What of them.
    pub(crate) part: Part,
    /// The target's name.
    pub(crate) target: String,
}

/// The part of a package that a job builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Binaries and examples.
    Programs,
    /// A library as its manifest describes it.
    Library,
    /// A library that has to be told that it is a `cdylib`; one package per job.
    LibraryAsCdylib,
}

impl Job {
    /// Cargo's arguments that select this job, after the subcommand.
    pub(crate) fn selection(&self, options: &Cargo) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        for name in &self.packages {
            arguments.extend(["-p".into(), name.into()]);
        }
        match self.part {
            Part::Programs => arguments.extend(options.program_selection()),
            Part::Library | Part::LibraryAsCdylib => arguments.push("--lib".into()),
        }
        arguments.extend(["--target".into(), self.target.clone().into()]);
        arguments
    }
}

/// Splits the selected packages into jobs, in a fixed order: programs, then libraries.
pub(crate) fn jobs(project: &Project, options: &Cargo, purpose: Purpose) -> Result<Vec<Job>> {
    let packages = project.selected(options);
    if packages.is_empty() {
        return Err(nothing_selected(options));
    }
    let mut jobs: Vec<Job> = Vec::new();
    let mut add = |name: &str, part: Part, target: String| {
        let joins = |job: &&mut Job| {
            job.part == part && job.target == target && part != Part::LibraryAsCdylib
        };
        match jobs.iter_mut().find(joins) {
            Some(job) => job.packages.push(name.to_owned()),
            None => jobs.push(Job {
                packages: vec![name.to_owned()],
                part,
                target,
            }),
        }
    };
    let chosen = options.chooses_targets();
    for package in packages {
        let settings = project.settings(package)?;
        let target = |default: Target| {
            options
                .target
                .clone()
                .or(settings.target.clone())
                .unwrap_or_else(|| default.triple().to_owned())
        };
        let programs = if chosen {
            options.chooses_programs()
        } else {
            has_bins(package)
        };
        if programs {
            add(&package.name, Part::Programs, target(Target::WasiP1));
        }
        let Some(lib) = library(package) else {
            continue;
        };
        let component = is_component(package);
        let wanted = if chosen {
            options.lib
        } else {
            component || !has_bins(package)
        };
        if wanted {
            let as_is = is_cdylib(lib) || !component || purpose == Purpose::Check;
            add(
                &package.name,
                if as_is {
                    Part::Library
                } else {
                    Part::LibraryAsCdylib
                },
                target(Target::Unknown),
            );
        }
    }
    jobs.sort_by_key(|job| job.part != Part::Programs);
    if jobs.is_empty() {
        return Err(
            Error::user("the selected packages have no library or binary")
                .hint("`cargo metadata` lists what there is")
                .into(),
        );
    }
    Ok(jobs)
}

/// What the jobs are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Code is made.
    Build,
    /// Only diagnostics.
    Check,
}

/// The error for a selection that matches no member.
pub(crate) fn nothing_selected(options: &Cargo) -> crate::error::Failure {
    let message = match options.package.as_slice() {
        [] => "no package of the workspace is selected".to_owned(),
        specs => format!(
            "no member of the workspace is called {}",
            specs
                .iter()
                .map(|s| format!("`{s}`"))
                .collect::<Vec<_>>()
                .join(" or ")
        ),
    };
    Error::user(message)
        .hint("`cargo metadata --no-deps` lists the members")
        .into()
}

/// The names of the jobs' targets.
pub(crate) fn target_names(jobs: &[Job]) -> impl Iterator<Item = &str> {
    jobs.iter().map(|job| job.target.as_str())
}

/// The targets of ours that jobs need ready.
pub(crate) fn targets(jobs: &[Job]) -> Vec<Target> {
    let mut targets: Vec<Target> = jobs
        .iter()
        .filter_map(|job| Target::from_triple(&job.target))
        .collect();
    targets.sort();
    targets.dedup();
    targets
}
