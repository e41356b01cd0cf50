#[wasm::linear]
pub struct Canvas(wasm::Handle);
impl Drop for Canvas {
    fn drop(&mut self) {}
}
impl Canvas {
    #[wasm::consume]
    pub fn close(self) -> u32 {
        let Self(handle) = self;
        handle.into_raw()
    }
}
