use ledger::Txn;

pub fn f(value: (u32, Txn)) -> Option<Txn> {
    match value {
        (0, txn) => Some(txn),
        (_, _) => None,
    }
}
