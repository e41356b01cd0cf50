#[wasm::consume]
pub fn close() {}
