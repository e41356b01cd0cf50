#[wasm::host]
extern "C" {
    fn create(kind: u32) -> u32;
}
