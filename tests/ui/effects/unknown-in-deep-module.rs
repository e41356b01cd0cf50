#[wasm::effect(..)]
pub mod a {
    pub mod b {
        pub mod c {
            #[wasm::effect(js)]
            pub fn f() {}
        }
    }
}
