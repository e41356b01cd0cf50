#[wasm::linear]
pub struct Txn {
    pub id: u32,
}
