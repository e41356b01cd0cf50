#[wasm::effect(io)]
pub enum E {
    A,
}
