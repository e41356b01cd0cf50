//! Core modules: WASI 0.1 commands, and libraries whose exported functions take and return numbers.

use wasmtime::{
    Engine, ExternType, Func, FuncType, Instance, InstancePre, Linker, Module, Store, Val, ValType,
};
use wasmtime_wasi::p1;

use super::{
    Outcome,
    host::{self, Host},
    trap,
    value::{self, Parameter, Signature},
    within_time_limit,
};
use crate::{
    call,
    error::{Error, ImportProblem},
    exports::{self, Export},
    options::{Action, Format, Options},
};

/// What to do with an instantiated module.
enum Plan {
    Start,
    Call { name: String, arguments: Vec<Val> },
}

/// Runs or calls the module in `bytes`.
pub(super) async fn run(
    engine: &Engine,
    bytes: &[u8],
    options: &Options,
) -> Result<Outcome, Error> {
    let module = Module::from_binary(engine, bytes)
        .map_err(|error| super::invalid(&options.file, &error))?;
    let mut linker = Linker::new(engine);
    p1::add_to_linker_async(&mut linker, |host: &mut Host| &mut host.wasi)
        .map_err(|error| Error::Internal(super::chain(&error)))?;
    // A program that cannot be linked is told so before anything is said about its functions.
    let pre = linker
        .instantiate_pre(&module)
        .map_err(|error| imports_error(&module, &linker, &error, options))?;

    let is_command = matches!(module.get_export("_start"), Some(ExternType::Func(_)));
    let (plan, arguments) = match &options.action {
        Action::Run(arguments) if is_command => (Plan::Start, arguments.as_slice()),
        Action::Run(words) => match call::in_words(words) {
            Some(text) => (plan_expression(&module, text)?, [].as_slice()),
            None => (plan_words(&module, words, options)?, [].as_slice()),
        },
        Action::Invoke(text) => (plan_expression(&module, text)?, [].as_slice()),
    };

    let mut store = host::store(engine, options, arguments)?;
    within_time_limit(engine, options, execute(&pre, &mut store, plan, options)).await
}

async fn execute(
    pre: &InstancePre<Host>,
    store: &mut Store<Host>,
    plan: Plan,
    options: &Options,
) -> Result<Outcome, Error> {
    let instance = match pre.instantiate_async(&mut *store).await {
        Ok(instance) => instance,
        Err(error) => return super::start_failed(&error, store, options),
    };
    match plan {
        Plan::Start => match call(&instance, store, "_start", &[], options).await? {
            Ended::Returned(_) => Ok(Outcome::Exited(0)),
            Ended::Exited(code) => Ok(Outcome::Exited(code)),
        },
        Plan::Call { name, arguments } => {
            // A reactor sets itself up in `_initialize`, before its first function is called.
            if instance.get_func(&mut *store, "_initialize").is_some()
                && let Ended::Exited(code) =
                    call(&instance, store, "_initialize", &[], options).await?
            {
                return Ok(Outcome::Exited(code));
            }
            match call(&instance, store, &name, &arguments, options).await? {
                Ended::Returned(results) => Ok(Outcome::Returned(print(&results, options.format)?)),
                Ended::Exited(code) => Ok(Outcome::Exited(code)),
            }
        }
    }
}

enum Ended {
    Returned(Vec<Val>),
    Exited(i32),
}

async fn call(
    instance: &Instance,
    store: &mut Store<Host>,
    name: &str,
    arguments: &[Val],
    options: &Options,
) -> Result<Ended, Error> {
    let start = |detail: &str| Error::Start {
        path: options.file.clone(),
        detail: detail.to_owned(),
        memory_refused: None,
    };
    let func: Func = instance
        .get_func(&mut *store, name)
        .ok_or_else(|| start("an exported function disappeared"))?;
    let ty = func.ty(&*store);
    if ty.params().len() != arguments.len() {
        return Err(start(&format!(
            "the export `{name}` should take no parameters"
        )));
    }
    let mut results = vec![Val::I32(0); ty.results().len()];
    match func.call_async(&mut *store, arguments, &mut results).await {
        Ok(()) => Ok(Ended::Returned(results)),
        Err(error) => match trap::explain(&error, &*store, options)? {
            Outcome::Exited(code) => Ok(Ended::Exited(code)),
            Outcome::Returned(_) => Ok(Ended::Returned(Vec::new())),
        },
    }
}

/// Which imports are missing; the engine's own words when it is not that.
fn imports_error(
    module: &Module,
    linker: &Linker<Host>,
    error: &wasmtime::Error,
    options: &Options,
) -> Error {
    // Whether a definition exists can only be asked with a store; one without the user's grants will do.
    let Ok(mut store) = host::store(module.engine(), &Options::new(&options.file), &[]) else {
        return Error::Internal(super::chain(error));
    };
    let problems: Vec<ImportProblem> = module
        .imports()
        .filter(|import| linker.get_by_import(&mut store, import).is_none())
        .map(|import| ImportProblem {
            name: format!("{}#{}", import.module(), import.name()),
            needs: provider(import.module()),
        })
        .collect();
    if problems.is_empty() {
        return Error::Start {
            path: options.file.clone(),
            detail: super::chain(error),
            memory_refused: None,
        };
    }
    Error::Imports {
        path: options.file.clone(),
        problems,
    }
}

