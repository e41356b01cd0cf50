//! Makes a machine ready: packages when allowed, then sysroots.
//!
//! What is missing is found first, so that one message (and one `apt-get install`) covers all of it. rustup's own
//! targets, when they are there, make every package needless.

use crate::binaryen;
use crate::discover::{Origin, Rust, find_linker, find_rust, find_wasi_libc};
use crate::environment::Environment;
use crate::error::Error;
use crate::progress::Progress;
use crate::rustc_wasm::compiler_source;
use crate::target::{Panic, Target};
use crate::toolchain::Toolchain;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

/// Brings everything on a machine whose rustup can download.
pub(crate) const RUSTUP_COMMAND: &str =
    "rustup toolchain install 1.96.0 --profile minimal -t wasm32-unknown-unknown -t wasm32-wasip1";
/// What brings rustc's crates in addition, compiled and as source.
const RUSTUP_SOURCE: &str = " -c rustc-dev -c rust-src";
/// Brings everything on Debian and what descends from it.
pub(crate) const APT_COMMAND: &str =
    "apt-get update && apt-get install -y rustc-web cargo-web rust-web-src wasi-libc";

const APT_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];

/// How far [`setup`] may go.
#[derive(Debug, Clone, Copy, Default)]
pub struct SetupOptions {
    /// Install missing packages instead of naming the command.
    pub install: bool,
    /// Also bring `wasm-opt`.
    pub wasm_opt: bool,
    /// Also bring the source of rustc that [`crate::rustc_wasm`] is built from.
    pub rustc_source: bool,
}

/// Finds or brings the tools, then makes and checks the sysroots of all targets. Repeating it costs only the check.
pub fn setup(
    env: &Environment,
    options: SetupOptions,
    progress: &Progress,
) -> Result<Toolchain, Error> {
    let mut missing = missing(env);
    if options.rustc_source
        && let Ok(rust) = find_rust(env)
    {
        if compiler_source(env, &rust).is_none() {
            missing.push(format!("the source of rustc {}", rust.version.release));
        }
        // What the compiler makes std of.
        if rust.library_source().is_none() && missing.is_empty() {
            missing.push(library_source_of(&rust));
        }
    }
    if !missing.is_empty() {
        let plan = Plan::of(env);
        if !options.install {
            let mut command = plan.unwrap_or(Plan::Rustup).command().to_owned();
            if options.rustc_source && plan != Some(Plan::Apt) {
                command += RUSTUP_SOURCE;
            }
            return Err(Error::NotAllowed { missing, command });
        }
        install(env, options, progress)?;
    }
    let toolchain = Toolchain::checked(
        env,
        find_rust(env)?,
        &Target::ALL,
        Panic::Abort,
        progress,
        true,
    )?;
    if options.wasm_opt {
        binaryen::bring_wasm_opt(env, progress)?;
    }
    Ok(toolchain)
}

/// What has to be installed before the sysroots can be made; empty when nothing.
pub fn missing(env: &Environment) -> Vec<String> {
    let mut missing = Vec::new();
    let rust = match find_rust(env) {
        Ok(rust) => rust,
        Err(error) => {
            missing.push(error.to_string());
            return missing;
        }
    };
    let lacks = |target: &Target| !rust.has_target(*target);
    if Target::ALL.iter().any(lacks) {
        if rust.library_source().is_none() {
            missing.push(library_source_of(&rust));
        }
        if lacks(&Target::WasiP1) && find_wasi_libc(env).is_none() {
            missing.push("wasi-libc".into());
        }
    }
    if find_linker(env, Some(&rust)).is_none() {
        missing.push("a WebAssembly linker (`rust-lld` or `lld`)".into());
    }
    missing
}

/// How a missing source of the standard library is named.
fn library_source_of(rust: &Rust) -> String {
    let rustc = rust.rustc.display();
    format!("the standard library's source for `{rustc}`")
}

/// A way to install what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Apt,
    Rustup,
}

