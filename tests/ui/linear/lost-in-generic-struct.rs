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

pub struct Cache<T> {
    pub value: T,
    pub hits: u32,
}
impl<T> Cache<T> {
    fn hits(self) -> u32 {
        self.hits
    }
}
pub fn f(cache: Cache<Txn>) -> u32 {
    cache.hits()
}
