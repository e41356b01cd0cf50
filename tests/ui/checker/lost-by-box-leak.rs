use ledger::Txn;

pub fn f(txn: Box<Txn>) -> &'static mut Txn {
    Box::leak(txn)
}
pub fn raw(txn: Txn) -> *mut Txn {
    Box::into_raw(Box::new(txn))
}
pub fn list(txns: Vec<Txn>) -> &'static mut [Txn] {
    txns.leak()
}
