#[wasm::host("dom")]
extern "C" {
    fn set_text(element: &wasm::ExternRef<u8>, text: &str);
}
