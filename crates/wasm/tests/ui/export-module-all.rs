#[wasm::export]
pub mod things {
    pub fn generic<T>(_: T) {}

    pub async fn later() {}

    #[wasm::export]
    pub trait Nope {}

    fn hidden<T>(_: T) {}

    pub fn fine() {
        hidden(1);
    }
}
