pub struct Stack<T>(Vec<T>);

#[wasm::export]
impl<T> Stack<T> {
    pub fn new() -> Self {
        Stack(Vec::new())
    }
}
