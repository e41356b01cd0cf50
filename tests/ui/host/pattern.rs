#[wasm::host("dom")]
extern "C" {
    fn log((a, b): (u32, u32));
}
