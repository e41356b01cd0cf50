#[wasm::linear]
#[derive(Debug, Clone)]
pub struct Canvas(wasm::Handle);
