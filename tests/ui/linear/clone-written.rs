#[wasm::linear]
pub struct Canvas(wasm::Handle);
impl Clone for Canvas {
    fn clone(&self) -> Self {
        Canvas(wasm::Handle::from_raw(self.0.as_raw()))
    }
}
