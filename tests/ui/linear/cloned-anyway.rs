#[wasm::linear]
pub struct Canvas(wasm::Handle);
pub fn f(canvas: &Canvas) -> Canvas {
    canvas.clone()
}
