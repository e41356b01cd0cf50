#[wasm::consume]
pub struct Canvas(wasm::Handle);
