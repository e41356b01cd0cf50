//! `cargo wasm test`: a crate's own tests, inside WebAssembly.

use crate::cargo;
use crate::cli::{Cargo, Make, Test, TestOnly};
use crate::commands::run::forget_start;
use crate::error::{Error, Failure, Result};
use crate::plan;
use crate::session::Session;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use wasm_toolchain::Target;

/// Runs `cargo test` with ourselves as the runner. Tests print, so they are compiled for WASI whatever the library's target is.
pub(crate) fn test(arguments: Test) -> Result<ExitCode> {
    let (folder, name) = words(&arguments.words)?;
    let session = Session::begin(arguments.cargo, folder.map(Path::new), arguments.make.setup)?;
    let packages = session.project.selected(&session.options);
    let names: Vec<String> = packages.iter().map(|p| p.name.to_string()).collect();
    if names.is_empty() {
        return Err(plan::nothing_selected(&session.options));
    }
    let target = session
        .options
        .target
        .clone()
        .unwrap_or_else(|| Target::WasiP1.triple().to_owned());
    let session = session.with_frontend(
        arguments.make.frontend,
        arguments.make.no_wasmir,
        [target.as_str()],
    )?;
    let session = session.with_panic(arguments.make.panic, true)?;
    let targets: Vec<Target> = Target::from_triple(&target).into_iter().collect();
    let toolchain = session.toolchain(&targets)?;
    // Cargo starts a test in its package's folder, and a test that reads a fixture expects to find it there.
    let mut guest: Vec<OsString> = vec!["--dir".into(), ".".into()];
    guest.extend(session.guest(&names)?);
    guest.extend(arguments.guest.arguments());
    let make = Make {
        no_wasmir: arguments.make.no_wasmir,
        without: arguments.make.without.clone(),
        ..Make::default()
    };
    let request = session.runner_request(&make, &names)?;
    let mut command = session.cargo(&toolchain, "test");
    forget_start(&mut command);
    command
        .args(session.options.package_selection())
        .args(selection(&session.options, &arguments.make));
    command
        .args(["--target", &target])
        .args(session.runner(&target, &request, &guest)?)
        .args(session.options.compilation());
    if !session.options.message_format.is_empty() {
        command
            .arg("--message-format")
            .arg(session.options.message_format.join(","));
    }
    command.args(name);
    if !arguments.arguments.is_empty() {
        command.arg("--").args(&arguments.arguments);
    }
    if cargo::run(command)?.success() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::Said(1))
    }
}

/// `[PATH] [TESTNAME]`: the first word is a path when it is a package's folder.
fn words(words: &[OsString]) -> Result<(Option<&OsString>, Option<&OsString>)> {
    let is_package = |word: &OsString| Path::new(word).join("Cargo.toml").is_file();
    match words {
        [] => Ok((None, None)),
        [one] if is_package(one) => Ok((Some(one), None)),
        [one] => Ok((None, Some(one))),
        [folder, name] if is_package(folder) => Ok((Some(folder), Some(name))),
        [first, ..] => Err(Error::usage(format!(
            "`{}` is not a folder with a `Cargo.toml`",
            first.to_string_lossy()
        ))
        .hint("several names of tests come after `--`")
        .into()),
    }
}

fn selection(options: &Cargo, only: &TestOnly) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = if options.chooses_programs() {
        options.program_selection()
    } else {
        Vec::new()
    };
    let switches = [
        ("--lib", options.lib),
        ("--doc", only.doc),
        ("--tests", only.tests),
        ("--all-targets", only.all_targets),
        ("--no-run", only.no_run),
        ("--no-fail-fast", only.no_fail_fast),
    ];
    arguments.extend(
        switches
            .into_iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| OsString::from(name)),
    );
    arguments.extend(
        only.test
            .iter()
            .flat_map(|name| [OsString::from("--test"), name.into()]),
    );
    arguments
}
