#[wasm::export]
pub fn count(items: impl Iterator<Item = u32>) -> u32 {
    items.sum()
}

#[wasm::export]
pub fn numbers() -> impl Iterator<Item = u32> {
    0..3
}
