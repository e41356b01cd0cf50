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

// A static is never dropped, but rustc generates what would drop it: keep the values elsewhere.
use std::sync::Mutex;
static CURRENT: Mutex<Option<Txn>> = Mutex::new(None);
pub fn f() -> u32 {
    match CURRENT.lock().unwrap().take() {
        Some(txn) => txn.commit(),
        None => 0,
    }
}
