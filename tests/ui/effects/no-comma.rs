#[wasm::effect(io clock)]
pub fn f() {}
