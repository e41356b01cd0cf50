#[wasm::effect(MemoryGrow)]
pub fn f() {}
