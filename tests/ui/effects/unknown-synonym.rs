#[wasm::effect(network, filesystem, time, rand)]
pub fn f() {}
