//! The state of the machine, tool by tool.

use crate::cache::Integrity;
use crate::discover::{self, Tool};
use crate::environment::Environment;
use crate::rustc_wasm::{self, Standing};
use crate::setup::{APT_COMMAND, RUSTUP_COMMAND};
use crate::sysroot::Composed;
use crate::target::{Panic, Target};
use serde::Serialize;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Found and usable.
    Fine,
    /// Not there, and not needed by every project.
    Optional,
    /// Not there or damaged; builds fail without it.
    Missing,
}

/// One line of the doctor's report.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The tool.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// Its version, when it tells one.
    pub version: Option<String>,
    /// Where it is.
    pub path: Option<PathBuf>,
    /// Where it comes from.
    pub origin: Option<String>,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// What brings or repairs it.
    pub remedy: Option<String>,
}

impl Finding {
    fn found(name: &str, tool: &Tool) -> Finding {
        Finding {
            name: name.into(),
            state: State::Fine,
            version: version_of(&tool.path),
            path: Some(tool.path.clone()),
            origin: Some(tool.origin.to_string()),
            problem: None,
            remedy: None,
        }
    }

    fn lacking(
        name: &str,
        state: State,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            name: name.into(),
            state,
            version: None,
            path: None,
            origin: None,
            problem: Some(problem.into()),
            remedy: Some(remedy.into()),
        }
    }
}

/// Looks at every tool; changes nothing. Sysroots are compared with their stamps file by file.
pub fn doctor(env: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rust = match discover::find_rust(env) {
        Ok(rust) => {
            for (name, path) in [("rustc", &rust.rustc), ("cargo", &rust.cargo)] {
                findings.push(Finding::found(
                    name,
                    &Tool {
                        path: path.clone(),
                        origin: rust.origin.clone(),
                    },
                ));
            }
            Some(rust)
        }
        Err(error) => {
            let remedy = error.hint().unwrap_or_default();
            findings.push(Finding::lacking(
                "rustc",
                State::Missing,
                error.to_string(),
                remedy,
            ));
            None
        }
    };
    findings.push(match discover::find_linker(env, rust.as_ref()) {
        Some(tool) => Finding {
            version: None,
            ..Finding::found("linker", &tool)
        },
        None => Finding::lacking(
            "linker",
            State::Missing,
            "neither `rust-lld` nor `lld` was found",
            "install `lld`, or any rustup toolchain",
        ),
    });
    findings.push(library_source(rust.as_ref()));
    findings.push(wasi_libc(env, rust.as_ref()));
    findings.extend(Target::ALL.map(|target| match &rust {
        Some(rust) => library(env, rust, target),
        None => without_rustc(&format!("std for {target}")),
    }));
    findings.push(match &rust {
        Some(rust) => front_end(env, rust),
        None => Finding {
            state: State::Optional,
            ..without_rustc(FRONT_END)
        },
    });
    findings.push(match discover::find_wasm_opt(env) {
        Some(tool) => Finding::found("wasm-opt", &tool),
        None => Finding::lacking(
            "wasm-opt",
            State::Optional,
            "not found; release builds are a little larger",
            "cargo wasm setup --wasm-opt",
        ),
    });
    findings
}

/// What dev builds use when it is there.
const FRONT_END: &str = "rustc-wasm";

/// The compiler of dev builds.
fn front_end(env: &Environment, rust: &discover::Rust) -> Finding {
    const REMEDY: &str = "cargo wasm setup --rustc-wasm";
    match rustc_wasm::standing(env, rust, true) {
        Ok(Standing::Ready(made)) => Finding {
            version: Some(format!("{} (compiles dev builds)", rust.version.release)),
            ..Finding::found(
                FRONT_END,
                &Tool {
                    path: made.rustc,
                    origin: discover::Origin::Cache,
                },
            )
        },
        Ok(other) => {
            let why = other.obstacle().unwrap_or_default();
            let problem = format!("{why}; the stock rustc compiles dev builds");
            Finding::lacking(FRONT_END, State::Optional, problem, REMEDY)
        }
        Err(error) => Finding::lacking(
            FRONT_END,
            State::Optional,
            error.to_string(),
            error.hint().unwrap_or_default(),
        ),
    }
}

