#[wasm::host(dom)]
extern "C" {
    fn create(kind: u32) -> u32;
}
