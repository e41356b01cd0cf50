//! `cargo wasm setup` and `cargo wasm doctor`.

use crate::cli::{Doctor, Setup};
use crate::error::{Error, Result};
use crate::report;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::process::ExitCode;
use wasm_toolchain::{Environment, Finding, Progress, SetupOptions, State, rustc_wasm};

/// Makes the machine ready.
pub(crate) fn setup(arguments: &Setup) -> Result<ExitCode> {
    let env = Environment::from_process();
    let progress = Progress::new(arguments.quiet);
    let mut toolchain = wasm_toolchain::setup(
        &env,
        SetupOptions {
            install: arguments.yes,
            wasm_opt: arguments.wasm_opt,
            rustc_source: arguments.rustc_wasm,
        },
        &progress,
    )?;
    if arguments.pgo {
        rustc_wasm::record_profile(&env, toolchain.rust(), &progress)?;
    }
    if arguments.rustc_wasm {
        toolchain = rustc_wasm::set_up(&env, toolchain.rust(), &progress)?;
    }
    if !arguments.quiet {
        let rust = toolchain.rust();
        report::status(
            "Ready",
            &format!(
                "rustc {} ({}), sysroot {}",
                rust.version.release,
                rust.origin,
                toolchain.sysroot().display()
            ),
        );
        if arguments.rustc_wasm {
            report::status("Ready", "rustc-wasm compiles dev builds from now on");
        }
    }
    if arguments.prune {
        let removed = wasm_toolchain::remove_unused(&env, &progress)?;
        if !arguments.quiet {
            for folder in &removed.folders {
                report::status("Removed", &folder.display().to_string());
            }
            report::status("Freed", &report::human_size(removed.bytes));
        }
    } else if !arguments.quiet
        && let Ok(unused) = wasm_toolchain::unused(&env)
        && !unused.folders.is_empty()
    {
        report::note(&format!(
            "compilers and standard libraries of other versions take {}; `cargo wasm setup --prune` removes them",
            report::human_size(unused.bytes)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reports on every tool; fails when something that builds need is missing.
pub(crate) fn doctor(arguments: &Doctor) -> Result<ExitCode> {
    let findings = wasm_toolchain::doctor(&Environment::from_process());
    if arguments.json {
        let text = serde_json::to_string_pretty(&findings)
            .map_err(|e| Error::ours("the report cannot be written").because(&e))?;
        report::print(&(text + "\n"));
    } else {
        report::print(&table(&findings));
    }
    let missing = findings.iter().any(|f| f.state == State::Missing);
    Ok(if missing {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

/// The findings as text, one tool per paragraph.
fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (mark, style) = match finding.state {
            State::Fine => ("ok", AnsiColor::Green.on_default().bold()),
            State::Optional => ("-", Style::new().dimmed()),
            State::Missing => ("missing", AnsiColor::Red.on_default().bold()),
        };
        let name = &finding.name;
        let version = finding.version.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{style}{mark:>7}{style:#}  {name:<30}  {version}");
        if let Some(path) = &finding.path {
            let origin = finding.origin.as_deref().unwrap_or_default();
            let _ = writeln!(text, "         {} ({origin})", path.display());
        }
        if let Some(problem) = &finding.problem {
            let _ = writeln!(text, "         {problem}");
        }
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "         help: {remedy}");
        }
    }
    text
}
