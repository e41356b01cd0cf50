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

pub fn f(txns: Vec<Txn>) -> u32 {
    for txn in txns {
        if txn.id == 3 {
            return txn.commit();
        }
        txn.commit();
    }
    0
}
