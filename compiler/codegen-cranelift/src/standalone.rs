//! Functions of CLIF, as text files have them, as one module that can be run.
//!
//! Function `k` is `u0:k`, exported under its name and in slot `k` of table 0; global 0 is the shadow stack's pointer,
//! and memory 0, exported as `memory`, has one page. No module of WasmIR stands behind it, so symbols, imports and data
//! are out of reach.

use crate::emit::Emitter;
use crate::env::Standalone;
use crate::error::Error;
use crate::optimize::MidEnd;
use crate::select;
use cranelift_codegen::ir::{AbiParam, Function};
use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection, FunctionSection,
    GlobalSection, GlobalType, MemorySection, MemoryType, Module, RefType, TableSection, TableType,
    TypeSection, ValType,
};

/// Where the shadow stack starts: the middle of the one page.
const STACK_TOP: i32 = 0x8000;

/// What is made of functions.
#[derive(Clone, Debug)]
pub struct Functions {
    /// The module; not validated.
    pub wasm: Vec<u8>,
    /// The functions after the mid-end, as text.
    pub clif: String,
}

/// A function's name without its mark.
pub fn name(func: &Function) -> String {
    func.name.to_string().trim_start_matches('%').to_owned()
}

/// Emits the functions as one module, through Cranelift's mid-end as `mid_end` says.
///
/// # Errors
/// The first function that cannot be emitted.
pub fn emit_functions(funcs: &[Function], mid_end: MidEnd) -> Result<Functions, Error> {
    let mut env = Standalone {
        stack_pointer: Some(0),
        ..Standalone::default()
    };
    let mut functions = FunctionSection::new();
    for func in funcs {
        let signatures = std::iter::once(&func.signature).chain(func.dfg.signatures.values());
        for (i, signature) in signatures.enumerate() {
            let list = |params: &[AbiParam]| {
                select::abi_types(params).map_err(|kind| Error {
                    function: func.name.to_string(),
                    kind,
                })
            };
            let ty = (list(&signature.params)?, list(&signature.returns)?);
            let index = env
                .types
                .iter()
                .position(|known| *known == ty)
                .unwrap_or_else(|| {
                    env.types.push(ty);
                    env.types.len() - 1
                });
            if i == 0 {
                functions.function(index as u32);
            }
        }
    }
    let (mut code, mut exports) = (CodeSection::new(), ExportSection::new());
    let mut emitter = Emitter::new();
    emitter.mid_end = mid_end;
    let mut clif = String::new();
    for (i, func) in funcs.iter().enumerate() {
        let body = emitter.emit(func.clone(), &env)?;
        code.raw(&body.bytes);
        clif.push_str(&emitter.clif());
        clif.push('\n');
        exports.export(&name(func), ExportKind::Func, i as u32);
    }
    exports.export("memory", ExportKind::Memory, 0);
    let mut types = TypeSection::new();
    for (params, results) in &env.types {
        types
            .ty()
            .function(params.iter().copied(), results.iter().copied());
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
    let mut globals = GlobalSection::new();
    let pointer = GlobalType {
        val_type: ValType::I32,
        mutable: true,
        shared: false,
    };
    globals.global(pointer, &ConstExpr::i32_const(STACK_TOP));
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (0..funcs.len() as u32).collect();
    elements.active(
        None,
        &ConstExpr::i32_const(0),
        Elements::Functions(all.into()),
    );
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(&code);
    Ok(Functions {
        wasm: module.finish(),
        clif,
    })
}
