#[wasm::import]
pub mod files {
    #[wasm::effect(fss)]
    pub struct File;
}
