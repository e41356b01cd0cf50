//! What every building command begins with: options settled, toolchain found, workspace read.

use crate::cargo::{self, Artifact};
use crate::cli::{Cargo, Emit, Frontend, Make, Panic};
use crate::error::{Error, Result};
use crate::finish::{self, Finished};
use crate::frontend::{self, Verbosity, Wishes};
use crate::inside::Inside;
use crate::mir;
use crate::plan::{self, Job, Part};
use crate::project::{Project, Settings, WasmOpt};
use crate::report;
use crate::stages::Stages;
use crate::tier1;
use crate::unwind;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_toolchain::discover::{self, Rust};
use wasm_toolchain::{Environment, Progress, SetupOptions, Target, Toolchain};

/// A core module as Cargo linked it, and what it was made of.
pub(crate) struct Linked {
    /// The file.
    pub(crate) core: PathBuf,
    /// Its package's manifest.
    pub(crate) manifest: PathBuf,
    /// Whether it is a library.
    pub(crate) library: bool,
    /// Cargo's options that mean this crate alone.
    pub(crate) selection: Vec<OsString>,
    /// The target's name.
    pub(crate) triple: String,
    /// The same, if it is one of ours.
    pub(crate) target: Option<Target>,
}

impl Linked {
    fn new(job: &Job, artifact: &Artifact, file: &Path, package: &str) -> Linked {
        let mut selection: Vec<OsString> = vec!["--package".into(), package.into()];
        let is = |kind: &str| artifact.target.kind.iter().any(|k| k == kind);
        if job.part == Part::Programs {
            let option = if is("example") { "--example" } else { "--bin" };
            selection.extend([option.into(), artifact.target.name.clone().into()]);
        } else {
            selection.push("--lib".into());
        }
        if job.part == Part::LibraryAsCdylib {
            selection.extend(["--crate-type".into(), "cdylib".into()]);
        }
        Linked {
            core: file.to_owned(),
            manifest: artifact.manifest_path.clone(),
            library: job.part != Part::Programs,
            selection,
            triple: job.target.clone(),
            target: Target::from_triple(&job.target),
        }
    }
}

/// The state of one command.
pub(crate) struct Session {
    pub(crate) env: Environment,
    pub(crate) options: Cargo,
    pub(crate) project: Project,
    rust: Rust,
    frontend: Frontend,
    unwinds: bool,
    progress: Progress,
}

impl Session {
    /// Settles `path` into the options, sets the machine up when told to, and reads the workspace.
    pub(crate) fn begin(mut options: Cargo, path: Option<&Path>, setup: bool) -> Result<Session> {
        report::set_color(options.color.as_deref());
        if let Some(path) = path {
            options.manifest_path = Some(manifest_in(path, options.manifest_path.as_deref())?);
        }
        let manifest = Project::manifest(options.manifest_path.as_deref())?;
        if let Some(folder) = &options.target_dir {
            // Cargo's own complaint names whichever part of the path it stumbled over.
            let made = std::fs::create_dir_all(folder);
            made.map_err(|e| {
                let error = Error::user(format!(
                    "the target folder `{}` cannot be made",
                    folder.display()
                ))
                .because(&e);
                error.hint("choose a folder that can be written with `--target-dir`")
            })?;
        }
        let env = Environment::from_process();
        let progress = Progress::new(options.quiet);
        if setup {
            wasm_toolchain::setup(
                &env,
                SetupOptions {
                    install: true,
                    ..SetupOptions::default()
                },
                &progress,
            )?;
        }
        // Reading the workspace needs Cargo, but no target yet.
        let rust = discover::find_rust(&env)?;
        let toolchain = Toolchain::complete(&env, rust.clone(), &[], &progress)?;
        let project = Project::load(toolchain.cargo(&env), &options, manifest)?;
        Ok(Session {
            env,
            options,
            project,
            rust,
            frontend: Frontend::Stock,
            unwinds: false,
            progress,
        })
    }

