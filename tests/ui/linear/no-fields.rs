#[wasm::linear]
pub struct Unit;
