//! Dev builds: the module that rustc left unoptimised, through WasmIR.
//!
//! # Input, output
//! A core module as Cargo linked it. The same program: lifted, reduced to what its exports reach, inlined and freed of its
//! frames, emitted anew by Cranelift's mid-end; smaller, faster to load and faster to run. Names, `producers` and every
//! custom section that others read (WIT worlds among them) come through. With `without`, code that needs the named
//! effects is cut out on the way, and what comes out is inferred anew to show that they are gone.
//!
//! # Invariants
//! * The result depends on the module and the request alone, not on the number of threads.
//! * Whatever goes wrong in here (a panic, too) is an error that names the stage and a command that shows it again; the
//!   caller writes no artefact then.
//!
//! # Cost
//! Linear in the size of the module; bodies are lifted and emitted in parallel.

use crate::error::{Error, Failure, Result};
use crate::finish;
use crate::report;
use crate::stages::Stages;
use codegen_cranelift::emit_module;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use wasmir::passes::pipeline;
use wasmir::{Module, reach};

/// What to do with a module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Optimise and emit every function. Without it, functions that nothing else asks to change are copied.
    pub(crate) optimise: bool,
}

/// What stands between an input and its output.
struct Run<'a> {
    file: &'a Path,
    input: &'a [u8],
    /// Where a module that we failed on is kept.
    kept: &'a Path,
    stages: &'a mut Stages,
}

impl Run<'_> {
    /// Runs one stage: its time is taken, and its errors and panics are told as failures of ours.
    fn stage<T, E: Display>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> Result<T> {
        // Nothing of a stage that panicked is looked at again.
        let outcome = self
            .stages
            .time(name, || catch_unwind(AssertUnwindSafe(work)));
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failed(name, &error.to_string())),
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                Err(self.failed(name, &format!("it panicked: {text}")))
            }
        }
    }

    /// The error for a stage that failed. The module is kept: Cargo's own file is overwritten by the next build.
    fn failed(&self, stage: &str, cause: &str) -> Failure {
        let kept = match finish::write(self.kept, self.input) {
            Ok(()) => self.kept,
            Err(_) => self.file,
        };
        let kept = report::relative(kept);
        let again = match stage {
            "lift" => format!("cargo wasmir lift {kept}"),
            "emit" => format!("cargo wasmir opt --emit wasm {kept}"),
            _ => format!("cargo wasmir opt --verify-each {kept}"),
        };
        let message = format!(
            "`{}` did not get through WasmIR: the stage `{stage}` failed",
            report::relative(self.file)
        );
        Error::ours(message)
            .cause(cause)
            .hint(format!(
                "`{again}` shows it again; `--no-wasmir` builds without WasmIR"
            ))
            .into()
    }
}

/// Sends the core module `input`, read from `file`, through WasmIR.
pub(crate) fn run(
    input: Vec<u8>,
    file: &Path,
    kept: &Path,
    request: &Request,
    stages: &mut Stages,
) -> Result<Vec<u8>> {
    let input: Arc<[u8]> = input.into();
    let mut run = Run {
        file,
        input: &input,
        kept,
        stages,
    };
    let mut module = run.stage("lift", || wasmir_lift::lift_shared(&input))?;
    run.stage("reach", || reach::run(&mut module))?;
    if request.optimise {
        run.stage("lift", || lift_bodies(&mut module))?;
        run.stage("passes", || {
            pipeline::run(&mut module, &pipeline::Options::default());
            Ok::<_, String>(())
        })?;
        run.stage("reach", || reach::run(&mut module))?;
    }
    let output = run.stage("emit", || {
        emit_module(&module, &codegen_cranelift::Options::default())
    })?;
    run.stage("validate", || wasmparser::validate(&output))?;
    Ok(output)
}

fn lift_bodies(module: &mut Module) -> std::result::Result<(), String> {
    wasmir_lift::lift_bodies(module).map_err(|(func, error)| {
        let name = wasmir_verify::function_name(module, func);
        format!("{error} in function `{name}`")
    })
}
