#[wasm::effect(io)]
pub type Bytes = Vec<u8>;
