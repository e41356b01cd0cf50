#[wasm::import]
#[wasm::effect(fs, fs)]
pub mod files {
    pub struct File;
}
