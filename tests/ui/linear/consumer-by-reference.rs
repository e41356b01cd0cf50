#[wasm::linear]
pub struct Canvas(wasm::Handle);
impl Canvas {
    #[wasm::consume]
    pub fn close(&self) {}
}
