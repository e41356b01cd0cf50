pub struct S;
#[wasm::effect(clock)]
impl S {
    #[wasm::effect(random)]
    pub fn f(&self) {}
}
