#![deny(warnings)]

#[wasm::effect(io)]
fn f() {}
