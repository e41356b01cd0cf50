#[wasm::linear(affine)]
pub struct Canvas(wasm::Handle);
