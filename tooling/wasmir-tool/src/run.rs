//! Runs code in wasmtime.

use crate::clif;
use crate::error::{Error, Result};
use crate::fault;
use codegen_cranelift::values::{Value, flatten, unflatten};
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::Signature;
use cranelift_reader::{RunCommand, parse_run_command};
use std::fmt::Write as _;
use std::path::Path;
use wasmtime::{Config, Engine, Instance, Module, Store, Val, ValType};

/// Work a run may do before it is stopped: some seconds.
const FUEL: u64 = 20_000_000_000;

/// A module that runs.
struct Running {
    store: Store<()>,
    instance: Instance,
}

impl Running {
    fn new(path: &Path, wasm: &[u8]) -> Result<Running> {
        fault::begin("run", path);
        let fail = |e: wasmtime::Error| Error::Stage {
            path: path.into(),
            stage: "instantiate",
            message: format!("{e:#}"),
        };
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).map_err(fail)?;
        let module = Module::new(&engine, wasm).map_err(fail)?;
        let mut store = Store::new(&engine, ());
        store.set_fuel(FUEL).map_err(fail)?;
        let instance = Instance::new(&mut store, &module, &[]).map_err(fail)?;
        Ok(Running { store, instance })
    }

    fn call(&mut self, name: &str, args: &[Val]) -> std::result::Result<Vec<Val>, String> {
        let func = self.instance.get_func(&mut self.store, name);
        let func = func.ok_or_else(|| format!("there is no exported function `{name}`"))?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        self.store.set_fuel(FUEL).map_err(|e| e.to_string())?;
        match func.call(&mut self.store, args, &mut results) {
            Ok(()) => Ok(results),
            Err(e) => Err(match e.downcast_ref::<wasmtime::Trap>() {
                Some(trap) => format!("trap: {trap}"),
                None => format!("{e:#}"),
            }),
        }
    }
}

/// Calls an exported function and returns its results, one in each line.
pub(crate) fn invoke(path: &Path, wasm: &[u8], name: &str, args: &[String]) -> Result<String> {
    let mut running = Running::new(path, wasm)?;
    let func = running
        .instance
        .get_func(&mut running.store, name)
        .ok_or_else(|| {
            Error::Usage(format!("`{}` exports no function `{name}`", path.display()))
        })?;
    let ty = func.ty(&running.store);
    if ty.params().len() != args.len() {
        let (want, found) = (ty.params().len(), args.len());
        return Err(Error::Usage(format!(
            "`{name}` wants {want} arguments, not {found}"
        )));
    }
    let args: Result<Vec<Val>> = ty
        .params()
        .zip(args)
        .map(|(ty, arg)| value(&ty, arg))
        .collect();
    let results = running.call(name, &args?).map_err(|message| Error::Stage {
        path: path.into(),
        stage: "run",
        message,
    })?;
    Ok(results.iter().map(|v| format!("{}\n", show(v))).collect())
}

fn value(ty: &ValType, text: &str) -> Result<Val> {
    let wrong = || Error::Usage(format!("`{text}` is no value of type `{ty}`"));
    Ok(match ty {
        ValType::I32 => {
            let value = text
                .parse::<i32>()
                .or_else(|_| text.parse::<u32>().map(|v| v as i32));
            Val::I32(value.map_err(|_| wrong())?)
        }
        ValType::I64 => {
            let value = text
                .parse::<i64>()
                .or_else(|_| text.parse::<u64>().map(|v| v as i64));
            Val::I64(value.map_err(|_| wrong())?)
        }
        ValType::F32 => Val::F32(text.parse::<f32>().map_err(|_| wrong())?.to_bits()),
        ValType::F64 => Val::F64(text.parse::<f64>().map_err(|_| wrong())?.to_bits()),
        _ => return Err(wrong()),
    })
}

fn show(value: &Val) -> String {
    match value {
        Val::I32(v) => v.to_string(),
        Val::I64(v) => v.to_string(),
        Val::F32(v) => f32::from_bits(*v).to_string(),
        Val::F64(v) => f64::from_bits(*v).to_string(),
        Val::V128(v) => format!("0x{:032x}", v.as_u128()),
        other => format!("{other:?}"),
    }
}

/// Runs the `; run:` lines of a `.clif` file; returns how many there are. A `; trap:` line is a call
/// that must trap.
pub(crate) fn clif(path: &Path, text: &str) -> Result<usize> {
    let file = clif::parse(path, text)?;
    let generated = clif::generate(path, &clif::functions(&file))?;
    let mut running = Running::new(path, &generated.wasm)?;
    let (mut runs, mut failures, mut report) = (0, 0, String::new());
    for (func, details) in &file.functions {
        let signature = &func.signature;
        for comment in &details.comments {
            let trap = comment
                .text
                .trim_start_matches([';', ' '])
                .strip_prefix("trap:");
            // The reader wants an expectation; a trap has none.
            let command = match trap {
                Some(call) => format!("run:{call} == 0"),
                None => comment.text.to_owned(),
            };
            let command = parse_run_command(&command, signature).map_err(|e| Error::Stage {
                path: path.into(),
                stage: "parse",
                message: format!("`{}`: {e}", comment.text),
            })?;
            let Some(command) = command else { continue };
            runs += 1;
            let call = |name: &str, args: &[DataValue]| call(&mut running, name, signature, args);
            let outcome = match (trap, &command) {
                (Some(_), RunCommand::Run(invocation, ..)) => {
                    let mut call = call;
                    match call(&invocation.func, &invocation.args) {
                        Err(e) if e.starts_with("trap") => Ok(()),
                        Err(e) => Err(e),
                        Ok(values) => Err(format!("gave {values:?} instead of a trap")),
                    }
                }
                _ => command.run(call),
            };
            if let Err(message) = outcome {
                failures += 1;
                let text = comment.text.trim_start_matches(';').trim();
                writeln!(report, "  {text}: {message}").map_err(|_| Error::Usage(message))?;
            }
        }
    }
    match failures {
        0 => Ok(runs),
        _ => Err(Error::Runs {
            failures,
            runs,
            report,
        }),
    }
}

fn call(
    running: &mut Running,
    name: &str,
    signature: &Signature,
    args: &[DataValue],
) -> std::result::Result<Vec<DataValue>, String> {
    let flat = flatten(args).map_err(|e| e.to_string())?;
    let flat: Vec<Val> = flat.into_iter().map(to_wasmtime).collect();
    let results = running.call(name, &flat)?;
    let results: std::result::Result<Vec<Value>, String> =
        results.into_iter().map(of_wasmtime).collect();
    let types = signature.returns.iter().map(|param| param.value_type);
    unflatten(types, results?).map_err(|e| e.to_string())
}

fn to_wasmtime(value: Value) -> Val {
    match value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(v),
        Value::F64(v) => Val::F64(v),
        Value::V128(v) => Val::V128(v.into()),
    }
}

fn of_wasmtime(value: Val) -> std::result::Result<Value, String> {
    Ok(match value {
        Val::I32(v) => Value::I32(v),
        Val::I64(v) => Value::I64(v),
        Val::F32(v) => Value::F32(v),
        Val::F64(v) => Value::F64(v),
        Val::V128(v) => Value::V128(v.as_u128()),
        other => return Err(format!("`{other:?}` is no value of Cranelift's")),
    })
}
