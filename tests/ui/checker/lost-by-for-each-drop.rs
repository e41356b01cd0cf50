use ledger::Txn;

pub fn f(txns: Vec<Txn>) {
    txns.into_iter().for_each(drop);
}
