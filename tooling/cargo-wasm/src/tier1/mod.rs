//! Dev builds: the module that rustc left unoptimised, through WasmIR; and what any build asks of WasmIR.
//!
//! # Input, output
//! A core module as Cargo linked it. The same program: lifted, reduced to what its exports reach, inlined and freed of its
//! frames, emitted anew by Cranelift's mid-end; smaller, faster to load and faster to run. Names, `producers` and every
//! custom section that others read (WIT worlds among them) come through, and line tables are made anew.
//!
//! On the way declared effects are compared with what the code does (`contracts.rs`), and with `without`, code that needs the
//! named effects is cut out; what comes out is then inferred anew to show that they are gone. A release build that asks for one
//! of these is lifted too, but functions that nothing changes keep their bytes.
//!
//! # Invariants
//! * The result depends on the module and the request alone, not on the number of threads, nor on what the cache holds.
//! * Whatever goes wrong in here (a panic, too) is an error that names the stage and a command that shows it again; the
//!   caller writes no artefact then.
//!
//! # Cost
//! Linear in the size of the module; bodies are lifted and emitted in parallel, and those emitted before come from the cache.

mod clif;
pub(crate) mod contracts;

use crate::error::{Error, Failure, Result};
use crate::finish;
use crate::report;
use crate::stages::Stages;
use codegen_cranelift::{Cache, MidEnd, emit_module};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmir::passes::{externref, pipeline};
use wasmir::{FuncBody, Module, reach};
use wasmir_verify::{EffectSet, Effects, WithoutError, affected, infer, without};
use wasmparser::{Parser, Payload};

/// Finished bodies are kept up to this many bytes per target folder.
const CACHE_LIMIT: u64 = 64 << 20;

/// What to do with a module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Optimise and emit every function. Without it, functions that nothing else asks to change are copied.
    pub(crate) optimise: bool,
    /// Effects to take out.
    pub(crate) without: Vec<String>,
    /// The module in text form, as it is emitted.
    pub(crate) wir: bool,
    /// Its functions in Cranelift's form.
    pub(crate) clif: bool,
}

impl Request {
    /// Whether there is anything to do for a module that declares no effects.
    pub(crate) fn is_empty(&self) -> bool {
        !(self.changes() || self.wir || self.clif)
    }

    /// Whether the module comes out different from how it went in.
    fn changes(&self) -> bool {
        self.optimise || !self.without.is_empty()
    }
}

/// Where things are.
pub(crate) struct Places<'a> {
    /// The file that the module was read from, for messages.
    pub(crate) file: &'a Path,
    /// Where a module that we failed on is kept: Cargo's own file is overwritten by the next build.
    pub(crate) kept: PathBuf,
    /// The folder of finished bodies.
    pub(crate) cache: PathBuf,
}

/// What came out.
pub(crate) struct Made {
    /// The module.
    pub(crate) module: Vec<u8>,
    /// It as WasmIR.
    pub(crate) wir: Option<String>,
    /// Its functions in Cranelift's form.
    pub(crate) clif: Option<String>,
}

/// What stands between an input and its output.
struct Run<'a> {
    places: &'a Places<'a>,
    input: &'a [u8],
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

    /// The error for a stage that failed.
    fn failed(&self, stage: &str, cause: &str) -> Failure {
        let kept = match finish::write(&self.places.kept, self.input) {
            Ok(()) => &self.places.kept,
            Err(_) => self.places.file,
        };
        let kept = report::relative(kept);
        let again = match stage {
            "lift" => format!("cargo wasmir lift {kept}"),
            "emit" | "validate" => format!("cargo wasmir opt --emit wasm {kept}"),
            "effects" => format!("cargo wasm effects {kept}"),
            _ => format!("cargo wasmir opt --verify-each {kept}"),
        };
        let message = format!(
            "`{}` did not get through WasmIR: the stage `{stage}` failed",
            report::relative(self.places.file)
        );
        Error::ours(message)
            .cause(cause)
            .hint(format!(
                "`{again}` shows it again; `--no-wasmir` builds without WasmIR"
            ))
            .into()
    }
}

