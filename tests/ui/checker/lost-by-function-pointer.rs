use ledger::Txn;

pub fn f() -> fn(Txn) {
    drop::<Txn>
}
