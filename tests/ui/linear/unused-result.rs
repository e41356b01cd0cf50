#![deny(unused_must_use)]

#[wasm::linear]
pub struct Canvas(wasm::Handle);
pub fn make() -> Canvas {
    Canvas(wasm::Handle::from_raw(1))
}
pub fn f() {
    make();
}
