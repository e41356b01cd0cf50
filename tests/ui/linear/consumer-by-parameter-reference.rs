#[wasm::linear]
pub struct Canvas(wasm::Handle);
#[wasm::consume]
pub fn close(canvas: &mut Canvas) {
    let _ = canvas;
}
