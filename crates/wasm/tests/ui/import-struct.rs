#[wasm::import]
pub struct Blob;
