//! Lifts WebAssembly modules and relocatable objects to WasmIR
