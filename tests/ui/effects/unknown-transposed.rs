#[wasm::effect(io, clcok)]
pub fn f() {}
