#[wasm::effect(io)]
pub mod m {
    #[wasm::effect(oi)]
    pub fn f() {}
}
