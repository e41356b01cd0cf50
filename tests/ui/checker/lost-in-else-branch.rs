use ledger::Txn;

pub fn f(slot: Option<u32>) -> u32 {
    let txn = Txn::new(1);
    if let Some(number) = slot {
        return txn.commit() + number;
    }
    0
}
