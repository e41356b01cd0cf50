#[wasm::effect(clock)]
pub mod m {
    #[wasm::effect(fs)]
    pub fn f() {}
    #[wasm::effect(net, io)]
    pub fn g() {}
}
