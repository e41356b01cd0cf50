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

// The option is empty when it goes out of scope, but its type does not show it: `wasm::linear::assert_none` ends it.
pub fn f() -> u32 {
    let mut slot = Some(Txn::new(1));
    slot.take().map_or(0, Txn::commit)
}
