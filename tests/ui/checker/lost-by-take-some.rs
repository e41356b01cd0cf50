use ledger::Txn;

pub fn f(txns: Vec<Txn>) -> Vec<Txn> {
    txns.into_iter().take(2).collect()
}
pub fn g(txns: Vec<Txn>) -> Vec<Txn> {
    txns.into_iter().map(Txn::step).take_while(|txn| txn.id < 3).collect()
}
