#[wasm::host("dom")]
extern "C" {
    static BODY: u32;
}
