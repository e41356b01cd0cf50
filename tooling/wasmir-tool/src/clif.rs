//! `.clif` files: functions become one module, function `k` being `u0:k`, exported under its name and
//! in slot `k` of table 0; global 0 is the shadow stack's pointer and memory 0 has one page.

use crate::error::{Error, Result};
use codegen_cranelift::env::Standalone;
use codegen_cranelift::{Emitter, select};
use cranelift_codegen::ir::Function;
use cranelift_reader::{ParseOptions, TestFile, parse_test};
use std::path::Path;
use wasm_encoder::*;

/// Where the shadow stack starts: the middle of the one page.
const STACK_TOP: i32 = 0x8000;

/// Parses a file, with or without `test` lines.
pub(crate) fn parse<'a>(path: &Path, text: &'a str) -> Result<TestFile<'a>> {
    parse_test(text, ParseOptions::default()).map_err(|e| Error::Stage {
        path: path.into(),
        stage: "parse",
        message: e.to_string(),
    })
}

/// The functions of a file.
pub(crate) fn functions(file: &TestFile<'_>) -> Vec<Function> {
    file.functions.iter().map(|(f, _)| f.clone()).collect()
}

/// What is made of a file's functions.
pub(crate) struct Generated {
    /// The module.
    pub(crate) wasm: Vec<u8>,
    /// The functions after the mid-end.
    pub(crate) clif: String,
}

/// Generates a module.
pub(crate) fn generate(path: &Path, funcs: &[Function]) -> Result<Generated> {
    let fail = |message: String| Error::Stage {
        path: path.into(),
        stage: "generate code for",
        message,
    };
    let mut env = Standalone {
        stack_pointer: Some(0),
        ..Standalone::default()
    };
    let mut functions = FunctionSection::new();
    for func in funcs {
        let signatures = std::iter::once(&func.signature).chain(func.dfg.signatures.values());
        for (i, signature) in signatures.enumerate() {
            let list = |params: &[cranelift_codegen::ir::AbiParam]| {
                select::abi_types(params).map_err(|kind| {
                    let function = func.name.to_string();
                    fail(codegen_cranelift::Error { function, kind }.to_string())
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
    let mut clif = String::new();
    for (i, func) in funcs.iter().enumerate() {
        let body = emitter
            .emit(func.clone(), &env)
            .map_err(|e| fail(e.to_string()))?;
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
    Ok(Generated {
        wasm: module.finish(),
        clif,
    })
}

/// A function's name without its mark.
pub(crate) fn name(func: &Function) -> String {
    func.name.to_string().trim_start_matches('%').to_owned()
}
