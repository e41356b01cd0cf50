#[wasm::import]
#[wasm::effect(..)]
fn f(x: u32) -> u32;
