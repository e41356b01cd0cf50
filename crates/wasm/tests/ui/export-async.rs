#[wasm::export]
pub async fn later() -> u32 {
    1
}
