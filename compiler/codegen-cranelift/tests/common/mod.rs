//! Builds modules from CLIF text and runs them in wasmtime.

use codegen_cranelift::standalone::emit_functions;
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{Function, Signature, Type, types};

/// Emits the functions as one module, which must be valid.
pub(crate) fn build(funcs: &[Function], optimize: bool) -> Vec<u8> {
    let bytes = emit_functions(funcs, optimize)
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

fn flatten(value: &DataValue, out: &mut Vec<wasmtime::Val>) {
    use wasmtime::Val;
    match value {
        DataValue::I8(v) => out.push(Val::I32(i32::from(*v as u8))),
        DataValue::I16(v) => out.push(Val::I32(i32::from(*v as u16))),
        DataValue::I32(v) => out.push(Val::I32(*v)),
        DataValue::I64(v) => out.push(Val::I64(*v)),
        DataValue::I128(v) => {
            out.push(Val::I64(*v as i64));
            out.push(Val::I64((*v >> 64) as i64));
        }
        DataValue::F32(v) => out.push(Val::F32(v.bits())),
        DataValue::F64(v) => out.push(Val::F64(v.bits())),
        DataValue::V128(v) => out.push(Val::V128(u128::from_le_bytes(*v).into())),
        other => panic!("no wasm value for {other}"),
    }
}

fn unflatten(ty: Type, vals: &mut impl Iterator<Item = wasmtime::Val>) -> DataValue {
    let v = vals.next().unwrap();
    match ty {
        types::I8 => DataValue::I8(v.unwrap_i32() as i8),
        types::I16 => DataValue::I16(v.unwrap_i32() as i16),
        types::I32 => DataValue::I32(v.unwrap_i32()),
        types::I64 => DataValue::I64(v.unwrap_i64()),
        types::I128 => {
            let lo = v.unwrap_i64() as u64;
            let hi = vals.next().unwrap().unwrap_i64() as u64;
            DataValue::I128((u128::from(lo) | u128::from(hi) << 64) as i128)
        }
        types::F32 => DataValue::F32(cranelift_codegen::ir::immediates::Ieee32::with_bits(
            v.unwrap_f32().to_bits(),
        )),
        types::F64 => DataValue::F64(cranelift_codegen::ir::immediates::Ieee64::with_bits(
            v.unwrap_f64().to_bits(),
        )),
        _ => DataValue::V128(v.unwrap_v128().as_u128().to_le_bytes()),
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
        let mut flat = Vec::new();
        for a in args {
            flatten(a, &mut flat);
        }
        let count = f.ty(&self.store).results().len();
        let mut results = vec![wasmtime::Val::I32(0); count];
        self.store.set_fuel(10_000_000).unwrap();
        f.call(&mut self.store, &flat, &mut results)
            .map_err(|e| format!("trap: {e:?}"))?;
        let mut it = results.into_iter();
        Ok(sig
            .returns
            .iter()
            .map(|p| unflatten(p.value_type, &mut it))
            .collect())
    }
}
