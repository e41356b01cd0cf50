//! WasmIR: WasmRust's intermediate form between front ends and code generation
