use ledger::Txn;

pub fn f(n: u32) -> usize {
    ledger::Maker(n).count()
}
pub fn g(txns: Vec<Txn>) -> usize {
    txns.into_iter().count()
}
pub fn made_by_function() -> usize {
    (0..3).map(Txn::new).count()
}
