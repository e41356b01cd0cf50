#[wasm::effect(io)]
#[wasm::effect(clock)]
pub fn f() {}
