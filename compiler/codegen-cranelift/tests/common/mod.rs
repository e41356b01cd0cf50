//! Builds modules from CLIF text and runs them in wasmtime.

use codegen_cranelift::MidEnd;
use codegen_cranelift::standalone::emit_functions;
use codegen_cranelift::values::{Value, flatten, unflatten};
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{Function, Signature};
use wasmtime::Val;

/// Emits the functions as one module, which must be valid.
pub(crate) fn build(funcs: &[Function], mid_end: MidEnd) -> Vec<u8> {
    let bytes = emit_functions(funcs, mid_end)
        .unwrap_or_else(|e| {
            let clif: Vec<String> = funcs.iter().map(|f| f.display().to_string()).collect();
            panic!("{e}\n{}", clif.join("\n"))
        })
        .wasm;
    let mut validator = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all());
    if let Err(e) = validator.validate_all(&bytes) {
        let text = wasmprinter::print_bytes(&bytes).unwrap_or_else(|e| e.to_string());
        let clif: Vec<String> = funcs.iter().map(|f| f.display().to_string()).collect();
        panic!("invalid module: {e}\n{text}\n{}", clif.join("\n"));
    }
    bytes
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

fn of_wasmtime(value: Val) -> Value {
    match value {
        Val::I32(v) => Value::I32(v),
        Val::I64(v) => Value::I64(v),
        Val::F32(v) => Value::F32(v),
        Val::F64(v) => Value::F64(v),
        Val::V128(v) => Value::V128(v.as_u128()),
        other => panic!("a function of CLIF returned {other:?}"),
    }
}

/// A module that runs.
pub(crate) struct Running {
    store: wasmtime::Store<()>,
    instance: wasmtime::Instance,
}

impl Running {
    /// Compiles and instantiates.
    pub(crate) fn new(bytes: &[u8]) -> Running {
        let mut config = wasmtime::Config::new();
        config.wasm_tail_call(true);
        config.consume_fuel(true);
        let engine = wasmtime::Engine::new(&config).unwrap();
        let module = wasmtime::Module::new(&engine, bytes).unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        store.set_fuel(u64::MAX).unwrap();
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
        Running { store, instance }
    }

    /// Calls an exported function; a trap is an `Err`.
    pub(crate) fn call(
        &mut self,
        name: &str,
        sig: &Signature,
        args: &[DataValue],
    ) -> Result<Vec<DataValue>, String> {
        let f = self
            .instance
            .get_func(&mut self.store, name)
            .ok_or_else(|| format!("no function {name}"))?;
        let flat = flatten(args).unwrap_or_else(|e| panic!("{e}"));
        let flat: Vec<Val> = flat.into_iter().map(to_wasmtime).collect();
        let count = f.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); count];
        self.store.set_fuel(10_000_000).unwrap();
        f.call(&mut self.store, &flat, &mut results)
            .map_err(|e| format!("trap: {e:?}"))?;
        let types = sig.returns.iter().map(|p| p.value_type);
        let results = unflatten(types, results.into_iter().map(of_wasmtime));
        Ok(results.unwrap_or_else(|e| panic!("{e}")))
    }
}
