#[wasm::import]
pub mod files {
    #[wasm::effect(..)]
    pub struct File;
}
