#[wasm::effect(io)]
pub mod m {
    #[wasm::effect(io, clock)]
    pub fn f() {}
}
