#[wasm::effect(fs)]
pub trait Store {
    #[wasm::effect(fs, net)]
    fn get(&self) -> u32;
}
