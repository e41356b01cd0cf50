#[wasm::linear]
pub struct Guarded<T> {
    pub value: T,
    open: wasm::linear::Token<Guarded<T>>,
}
pub fn f(guarded: Guarded<u8>) -> u8 {
    guarded.value
}
