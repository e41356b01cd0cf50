pub struct S;
impl Drop for S {
    #[wasm::effect(hosts)]
    fn drop(&mut self) {}
}
