#[wasm::linear]
pub struct Canvas(wasm::Handle<Canvas>);
#[wasm::linear]
pub struct Window {
    pub title: String,
    pub canvas: Canvas,
}
pub fn f(window: Window) -> String {
    window.title
}
