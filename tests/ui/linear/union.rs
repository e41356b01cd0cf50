#[wasm::linear]
pub union Either {
    pub a: u32,
    pub b: f32,
}
