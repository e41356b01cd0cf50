use ledger::Txn;

pub fn f(txns: Vec<Txn>) -> Vec<Txn> {
    txns.into_iter().filter(|txn| txn.id > 3).collect()
}
