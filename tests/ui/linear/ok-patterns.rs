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

pub fn guards(slot: Option<Txn>) -> u32 {
    match slot {
        Some(txn) if txn.id > 3 => txn.commit(),
        Some(txn) if txn.id == 2 => txn.commit() + 1,
        Some(txn) => txn.commit() + 2,
        None => 0,
    }
}
pub fn let_else(result: Result<Txn, u32>) -> u32 {
    let Ok(txn) = result else { return 0 };
    txn.commit()
}
pub fn let_else_with_value(result: Result<u32, Txn>) -> u32 {
    let number = match result {
        Ok(number) => number,
        Err(txn) => return txn.commit(),
    };
    number
}
pub fn if_let(slot: Option<Txn>) -> u32 {
    if let Some(txn) = slot { txn.commit() } else { 0 }
}
pub fn or_pattern(result: Result<Txn, Txn>) -> u32 {
    let (Ok(txn) | Err(txn)) = result;
    txn.commit()
}
pub fn nested(pair: (Option<Txn>, Result<Txn, ()>)) -> u32 {
    match pair {
        (Some(a), Ok(b)) => a.commit() + b.commit(),
        (Some(a), Err(())) => a.commit(),
        (None, Ok(b)) => b.commit(),
        (None, Err(())) => 0,
    }
}
pub fn array(txns: [Txn; 3]) -> u32 {
    let [a, b, c] = txns;
    a.commit() + b.commit() + c.commit()
}
pub fn partial(pair: (Txn, Txn)) -> u32 {
    let first = pair.0.commit();
    first + pair.1.commit()
}
pub fn by_reference(txn: Txn) -> u32 {
    let Txn { id, .. } = &txn;
    let id = *id;
    id + txn.commit()
}
