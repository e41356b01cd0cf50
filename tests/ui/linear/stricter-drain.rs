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

// All are consumed, but the iterator could be dropped before its end: `while let Some(txn) = txns.pop()` cannot.
pub fn f(txns: &mut Vec<Txn>) {
    for txn in txns.drain(..) {
        txn.commit();
    }
}
