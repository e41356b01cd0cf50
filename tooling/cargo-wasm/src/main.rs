//! cargo wasm: build, run, test and inspect WebAssembly components
fn main() {}