/// Sends the core module `input` through WasmIR.
pub(crate) fn run(
    input: Vec<u8>,
    places: &Places<'_>,
    request: &Request,
    stages: &mut Stages,
) -> Result<Made> {
    let input: Arc<[u8]> = input.into();
    let mut run = Run {
        places,
        input: &input,
        stages,
    };
    let mut module = run.stage("lift", || wasmir_lift::lift_shared(&input))?;
    let mut options = wasmir_verify::Options::default();
    // As it was linked: passes inline markers away.
    run.stages.time("effects", || {
        contracts::check(&mut module, &mut options, places.file)
    })?;
    run.stages
        .time("references", || use_references(&mut module, places.file))?;
    run.stage("reach", || reach::run(&mut module))?;
    if request.optimise {
        run.stage("lift", || lift_bodies(&mut module))?;
        run.stage("passes", || {
            pipeline::run(&mut module, &pipeline::Options::default());
            Ok::<_, String>(())
        })?;
        run.stage("reach", || reach::run(&mut module))?;
    }
    let mut unwanted = EffectSet::PURE;
    if !request.without.is_empty() {
        // What a panic does counts here: its imports are to go as well.
        options.panics = true;
        unwanted = run.stages.time("effects", || {
            take_out(&mut module, &options, request, places)
        })?;
        run.stage("reach", || reach::run(&mut module))?;
    }
    if !request.optimise {
        // Of no use once it was checked, as debug information is in a release build.
        module
            .customs
            .retain(|section| section.name != wasmir_verify::SECTION);
    }
    if request.clif || (request.wir && !request.optimise) {
        let mut shown = module.clone();
        run.stage("lift", || lift_bodies(&mut shown))?;
        let wir = request
            .wir
            .then(|| wasmir::print_module(&shown).to_string());
        let clif = match request.clif {
            true => Some(run.stage("print", || clif::print(&shown))?),
            false => None,
        };
        return Ok(Made {
            module: emitted(&mut run, &module, request, unwanted, &options)?,
            wir,
            clif,
        });
    }
    let wir = request
        .wir
        .then(|| wasmir::print_module(&module).to_string());
    Ok(Made {
        module: emitted(&mut run, &module, request, unwanted, &options)?,
        wir,
        clif: None,
    })
}

/// Makes reference types of the slot numbers by which `crates/wasm` speaks of references.
fn use_references(module: &mut Module, file: &Path) -> Result<()> {
    externref::run(module).map(drop).map_err(|malformed| {
        let list: Vec<String> = malformed.iter().map(ToString::to_string).collect();
        Error::user(format!(
            "`{}` has imports over references that no host can satisfy",
            report::relative(file)
        ))
        .cause(list.join("; "))
        .hint("write them with `#[wasm::host]`, which gives them their names and types")
        .into()
    })
}

/// Whether a module has anything for [`run`] to do that nobody asked for: declarations to check, references to make.
pub(crate) fn is_called_for(bytes: &[u8]) -> bool {
    finish::has_section(bytes, wasmir_verify::SECTION) || imports_references(bytes)
}

fn imports_references(bytes: &[u8]) -> bool {
    let imports = |payload| match payload {
        Ok(Payload::ImportSection(imports)) => Some(imports),
        _ => None,
    };
    Parser::new(0)
        .parse_all(bytes)
        .find_map(imports)
        .is_some_and(|imports| {
            let mut imports = imports.into_imports();
            imports.any(|import| {
                import.is_ok_and(|i| externref::is_reference_import(i.module, i.name))
            })
        })
}

