#[wasm::host("dom")]
fn create(kind: u32) -> u32 {
    kind
}
