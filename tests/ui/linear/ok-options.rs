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

pub fn take(slot: &mut Option<Txn>) -> u32 {
    match slot.take() {
        Some(txn) => txn.commit(),
        None => 0,
    }
}
pub fn take_and_end() -> u32 {
    let mut slot = Some(Txn::new(1));
    let mut sum = 0;
    if let Some(txn) = slot.take() {
        sum = txn.commit();
    }
    wasm::linear::assert_none(slot);
    sum
}
pub fn combinators(slot: Option<Txn>, other: Option<Txn>) -> u32 {
    slot.map_or(0, Txn::commit) + other.map(Txn::commit).unwrap_or(3)
}
pub fn results(result: Result<Txn, String>) -> Result<u32, String> {
    result.map(|txn| txn.commit())
}
pub fn question_mark(result: Result<Txn, String>) -> Result<u32, String> {
    Ok(result?.commit())
}
pub fn unwrap(slot: Option<Txn>, result: Result<Txn, String>) -> u32 {
    slot.unwrap().commit() + result.expect("a transaction").commit()
}
pub fn ok_or(slot: Option<Txn>) -> Result<u32, &'static str> {
    match slot.ok_or("none") {
        Ok(txn) => Ok(txn.commit()),
        Err(error) => Err(error),
    }
}
pub fn replace(txn: &mut Txn) -> u32 {
    std::mem::replace(txn, Txn::new(9)).commit()
}
pub fn swap(mut a: Txn, mut b: Txn) -> u32 {
    std::mem::swap(&mut a, &mut b);
    a.commit() - b.commit()
}
