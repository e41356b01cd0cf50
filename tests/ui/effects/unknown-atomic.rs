#[wasm::effect(atomic)]
pub fn f() {}
