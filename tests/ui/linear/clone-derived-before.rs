#[derive(Clone)]
#[wasm::linear]
pub struct Canvas(wasm::Handle);
