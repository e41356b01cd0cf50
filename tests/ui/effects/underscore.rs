#[wasm::effect(_)]
pub fn f() {}
