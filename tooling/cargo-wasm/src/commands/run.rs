//! `cargo wasm run`, and the runner that Cargo starts in place of a program.
//!
//! A program is run by `cargo run`, so that which one is meant, what it is called and what it finds in its environment are Cargo's decisions; our
//! hidden `runner` subcommand is its runner. Cargo's exit code cannot tell a program that failed from one that did not
//! compile, so the runner leaves the guest's code in a file that `run` names in the environment.
//!
//! A program runs as the core module that Cargo linked, since WASI preview 1 knows exit codes and `wasi:cli/run` does not; it
//! is made a component first when it imports something besides preview 1. A library is made a component and its function called.

use crate::cargo;
use crate::cli::{Guest, Make, Run, Runner};
use crate::component::{self, Made};
use crate::error::{Error, Failure, Result};
use crate::finish;
use crate::plan::{self, Part, Purpose};
use crate::project::Settings;
use crate::report;
use crate::session::Session;
use crate::stages::Stages;
use crate::tier1;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

/// Names the file that the runner writes to when it starts.
const STARTED: &str = "CARGO_WASM_RUN_STARTED";

/// Builds and runs.
pub(crate) fn run(arguments: Run) -> Result<ExitCode> {
    if let Some(file) = arguments
        .path
        .as_deref()
        .filter(|p| p.extension().is_some_and(|e| e == "wasm"))
    {
        return call(
            file.to_owned(),
            &arguments.guest,
            arguments.invoke,
            arguments.arguments,
        );
    }
    let session = Session::begin(
        arguments.cargo,
        arguments.path.as_deref(),
        arguments.make.setup,
    )?;
    let mut jobs = plan::jobs(&session.project, &session.options, Purpose::Build)?;
    let session = session.with_frontend(
        arguments.make.frontend,
        arguments.make.no_wasmir,
        plan::target_names(&jobs),
    )?;
    let session = session.with_panic(arguments.make.panic, false)?;
    // `cargo run` settles which program is meant, and complains when that is not clear.
    if let Some(programs) = jobs
        .iter()
        .find(|job| job.part == Part::Programs)
        .filter(|_| arguments.invoke.is_none())
    {
        let mut guest = session.guest(&programs.packages)?;
        guest.extend(arguments.guest.arguments());
        if arguments.make.wasm_opt.is_some() {
            report::warning(
                "`--wasm-opt` is ignored: a program runs as Cargo linked it; use it with `build`",
            );
        }
        let request = session.runner_request(&arguments.make, &programs.packages)?;
        return run_program(
            &session,
            &programs.target,
            &request,
            &guest,
            &arguments.arguments,
        );
    }
    jobs.retain(|job| job.part != Part::Programs || arguments.invoke.is_some());
    let mut guest = session.guest(
        &jobs
            .iter()
            .flat_map(|job| job.packages.clone())
            .collect::<Vec<_>>(),
    )?;
    guest.extend(arguments.guest.arguments());
    let finished = session.build(&jobs, &arguments.make, Some(&[]), &mut Stages::default())?;
    match finished.as_slice() {
        [(artefact, _)] => call_with(
            artefact.file.clone(),
            guest,
            arguments.invoke,
            arguments.arguments,
        ),
        [] => Err(Error::user(
            "there is nothing to run: the package has no program and exports no function",
        )
        .hint("add `src/main.rs`, or mark a function with `#[wasm::export]`")
        .into()),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|(a, _)| {
                    format!(
                        "`{}`",
                        a.file.file_stem().unwrap_or_default().to_string_lossy()
                    )
                })
                .collect();
            Err(
                Error::user(format!("which one is to be run: {}?", names.join(", ")))
                    .hint("choose a package with `-p`, or a program with `--bin`")
                    .into(),
            )
        }
    }
}

/// `cargo run`, with ourselves as the runner.
fn run_program(
    session: &Session,
    target: &str,
    request: &tier1::Request,
    guest: &[OsString],
    arguments: &[OsString],
) -> Result<ExitCode> {
    let targets: Vec<_> = wasm_toolchain::Target::from_triple(target)
        .into_iter()
        .collect();
    let toolchain = session.toolchain(&targets)?;
    let options = &session.options;
    let mut command = session.cargo(&toolchain, "run");
    command.args(options.package_selection());
    if options.chooses_programs() {
        command.args(options.program_selection());
    }
    command
        .args(["--target", target])
        .args(session.runner(target, request, guest)?)
        .args(options.compilation());
    if !options.message_format.is_empty() {
        command
            .arg("--message-format")
            .arg(options.message_format.join(","));
    }
    let started = tempfile::NamedTempFile::new()
        .map_err(|e| Error::user("no temporary file can be made").because(&e))?;
    command
        .env(STARTED, started.path())
        .arg("--")
        .args(arguments);
    let status = cargo::run(command)?;
    let ran = std::fs::read(started.path()).is_ok_and(|text| !text.is_empty());
    exit_code(status, ran)
}

