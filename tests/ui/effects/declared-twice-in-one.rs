#[wasm::effect(io, clock, io)]
pub fn f() {}
