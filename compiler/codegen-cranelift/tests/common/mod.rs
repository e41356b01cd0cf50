//! Builds modules from CLIF text and runs them in wasmtime.

use codegen_cranelift::env::{NS_FUNC, Standalone};
use codegen_cranelift::{Emitter, select};
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{Function, Signature, Type, types};
use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection, FunctionSection,
    GlobalSection, GlobalType, MemorySection, MemoryType, Module, RefType, TableSection, TableType,
    TypeSection, ValType,
};

/// Emits the functions as one module: function `k` is `u0:k`, exported under its name and in slot `k` of table 0;
/// global 0 is the shadow stack's pointer. Memory 0 has one page.
pub(crate) fn build(funcs: &[Function], optimize: bool) -> Vec<u8> {
    let _ = NS_FUNC;
    let mut env = Standalone {
        stack_pointer: Some(0),
        ..Standalone::default()
    };
    let mut type_of = Vec::new();
    for f in funcs {
        let sigs = std::iter::once(&f.signature).chain(f.dfg.signatures.values());
        for (k, sig) in sigs.enumerate() {
            let ty = (
                select::abi_types(&sig.params).unwrap(),
                select::abi_types(&sig.returns).unwrap(),
            );
            let index = env.types.iter().position(|t| *t == ty).unwrap_or_else(|| {
                env.types.push(ty);
                env.types.len() - 1
            });
            if k == 0 {
                type_of.push(index as u32);
            }
        }
    }
    let mut types_section = TypeSection::new();
    for (params, results) in &env.types {
        types_section
            .ty()
            .function(params.iter().copied(), results.iter().copied());
    }
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let mut emitter = Emitter::new();
    emitter.optimize = optimize;
    for (i, f) in funcs.iter().enumerate() {
        functions.function(type_of[i]);
        exports.export(
            f.name.to_string().trim_start_matches('%'),
            ExportKind::Func,
            i as u32,
        );
        let body = emitter
            .emit(f.clone(), &env)
            .unwrap_or_else(|e| panic!("{e}\n{}", f.display()));
        code.raw(&body.bytes);
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: funcs.len() as u64,
        maximum: None,
        shared: false,
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    let mut globals = GlobalSection::new();
    globals.global(
        GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        },
        &ConstExpr::i32_const(0x8000),
    );
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (0..funcs.len() as u32).collect();
    elements.active(
        None,
        &ConstExpr::i32_const(0),
        Elements::Functions(all.into()),
    );
    let mut module = Module::new();
    module
        .section(&types_section)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(&code);
    let bytes = module.finish();
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
