#[wasm::effect(js_cal)]
pub fn f() {}
