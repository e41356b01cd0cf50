#[wasm::effect(iow, js_cal, io, io)]
pub fn f() {}
