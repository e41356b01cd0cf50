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

pub struct Pair {
    pub first: Txn,
    pub second: Txn,
}
pub fn f(pair: Pair) -> u32 {
    let Pair { first, .. } = pair;
    first.commit()
}
