#[wasm::effect()]
pub const X: u32 = 3;
