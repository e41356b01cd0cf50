//! One file per command; each takes its parsed arguments and returns the exit code.

mod build;
mod check;
mod componentize;
mod effects;
mod inspect;
mod new;
mod run;
mod setup;
mod test;

use crate::cli::{Cli, Command};
use crate::error::Result;
use crate::report;
use clap::CommandFactory as _;
use std::process::ExitCode;

/// Runs the parsed command line.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::New(arguments) => new::new(&arguments),
        Command::Build(arguments) => build::build(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::check(arguments),
        Command::Test(arguments) => test::test(arguments),
        Command::Setup(arguments) => setup::setup(&arguments),
        Command::Doctor(arguments) => setup::doctor(&arguments),
        Command::Effects(arguments) => effects::effects(arguments),
        Command::Componentize(arguments) => componentize::componentize(&arguments),
        Command::Completions(arguments) => {
            let mut script = Vec::new();
            clap_complete::generate(
                arguments.shell,
                &mut Cli::command(),
                "cargo-wasm",
                &mut script,
            );
            report::print(&String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
        Command::Runner(arguments) => run::runner(arguments),
        Command::Inspect(arguments) => inspect::inspect(arguments),
    }
}
