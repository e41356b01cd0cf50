pub fn f() -> impl Fn() -> u32 {
    #[wasm::effect()]
    || 3
}
