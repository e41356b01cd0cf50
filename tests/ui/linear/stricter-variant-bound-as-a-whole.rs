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

// rustc drops what is left of `state` through its whole type, for no field of `Failed` is moved by itself: name the fields instead.
pub enum State {
    Open(Txn),
    Failed(Txn, String),
}
pub fn f(state: State) -> State {
    match state {
        State::Open(txn) => State::Failed(txn, String::new()),
        failed @ State::Failed(..) => failed,
    }
}
