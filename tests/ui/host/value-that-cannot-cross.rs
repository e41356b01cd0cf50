#[wasm::host("dom")]
extern "C" {
    fn set_text(text: String, visible: bool);
}