/// Cargo's exit code is the guest's once the guest was started; before that, it means that the program is wrong.
fn exit_code(status: ExitStatus, ran: bool) -> Result<ExitCode> {
    match status.code() {
        Some(0) => Ok(ExitCode::SUCCESS),
        Some(code) if ran => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        _ => Err(Failure::Said(1)),
    }
}

/// The hidden `runner` subcommand.
pub(crate) fn runner(arguments: Runner) -> Result<ExitCode> {
    if let Some(path) = std::env::var_os(STARTED) {
        // Without the file, an exit code is merely less exact.
        let _ = std::fs::write(path, b"started");
    }
    let mut words = arguments.arguments;
    // The module is the first word that names a file and is not an option's value; Cargo always gives an existing .wasm file.
    let module = words.iter().position(|w| {
        Path::new(w).extension().is_some_and(|e| e == "wasm") && Path::new(w).is_file()
    });
    // Lives until the guest has ended.
    let mut encoded = None;
    if let Some(at) = module {
        let mut file = PathBuf::from(&words[at]);
        let request = tier1::Request {
            optimise: arguments.wasmir,
            without: arguments.without,
            ..tier1::Request::default()
        };
        if !request.is_empty() {
            file = finish::runnable(&file, &request)?;
            words[at] = file.clone().into_os_string();
        }
        let bytes = finish::read(&file)?;
        let shape = component::shape(&bytes, &file)?;
        let foreign = !shape.component && !shape.others.is_empty();
        if foreign && let Made::Component { bytes, .. } = component::encode(&bytes, &file, None)? {
            let folder = tempfile::tempdir()
                .map_err(|e| Error::user("no temporary folder can be made").because(&e))?;
            let path = folder.path().join(file.file_name().unwrap_or_default());
            finish::write(&path, &bytes)?;
            words[at] = path.into_os_string();
            encoded = Some(folder);
        }
    }
    let code = start(words);
    drop(encoded);
    Ok(code)
}

fn call(
    file: PathBuf,
    guest: &Guest,
    invoke: Option<OsString>,
    arguments: Vec<OsString>,
) -> Result<ExitCode> {
    call_with(file, guest.arguments(), invoke, arguments)
}

/// Runs a file: as a command, or by calling the function that `--invoke` (before or after `--`) or the first word names.
fn call_with(
    file: PathBuf,
    guest: Vec<OsString>,
    invoke: Option<OsString>,
    mut arguments: Vec<OsString>,
) -> Result<ExitCode> {
    let mut words = guest;
    let invoke = match invoke {
        Some(call) => Some(call),
        None if arguments.first().is_some_and(|w| w == "--invoke") => {
            arguments.remove(0);
            if arguments.is_empty() {
                return Err(Error::usage("`--invoke` needs a call")
                    .hint("such as `--invoke 'name(1, \"two\")'`")
                    .into());
            }
            Some(arguments.remove(0))
        }
        None => None,
    };
    if let Some(call) = invoke {
        words.extend(["--invoke".into(), call]);
    }
    words.push(file.into_os_string());
    words.extend(arguments);
    Ok(start(words))
}

/// The runner, in this process.
fn start(words: Vec<OsString>) -> ExitCode {
    wasm_runner::run_cli(std::iter::once(OsString::from("cargo wasm run")).chain(words))
}

impl Session {
    /// What is asked of WasmIR for programs of these packages.
    pub(crate) fn runner_request(
        &self,
        make: &Make,
        packages: &[String],
    ) -> Result<tier1::Request> {
        let mut request = self.request(make, &Settings::default());
        for package in self.project.selected(&self.options) {
            if packages.iter().any(|name| *name == package.name.as_str()) {
                // Cargo knows one runner per command: one package that does not want it decides for all.
                let settings = self.project.settings(package)?;
                request.optimise &= self.request(make, &settings).optimise;
            }
        }
        Ok(request)
    }

    /// The runner's arguments that the packages' settings ask for.
    pub(crate) fn guest(&self, packages: &[String]) -> Result<Vec<OsString>> {
        let mut words = Vec::new();
        for package in self.project.selected(&self.options) {
            if packages.iter().any(|name| *name == package.name.as_str()) {
                let settings = self.project.settings(package)?;
                words.extend(
                    settings
                        .dir
                        .into_iter()
                        .flat_map(|dir| [OsString::from("--dir"), dir.into()]),
                );
                words.extend(
                    settings
                        .env
                        .into_iter()
                        .flat_map(|env| [OsString::from("--env"), env.into()]),
                );
            }
        }
        Ok(words)
    }
}

/// A command that must not inherit the file named by an outer `run`.
pub(crate) fn forget_start(command: &mut Command) {
    command.env_remove(STARTED);
}
