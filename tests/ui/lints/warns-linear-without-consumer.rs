#[wasm::linear]
pub struct Canvas(pub wasm::Handle);

impl Canvas {
    pub fn open() -> Canvas {
        Canvas(wasm::Handle::from_raw(1))
    }
    pub fn resized(self) -> Canvas {
        self
    }
}
