#[wasm::linear]
#[derive(Clone, Copy)]
pub struct Canvas(wasm::Handle);