/// Who would provide a core import module.
fn provider(module: &str) -> Option<&'static str> {
    match module {
        "wasi_snapshot_preview1" => Some("a newer WASI 0.1"),
        "wasi_unstable" => Some("the snapshot of WASI before 0.1; build with a newer compiler"),
        "wasi" => Some("a host with threads"),
        "env" => Some(
            "the C or JavaScript host it was linked for; a symbol left undefined at link time ends up here too",
        ),
        "wbg" | "__wbindgen_placeholder__" | "__wbindgen_externref_xform__" => {
            Some("JavaScript made by wasm-bindgen; run it in a browser or in Node")
        }
        _ if module.starts_with("[export]")
            || module.starts_with("cm32p2")
            || module.contains(':') =>
        {
            Some("to become a component first: `cargo wasm componentize`")
        }
        _ => None,
    }
}

fn plan_words(module: &Module, words: &[String], options: &Options) -> Result<Plan, Error> {
    let functions = functions(module);
    let Some((word, rest)) = words.split_first() else {
        return Err(Error::NoFunction {
            path: options.file.clone(),
            exports: exports::list(&exports_of(&functions)),
        });
    };
    let function = find(&functions, word)?;
    let parameters = parameters(&function.ty);
    let text = function.export.describe();
    let signature = Signature {
        parameters: &parameters,
        text: &text,
    };
    Ok(Plan::Call {
        name: function.export.name.clone(),
        arguments: value::parse_words(rest, &signature)?,
    })
}

fn plan_expression(module: &Module, text: &str) -> Result<Plan, Error> {
    let functions = functions(module);
    let calls = call::parse(text)?;
    if let Some(second) = calls.get(1) {
        return Err(Error::Value {
            reason: "a core module has no methods".to_owned(),
            text: text.to_owned(),
            span: second.name.clone(),
            expected: "only components have resources".to_owned(),
            signature: None,
        });
    }
    let function = find(&functions, &text[calls[0].name.clone()])?;
    let parameters = parameters(&function.ty);
    let described = function.export.describe();
    let signature = Signature {
        parameters: &parameters,
        text: &described,
    };
    Ok(Plan::Call {
        name: function.export.name.clone(),
        arguments: value::parse_call(text, calls[0].arguments.clone(), &signature)?,
    })
}

struct Function {
    export: Export,
    ty: FuncType,
}

fn functions(module: &Module) -> Vec<Function> {
    module
        .exports()
        .filter_map(|export| match export.ty() {
            ExternType::Func(ty) => Some(Function {
                export: Export {
                    interface: None,
                    name: export.name().to_owned(),
                    signature: signature(&ty),
                },
                ty,
            }),
            _ => None,
        })
        .collect()
}

fn exports_of(functions: &[Function]) -> Vec<Export> {
    functions
        .iter()
        .map(|function| function.export.clone())
        .collect()
}

fn find<'a>(functions: &'a [Function], word: &str) -> Result<&'a Function, Error> {
    let index = exports::find(&exports_of(functions), word)?;
    Ok(&functions[index])
}

fn signature(ty: &FuncType) -> String {
    let list = |types: &mut dyn Iterator<Item = ValType>| {
        types
            .map(|ty| ty.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let parameters = list(&mut ty.params());
    match ty.results().len() {
        0 => format!("({parameters})"),
        1 => format!("({parameters}) -> {}", list(&mut ty.results())),
        _ => format!("({parameters}) -> ({})", list(&mut ty.results())),
    }
}

fn parameters(ty: &FuncType) -> Vec<Parameter<ValType>> {
    ty.params()
        .enumerate()
        .map(|(index, ty)| Parameter {
            name: format!("argument {}", index + 1),
            definition: ty.to_string(),
            text: ty.to_string(),
            ty,
        })
        .collect()
}

/// The results: nothing, the value, or a tuple of values. JSON has the same form for numbers, and arrays for tuples.
fn print(results: &[Val], format: Format) -> Result<Vec<u8>, Error> {
    let values = results
        .iter()
        .map(|value| match value {
            // The text form knows numbers and vectors only.
            number @ (Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_)) => {
                value::wave(number)
            }
            _ => Err(Error::Unsupported(
                "the result is a reference, which has no text form".to_owned(),
            )),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let quote = |value: &String| match (format, value.as_str()) {
        // Not a number in JSON.
        (Format::Json, "nan" | "inf" | "-inf") => format!("\"{value}\""),
        (Format::Json, tuple) => tuple.replace('(', "[").replace(')', "]"),
        _ => value.clone(),
    };
    let values: Vec<String> = values.iter().map(quote).collect();
    let text = match values.as_slice() {
        [] => return Ok(Vec::new()),
        [value] => format!("{value}\n"),
        values if format == Format::Json => format!("[{}]\n", values.join(", ")),
        values => format!("({})\n", values.join(", ")),
    };
    Ok(text.into_bytes())
}
