#[wasm::effect(fs)]
pub struct S;
