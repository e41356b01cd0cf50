use ledger::Txn;

pub fn vector(txns: Vec<Txn>) -> u32 {
    let mut sum = 0;
    for txn in txns {
        sum += txn.commit();
    }
    sum
}
pub fn array(txns: [Txn; 3]) -> u32 {
    let mut sum = 0;
    for (index, txn) in txns.into_iter().enumerate() {
        sum += txn.commit() + index as u32;
    }
    sum
}
pub fn drained(txns: &mut Vec<Txn>) {
    for txn in txns.drain(..) {
        txn.roll_back();
    }
}
pub fn backwards(txns: std::collections::VecDeque<Txn>) -> u32 {
    let mut sum = 0;
    for txn in txns.into_iter().rev() {
        sum += txn.commit();
    }
    sum
}
pub fn emptied(mut txns: Vec<Txn>) -> u32 {
    let mut sum = 0;
    while let Some(txn) = txns.pop() {
        sum += txn.commit();
    }
    sum
}
pub fn map(txns: std::collections::BTreeMap<u32, Txn>) -> u32 {
    let mut sum = 0;
    for (key, txn) in txns {
        sum += key + txn.commit();
    }
    sum
}
pub fn collected(n: u32) -> u32 {
    let mut txns = Vec::new();
    for id in 0..n {
        txns.push(Txn::new(id));
    }
    let mut sum = 0;
    for txn in txns {
        sum += txn.commit();
    }
    sum
}
pub fn never_filled() -> usize {
    let txns: Vec<Txn> = Vec::new();
    txns.len()
}
pub fn made(n: u32) -> u32 {
    let mut sum = 0;
    for txn in ledger::Maker(n) {
        sum += txn.commit();
    }
    sum
}
