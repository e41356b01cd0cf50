use ledger::Txn;

pub fn f(txn: Txn) {
    std::mem::forget(txn);
}
