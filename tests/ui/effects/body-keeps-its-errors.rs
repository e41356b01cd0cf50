#[wasm::effect(io)]
pub fn f(x: u32) -> u32 {
    let y = x + missing;
    y
}
