#[wasm::effect(.., io)]
pub mod m {}
