pub trait Store {
    #[wasm::effect(fs)]
    fn get(&self) -> u32;
}
