#[wasm::effect(!io)]
pub fn f() {}
