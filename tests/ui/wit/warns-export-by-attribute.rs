#[wasm::export]
pub fn area(width: u32, height: u64) -> u64 {
    u64::from(width) * height
}
