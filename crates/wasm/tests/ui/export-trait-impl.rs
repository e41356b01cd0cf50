pub struct Thing;

#[wasm::export]
impl Clone for Thing {
    fn clone(&self) -> Self {
        Thing
    }
}
