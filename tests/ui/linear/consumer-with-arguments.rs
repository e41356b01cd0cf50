#[wasm::consume(self)]
pub fn close(value: u32) -> u32 {
    value
}