impl Plan {
    /// rustup's toolchains are completed by rustup, all else by the distribution where it can.
    fn of(env: &Environment) -> Option<Plan> {
        let rustup = env.which("rustup").is_some();
        let has_its_toolchain =
            || find_rust(env).is_ok_and(|rust| matches!(rust.origin, Origin::Rustup(_)));
        if rustup && has_its_toolchain() {
            Some(Plan::Rustup)
        } else if env.which("apt-get").is_some() {
            Some(Plan::Apt)
        } else {
            rustup.then_some(Plan::Rustup)
        }
    }

    fn command(self) -> &'static str {
        match self {
            Plan::Apt => APT_COMMAND,
            Plan::Rustup => RUSTUP_COMMAND,
        }
    }
}

fn install(env: &Environment, options: SetupOptions, progress: &Progress) -> Result<(), Error> {
    let order = match Plan::of(env) {
        Some(Plan::Apt) => ["apt-get", "rustup"],
        Some(Plan::Rustup) | None => ["rustup", "apt-get"],
    };
    let mut failure = None;
    for program in order {
        let Some(path) = env.which(program) else {
            continue;
        };
        // A distribution without these packages is no dead end where rustup can download, and the other way round.
        if let Some(error) = failure.take() {
            progress.say(&format!("note: {error}\nnote: trying `{program}` instead"));
        }
        let result = match program {
            "rustup" => rustup_install(env, &path, options, progress),
            _ => apt_install(env, &path, progress),
        };
        match result {
            Ok(()) => return Ok(()),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| Error::NotAllowed {
        missing: missing(env),
        command: RUSTUP_COMMAND.into(),
    }))
}

fn rustup_install(
    env: &Environment,
    rustup: &Path,
    options: SetupOptions,
    progress: &Progress,
) -> Result<(), Error> {
    let mut command = Command::new(rustup);
    let components = match options.rustc_source {
        true => RUSTUP_SOURCE,
        // For programs whose panics unwind std is compiled, wherever it is installed.
        false => " -c rust-src",
    };
    command
        .args(RUSTUP_COMMAND.split(' ').skip(1))
        .args(components.split_whitespace());
    logged(
        env,
        command,
        "installing Rust 1.96.0 by rustup",
        "rustup.log",
        progress,
    )
}

fn apt_install(env: &Environment, apt: &Path, progress: &Progress) -> Result<(), Error> {
    let command = |arguments: &[&str]| {
        // Packages are the superuser's business.
        let mut command = match env.which("sudo") {
            Some(sudo) if !is_superuser() => {
                let mut command = Command::new(sudo);
                command.arg("DEBIAN_FRONTEND=noninteractive").arg(apt);
                command
            }
            _ => Command::new(apt),
        };
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command
    };
    logged(
        env,
        command(&["update"]),
        "reading the distribution's package lists",
        "apt-update.log",
        progress,
    )?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(APT_PACKAGES);
    if find_linker(env, None).is_none() {
        arguments.push("lld");
    }
    logged(
        env,
        command(&arguments),
        &format!("installing {}", arguments[3..].join(", ")),
        "apt-install.log",
        progress,
    )
}

fn is_superuser() -> bool {
    let output = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    output.is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

/// Runs `command` with its output in a log file that an error names.
pub(crate) fn logged(
    env: &Environment,
    mut command: Command,
    what: &str,
    log: &str,
    progress: &Progress,
) -> Result<(), Error> {
    let logs = env.wasmrust_home().ok_or(Error::NoHome)?.join("logs");
    fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
    let log = logs.join(log);
    let file = File::create(&log).map_err(Error::io("create", &log))?;
    let copy = file.try_clone().map_err(Error::io("create", &log))?;
    let step = progress.step(what);
    let line = command_line(&command);
    // `sudo` may ask for a password on the terminal, which it opens itself.
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .status();
    let status = status.map_err(|e| Error::Command {
        command: line.clone(),
        status: None,
        source: Some(e),
    })?;
    if !status.success() {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(8)..].join("\n");
        return Err(Error::Failed {
            what: what.into(),
            log,
            tail,
            hint: format!("repair what the log names, then repeat: `{line}`"),
        });
    }
    step.done();
    Ok(())
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|w| w.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
