#[wasm::export]
pub fn first<T: Clone>(items: Vec<T>) -> Option<T> {
    items.first().cloned()
}
