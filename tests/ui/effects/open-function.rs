#[wasm::effect(..)]
pub fn f() {}
