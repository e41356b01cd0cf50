#[wasm::host("dom")]
extern "C" {
    fn remove(element: wasm::ExternRef<u8>);
}
