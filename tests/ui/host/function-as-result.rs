#[wasm::host("dom")]
extern "C" {
    fn handler(element: &wasm::ExternRef<u8>) -> wasm::FuncRef<extern "C" fn()>;
}