    /// The session with the compiler that makes modules for `targets`: as `asked` on the command line, or whoever else has a say.
    pub(crate) fn with_frontend<'t>(
        mut self,
        asked: Option<Frontend>,
        no_wasmir: bool,
        targets: impl IntoIterator<Item = &'t str>,
    ) -> Result<Session> {
        let packages = self.project.selected(&self.options);
        let settings = packages
            .iter()
            .map(|package| self.project.settings(package));
        let settings: Vec<Settings> = settings.collect::<Result<_>>()?;
        let wishes = Wishes {
            asked,
            settings: settings.iter().map(|settings| settings.frontend).collect(),
            dev: self.dev(),
            as_made: no_wasmir || settings.iter().any(|s| s.wasmir == Some(false)),
            targets: targets.into_iter().collect(),
        };
        let verbosity = match (self.options.quiet, self.options.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Usual,
            (false, _) => Verbosity::Verbose,
        };
        (self.rust, self.frontend) =
            frontend::select(&self.env, self.rust.clone(), &wishes, verbosity)?;
        Ok(self)
    }

    /// The session with what a panic does settled; [`Session::with_frontend`] comes before.
    pub(crate) fn with_panic(mut self, asked: Option<Panic>, test: bool) -> Result<Session> {
        let packages = self.project.selected(&self.options);
        let settings = packages
            .iter()
            .map(|package| Ok(self.project.settings(package)?.panic));
        let wishes = unwind::Wishes {
            asked,
            settings: settings.collect::<Result<_>>()?,
            test,
        };
        self.unwinds = unwind::select(&wishes, self.frontend)?;
        Ok(self)
    }

    /// The toolchain with these targets ready.
    pub(crate) fn toolchain(&self, targets: &[Target]) -> Result<Toolchain> {
        let make = match self.unwinds {
            true => Toolchain::unwinding,
            false => Toolchain::complete,
        };
        Ok(make(&self.env, self.rust.clone(), targets, &self.progress)?)
    }

    /// `cargo SUBCOMMAND` with the manifest given.
    pub(crate) fn cargo(&self, toolchain: &Toolchain, subcommand: &str) -> Command {
        let mut command = toolchain.cargo(&self.env);
        command.arg(subcommand);
        if self.unwinds {
            unwind::tell(&self.env, &mut command);
        }
        if let Some(path) = &self.options.manifest_path {
            command.arg("--manifest-path").arg(path);
        }
        command
    }

    /// Compiles `jobs`: the core modules as Cargo linked them.
    pub(crate) fn compile(&self, jobs: &[Job], stages: &mut Stages) -> Result<Vec<Linked>> {
        let toolchain = self.toolchain(&plan::targets(jobs))?;
        let mut made: Vec<Linked> = Vec::new();
        for job in jobs {
            let subcommand = if job.part == Part::LibraryAsCdylib {
                "rustc"
            } else {
                "build"
            };
            let mut command = self.cargo(&toolchain, subcommand);
            command
                .args(job.selection(&self.options))
                .args(self.options.compilation());
            if job.part == Part::LibraryAsCdylib {
                command.args(["--crate-type", "cdylib"]);
            }
            let watched = self.options.timings.is_some() && self.frontend == Frontend::RustcWasm;
            let inside = watched.then(|| Inside::watch(&mut command)).transpose()?;
            let artifacts = stages.time("cargo", || cargo::build(command, &self.options))?;
            if let Some(inside) = inside {
                inside.add_to(stages);
            }
            for artifact in &artifacts {
                let package = self.wanted(job, &artifact.manifest_path);
                if let Some((package, file)) = package.zip(finish::wasm_file(artifact)) {
                    made.push(Linked::new(job, artifact, file, package));
                }
            }
        }
        Ok(made)
    }

    /// Compiles `jobs` and finishes what they make: the forms of `emit`, or those that each package's settings name.
    pub(crate) fn build(
        &self,
        jobs: &[Job],
        make: &Make,
        emit: Option<&[Emit]>,
        stages: &mut Stages,
    ) -> Result<Vec<(Finished, bool)>> {
        let made = self.compile(jobs, stages)?;
        let mut finished = Vec::new();
        for linked in &made {
            let core = &linked.core;
            let settings = match self.project.package_of(&linked.manifest) {
                Some(package) => self.project.settings(package)?,
                None => Default::default(),
            };
            let mut emit = emit.map_or_else(|| settings.emit.clone(), <[Emit]>::to_vec);
            let clash = linked.library
                && made
                    .iter()
                    .any(|other| !other.library && other.core.file_stem() == core.file_stem());
            if emit.contains(&Emit::Mir) {
                let file = finish::form(core, linked.library, clash, "mir");
                stages.time("mir", || mir::write(self, linked, &file))?;
                emit.retain(|form| *form != Emit::Mir);
                if emit.is_empty() {
                    finished.push((Finished::alone(file)?, false));
                    continue;
                }
            }
            let request = tier1::Request {
                wir: emit.contains(&Emit::Wir),
                clif: emit.contains(&Emit::Clif),
                ..self.request(make, &settings)
            };
            let options = finish::Options {
                emit,
                wasm_opt: self.wasm_opt(make, &settings)?,
                request,
            };
            finished.push(finish::finish(
                core,
                linked.library,
                clash,
                &options,
                stages,
            )?);
        }
        Ok(finished)
    }

    /// The selected package with that manifest: dependencies can be `cdylib`s too, but are not finished.
    fn wanted<'j>(&self, job: &'j Job, manifest: &Path) -> Option<&'j str> {
        let package = self.project.package_of(manifest)?;
        let names = job.packages.iter().map(String::as_str);
        names
            .into_iter()
            .find(|name| *name == package.name.as_str())
    }

    /// What is asked of WasmIR: modules are optimised as the command line says, else as the package says, else in dev builds.
    /// What rustc-wasm makes has been through WasmIR already.
    pub(crate) fn request(&self, make: &Make, settings: &Settings) -> tier1::Request {
        let wanted = settings.wasmir.unwrap_or_else(|| self.dev());
        tier1::Request {
            optimise: wanted && !make.no_wasmir && self.frontend == Frontend::Stock,
            without: make.without.clone(),
            ..tier1::Request::default()
        }
    }

    /// `wasm-opt` and its level: as the command line says, else as the package says (then it must be there), else for what
    /// is not a dev build, if it is installed.
    fn wasm_opt(&self, make: &Make, settings: &Settings) -> Result<Option<(PathBuf, String)>> {
        let asked = match (&make.wasm_opt, make.no_wasm_opt) {
            (_, true) => Some(WasmOpt::Switch(false)),
            (Some(level), false) => Some(WasmOpt::Level(level.clone())),
            (None, false) => settings.wasm_opt.clone(),
        };
        let level = match &asked {
            Some(asked) => asked.level(),
            None if self.dev() => None,
            None => WasmOpt::Switch(true).level(),
        };
        let Some(level) = level else { return Ok(None) };
        match discover::find_wasm_opt(&self.env) {
            Some(tool) => Ok(Some((tool.path, level))),
            None if asked.is_none() => Ok(None),
            None => Err(
                Error::user("`wasm-opt` was asked for, but is not installed")
                    .hint("run `cargo wasm setup --wasm-opt`, or install binaryen")
                    .into(),
            ),
        }
    }

    /// Whether this is Cargo's dev profile, or the one of tests.
    fn dev(&self) -> bool {
        matches!(self.options.profile.as_deref(), None | Some("dev" | "test"))
            && !self.options.release
    }

    /// `--config` that makes Cargo run programs by ourselves, unless the user's environment names a runner.
    pub(crate) fn runner(
        &self,
        target: &str,
        request: &tier1::Request,
        guest: &[OsString],
    ) -> Result<Vec<OsString>> {
        let variable = format!(
            "CARGO_TARGET_{}_RUNNER",
            target.to_uppercase().replace('-', "_")
        );
        if self.env.var(&variable).is_some() {
            return Ok(Vec::new());
        }
        let ourselves = std::env::current_exe()
            .map_err(|e| Error::ours("the tool's own file is unknown").because(&e))?;
        let words = [ourselves.into_os_string(), "runner".into()]
            .into_iter()
            .chain(request.optimise.then(|| "--wasmir".into()))
            .chain(
                request
                    .without
                    .iter()
                    .map(|effect| format!("--without={effect}").into()),
            )
            .chain(guest.iter().cloned());
        let words: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
        // JSON's strings are TOML's.
        let list = serde_json::to_string(&words)
            .map_err(|e| Error::ours("the runner cannot be named").because(&e))?;
        Ok(vec![
            "--config".into(),
            format!("target.{target}.runner={list}").into(),
        ])
    }
}

/// The manifest in the folder given as the first word.
fn manifest_in(path: &Path, other: Option<&Path>) -> Result<PathBuf> {
    if other.is_some() {
        return Err(Error::usage(format!(
            "both the folder `{}` and `--manifest-path` are given",
            path.display()
        ))
        .hint("leave one of them out")
        .into());
    }
    let manifest = if path.is_dir() {
        path.join("Cargo.toml")
    } else {
        path.to_owned()
    };
    if manifest.is_file()
        && manifest
            .file_name()
            .is_some_and(|name| name == "Cargo.toml")
    {
        return Ok(manifest);
    }
    let error = Error::user(format!(
        "`{}` is not a folder with a `Cargo.toml`",
        path.display()
    ));
    Err(error
        .hint("the first word names a package's folder; a program's arguments come after `--`")
        .into())
}
