#[wasm::host("dom")]
extern "C" {
    fn create<T>(kind: u32) -> wasm::ExternRef<T>;
}
