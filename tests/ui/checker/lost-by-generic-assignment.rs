use ledger::Txn;

pub fn f(txn: &mut Txn) {
    ledger::assign(txn, Txn::new(2));
}
