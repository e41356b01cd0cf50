#[allow(wasm_linear_without_consumer)]
#[wasm::linear]
pub struct Canvas(pub wasm::Handle);
