#[wasm::effect(memory)]
pub fn f() -> Vec<u8> {
    Vec::new()
}