/// What cannot be judged before there is a rustc.
fn without_rustc(name: &str) -> Finding {
    Finding::lacking(
        name,
        State::Missing,
        "needs a rustc first",
        "cargo wasm setup --yes",
    )
}

/// The source of the standard library, of which sysroots are built.
fn library_source(rust: Option<&discover::Rust>) -> Finding {
    const NAME: &str = "library source";
    let Some(rust) = rust else {
        return without_rustc(NAME);
    };
    match rust.library_source() {
        Some(path) => Finding {
            version: Some(rust.version.release.clone()),
            ..Finding::found(
                NAME,
                &Tool {
                    path,
                    origin: rust.origin.clone(),
                },
            )
        },
        None if Target::ALL.iter().all(|t| rust.has_target(*t)) => Finding::lacking(
            NAME,
            State::Optional,
            "not installed; the targets are, so no build needs it",
            "rustup component add rust-src",
        ),
        None => Finding::lacking(
            NAME,
            State::Missing,
            "not installed",
            format!("{APT_COMMAND}, or {RUSTUP_COMMAND}"),
        ),
    }
}

/// The C library of `wasm32-wasip1`; an installed target brings its own.
fn wasi_libc(env: &Environment, rust: Option<&discover::Rust>) -> Finding {
    const NAME: &str = "wasi-libc";
    const REMEDY: &str = "install the package `wasi-libc`";
    match discover::find_wasi_libc(env) {
        Some(tool) => Finding {
            version: None,
            ..Finding::found(NAME, &tool)
        },
        None if rust.is_some_and(|rust| rust.has_target(Target::WasiP1)) => Finding::lacking(
            NAME,
            State::Optional,
            "not found; the installed target carries its own",
            REMEDY,
        ),
        None => Finding::lacking(NAME, State::Missing, "`wasm32-wasip1` needs it", REMEDY),
    }
}

/// The compiled library of one target.
fn library(env: &Environment, rust: &discover::Rust, target: Target) -> Finding {
    let name = format!("std for {target}");
    if rust.has_target(target) {
        let path = rust.rustlib().join(target.triple());
        return Finding {
            version: Some(rust.version.release.clone()),
            ..Finding::found(
                &name,
                &Tool {
                    path,
                    origin: rust.origin.clone(),
                },
            )
        };
    }
    let composed = match Composed::plan(env, rust) {
        Ok(composed) => composed,
        Err(error) => {
            return Finding::lacking(
                &name,
                State::Missing,
                error.to_string(),
                error.hint().unwrap_or_default(),
            );
        }
    };
    match composed.check(target, Panic::Abort, true) {
        Ok(Integrity::Complete) => {
            let path = composed
                .folder(Panic::Abort)
                .join("lib/rustlib")
                .join(target.triple());
            Finding {
                version: Some(rust.version.release.clone()),
                ..Finding::found(
                    &name,
                    &Tool {
                        path,
                        origin: discover::Origin::Cache,
                    },
                )
            }
        }
        Ok(Integrity::Absent) => {
            Finding::lacking(&name, State::Missing, "not built yet", "cargo wasm setup")
        }
        Ok(Integrity::Damaged(how)) => Finding::lacking(
            &name,
            State::Missing,
            format!("damaged: {how}"),
            "cargo wasm setup",
        ),
        Err(error) => Finding::lacking(
            &name,
            State::Missing,
            error.to_string(),
            error.hint().unwrap_or_default(),
        ),
    }
}

/// The first line of `--version`.
fn version_of(program: &PathBuf) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .env_remove("RUSTUP_TOOLCHAIN")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.lines().next().map(|l| l.trim().to_owned()))?
}
