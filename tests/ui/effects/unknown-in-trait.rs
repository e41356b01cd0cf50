#[wasm::effect(..)]
pub trait T {
    #[wasm::effect(radnom)]
    fn f(&self);
}
