#[wasm::effect(io, fs)]
pub mod m {
    #[wasm::effect(io)]
    pub mod inner {
        #[wasm::effect(fs)]
        pub fn f() {}
    }
}
