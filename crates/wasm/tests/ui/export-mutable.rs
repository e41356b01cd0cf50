#[wasm::export]
pub fn sort(numbers: &mut Vec<u32>) {
    numbers.sort();
}
