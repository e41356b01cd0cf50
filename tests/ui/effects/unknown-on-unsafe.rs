#[wasm::effect(envv)]
pub unsafe fn f() {}
