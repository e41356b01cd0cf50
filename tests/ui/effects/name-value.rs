#[wasm::effect()]
pub mod m {
    #[wasm::effect = "io"]
    pub fn f() {}
}
