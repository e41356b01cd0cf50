pub struct S;
impl S {
    #[wasm::effect(atomic_red)]
    pub fn f(&self) {}
}
