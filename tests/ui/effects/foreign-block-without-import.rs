#[wasm::effect(fs)]
unsafe extern "C" {
    pub fn get(x: u32) -> u32;
}
