#[wasm::effect(IO)]
pub fn f() {}
