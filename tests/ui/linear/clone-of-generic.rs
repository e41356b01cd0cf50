#[wasm::linear]
pub struct Guarded<T> {
    pub value: T,
    open: wasm::linear::Token<Guarded<T>>,
}
impl<T: Clone> Clone for Guarded<T> {
    fn clone(&self) -> Self {
        Guarded { value: self.value.clone(), open: wasm::linear::Token::new() }
    }
}
