#[wasm::effect(Billing)]
pub fn f() {}
