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

use std::collections::{BTreeMap, VecDeque};

pub fn consume_each(txns: Vec<Txn>) -> u32 {
    let mut sum = 0;
    wasm::linear::consume_each(txns, |txn| sum += txn.commit());
    sum
}
pub fn queue(txns: &mut VecDeque<Txn>) -> u32 {
    let mut sum = 0;
    while let Some(txn) = txns.pop_front() {
        sum += txn.commit();
    }
    sum
}
pub fn map(txns: &mut BTreeMap<u32, Option<Txn>>) -> u32 {
    txns.get_mut(&1).and_then(Option::take).map_or(0, Txn::commit)
}
pub fn unboxed(txn: Box<Txn>) -> u32 {
    let txn = *txn;
    txn.commit()
}
#[wasm::linear]
pub struct Batch {
    pub name: String,
    pub txns: Vec<Txn>,
}
impl Batch {
    #[wasm::consume]
    pub fn commit(self) -> u32 {
        let Batch { name, txns } = self;
        let mut sum = name.len() as u32;
        wasm::linear::consume_each(txns, |txn| sum += txn.commit());
        sum
    }
}
