pub struct Thing;

impl Thing {
    #[wasm::export]
    pub fn size(&self) -> u32 {
        1
    }
}
