#[wasm::effect(wasm::io)]
pub fn f() {}
