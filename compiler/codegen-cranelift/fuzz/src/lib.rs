//! What the fuzz targets run: the same functions that the tests run with fixed seeds.

#[path = "../../tests/support/targets.rs"]
mod targets;

/// Modules and objects in WebAssembly's binary form.
pub fn wasm(bytes: &[u8]) {
    targets::wasm(bytes);
}

/// Modules and objects in WasmIR's text form.
pub fn wir(text: &str) {
    targets::wir(text);
}
