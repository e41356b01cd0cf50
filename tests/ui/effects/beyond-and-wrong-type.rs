#[wasm::effect()]
pub mod m {
    #[wasm::effect(io)]
    pub fn f() -> u32 {
        "the user's own mistake is reported as well"
    }
}