/// The module's bytes: emitted and proved, or as they came when nothing was changed.
fn emitted(
    run: &mut Run<'_>,
    module: &Module,
    request: &Request,
    unwanted: EffectSet,
    options: &wasmir_verify::Options,
) -> Result<Vec<u8>> {
    if !request.changes() && !is_called_for(run.input) {
        return Ok(run.input.to_vec());
    }
    let cache = request
        .optimise
        .then(|| Arc::new(Cache::open(&run.places.cache, CACHE_LIMIT)));
    let how = codegen_cranelift::Options {
        mid_end: MidEnd::DEV_BUILD,
        cache: cache.clone(),
        ..codegen_cranelift::Options::default()
    };
    let output = run.stage("emit", || emit_module(module, &how))?;
    run.stage("validate", || finish::validate_core(&output))?;
    if !unwanted.is_pure() {
        run.stage("effects", || prove(&output, unwanted, options))?;
    }
    if let Some(cache) = cache {
        // Without it, the next build takes longer, and no more.
        let _ = cache.save();
    }
    Ok(output)
}

fn lift_bodies(module: &mut Module) -> std::result::Result<(), String> {
    wasmir_lift::lift_bodies(module).map_err(|(func, error)| {
        let name = wasmir_verify::function_name(module, func);
        format!("{error} in function `{name}`")
    })
}

/// The effects of these names.
///
/// # Errors
/// Wrong usage, if one does not exist.
pub(crate) fn effect_set(names: &[String], effects: &Effects) -> Result<EffectSet> {
    let mut set = EffectSet::PURE;
    for name in names {
        let Some(effect) = effects.find(name) else {
            let known: Vec<&str> = effects.names().collect();
            return Err(Error::usage(format!("there is no effect `{name}`"))
                .hint(format!("the effects are {}", known.join(", ")))
                .into());
        };
        set.insert(effect);
    }
    Ok(set)
}

/// Takes the request's effects out of the module and returns them.
fn take_out(
    module: &mut Module,
    options: &wasmir_verify::Options,
    request: &Request,
    places: &Places<'_>,
) -> Result<EffectSet> {
    let inferred = infer(module, options)
        .map_err(|e| Error::ours("the effects cannot be inferred").because(&e))?;
    let unwanted = effect_set(&request.without, &inferred.effects)?;
    for func in affected(module, &inferred, unwanted) {
        if matches!(module.funcs[func].body, FuncBody::Raw(_)) {
            let body = wasmir_lift::lift_body(module, func)
                .map_err(|e| Error::ours("a function cannot be lifted").because(&e))?;
            module.funcs[func].body = FuncBody::Ir(Box::new(body));
        }
    }
    let removed = without(module, &inferred, unwanted).map_err(|error| {
        let message = format!(
            "`{}` cannot do without {}",
            report::relative(places.file),
            inferred.effects.list(unwanted)
        );
        let shown = Error::user(message).cause(&error);
        match &error {
            WithoutError::Needed { reason, .. } => shown.hint(format!(
                "leave `{}` out of `--without`, or give the program a way that does not need it",
                reason.effect
            )),
            _ => shown,
        }
    })?;
    report::status(
        "Removed",
        &format!(
            "{}: {} imports, {} operators",
            inferred.effects.list(unwanted),
            removed.imports,
            removed.operators
        ),
    );
    Ok(unwanted)
}

/// Shows on the emitted bytes alone that the effects are gone.
fn prove(
    output: &[u8],
    unwanted: EffectSet,
    options: &wasmir_verify::Options,
) -> std::result::Result<(), String> {
    let module = wasmir_lift::lift(output).map_err(|e| e.to_string())?;
    let inferred = infer(&module, options).map_err(|e| e.to_string())?;
    let left = inferred.all().intersection(unwanted);
    if left.is_pure() {
        return Ok(());
    }
    let reasons = left.iter().filter_map(|effect| {
        let func = module
            .funcs
            .keys()
            .find(|&f| inferred.of(f).contains(effect))?;
        wasmir_verify::reason(&module, &inferred, func, effect)
    });
    let chains: Vec<String> = reasons.map(|reason| reason.chain_text()).collect();
    Err(format!(
        "{} should be gone, but is reached: {}",
        inferred.effects.list(left),
        chains.join("; ")
    ))
}
