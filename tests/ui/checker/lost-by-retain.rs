use ledger::Txn;

pub fn f(txns: &mut Vec<Txn>) {
    txns.retain(|txn| txn.id > 3);
}
