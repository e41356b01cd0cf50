use ledger::{Plain, Txn};

pub fn ended(plain: Plain) {
    plain.end();
}
pub fn taken_apart(plain: Plain) -> u32 {
    plain.into_id()
}
pub fn moved(plain: Plain) -> (Plain, u32) {
    let id = plain.id;
    (plain, id)
}
#[wasm::consume]
pub fn consumer(plain: Plain) -> u32 {
    plain.id
}
#[wasm::consume]
pub fn forgets(txn: Txn) {
    std::mem::forget(txn);
}
