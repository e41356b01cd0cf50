#[wasm::effect(5)]
pub fn f() {}
