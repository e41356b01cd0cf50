#[wasm::effect(io = true)]
pub fn f() {}
