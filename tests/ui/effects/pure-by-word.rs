#[wasm::effect(pure)]
pub fn f() {}
