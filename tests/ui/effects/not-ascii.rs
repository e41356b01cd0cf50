#[wasm::effect(größe)]
pub fn f() {}
