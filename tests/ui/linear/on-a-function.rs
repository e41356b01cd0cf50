#[wasm::linear]
pub fn f() {}
