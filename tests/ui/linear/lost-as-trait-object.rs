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

// Only `end` is called here, but whoever has a trait object can drop it: use an enum or a generic function.
pub trait End {
    fn end(self: Box<Self>) -> u32;
}
impl End for Txn {
    fn end(self: Box<Self>) -> u32 {
        (*self).commit()
    }
}
pub fn f(txn: Box<Txn>) -> u32 {
    let end: Box<dyn End> = txn;
    end.end()
}
