#[wasm::import]
#[wasm::effect(thraed)]
fn f(x: u32) -> u32;
