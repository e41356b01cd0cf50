#[wasm::effect(io)]
macro_rules! nothing {
    () => {};
}
nothing!();
