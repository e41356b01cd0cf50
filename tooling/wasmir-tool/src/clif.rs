//! `.clif` files: read, and made one module by the library (`codegen_cranelift::standalone`).

use crate::error::{Error, Result};
use crate::fault;
use codegen_cranelift::MidEnd;
use codegen_cranelift::standalone::{Functions, emit_functions};
use cranelift_codegen::ir::Function;
use cranelift_reader::{ParseOptions, TestFile, parse_test};
use std::path::Path;

/// Parses a file, with or without `test` lines.
pub(crate) fn parse<'a>(path: &Path, text: &'a str) -> Result<TestFile<'a>> {
    fault::begin("parse", path);
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

/// Generates a module.
pub(crate) fn generate(path: &Path, funcs: &[Function]) -> Result<Functions> {
    fault::begin("codegen", path);
    emit_functions(funcs, MidEnd::All).map_err(|e| Error::Stage {
        path: path.into(),
        stage: "generate code for",
        message: e.to_string(),
    })
}
