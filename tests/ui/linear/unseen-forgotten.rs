//! What the guard cannot see: values that somebody gets rid of on purpose, without dropping them.

#[wasm::linear]
pub struct Txn {
    pub id: u32,
    open: wasm::linear::Token<Txn>,
}
impl Txn {
    pub fn new(id: u32) -> Txn {
        Txn { id, open: wasm::linear::Token::new() }
    }
    #[wasm::consume]
    pub fn commit(self) -> u32 {
        let Txn { id, open } = self;
        open.consume();
        id
    }
}

pub fn forget(txn: Txn) {
    std::mem::forget(txn);
}
pub fn manually(txn: Txn) -> u32 {
    std::mem::ManuallyDrop::new(txn).id
}
pub fn leak(txn: Box<Txn>) -> &'static mut Txn {
    Box::leak(txn)
}
fn nobody_calls_this<T>(_: T) {}
pub fn unused_instance() -> fn(u32) {
    nobody_calls_this::<u32>
}
