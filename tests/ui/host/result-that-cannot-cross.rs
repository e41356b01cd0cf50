#[wasm::host("dom")]
extern "C" {
    fn text(element: &wasm::ExternRef<u8>) -> String;
}
