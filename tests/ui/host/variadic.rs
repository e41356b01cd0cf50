#[wasm::host("dom")]
extern "C" {
    fn log(kind: u32, ...);
}
