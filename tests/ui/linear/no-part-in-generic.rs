#[wasm::linear]
pub struct Guarded<T> {
    pub value: T,
}
