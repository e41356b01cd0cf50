#[wasm::host("dom")]
extern "C" {
    fn set_text(text: *const u8, length: usize);
}
