#[wasm::host("dom")]
#[wasm::effect(jscall)]
extern "C" {
    fn log(kind: u32);
}
