#[wasm::effect(not(io))]
pub fn f() {}
