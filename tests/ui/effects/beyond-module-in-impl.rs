#[wasm::effect()]
pub mod m {
    pub struct S;
    impl S {
        #[wasm::effect(fs)]
        pub fn f(&self) {}
    }
}
