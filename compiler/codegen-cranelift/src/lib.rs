//! WasmIR to WebAssembly through Cranelift's mid-end
