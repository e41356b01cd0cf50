#[wasm::import]
pub mod files {
    pub struct File;
    #[wasm::effect(fs, clok)]
    impl File {
        pub fn size(&self) -> u64;
    }
}
