#![deny(warnings)]

#[wasm::effect(io)]
pub fn f(x: u32) -> u32 {
    let unused = 3;
    x
}
