#![deny(warnings)]
//! The shape that the guide begins with.

#[wasm::linear]
pub struct CanvasContext(wasm::Handle);

pub struct ImageData(pub u32);

impl CanvasContext {
    pub fn draw(&mut self) {}

    pub fn into_bitmap(self) -> ImageData {
        let Self(handle) = self;
        ImageData(handle.into_raw())
    }
}

pub fn acquire_canvas() -> CanvasContext {
    CanvasContext(wasm::Handle::from_raw(1))
}

pub fn f() -> u32 {
    let mut context = acquire_canvas();
    context.draw();
    context.into_bitmap().0
}
