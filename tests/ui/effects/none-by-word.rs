#[wasm::effect(none)]
pub fn f() {}
