#[wasm::linear]
pub struct Guarded<T> {
    #[linear]
    pub value: Vec<T>,
}
