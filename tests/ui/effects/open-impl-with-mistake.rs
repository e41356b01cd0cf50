pub struct S;
#[wasm::effect(..)]
impl S {
    #[wasm::effect(net, nett)]
    pub fn f(&self) {}
}
