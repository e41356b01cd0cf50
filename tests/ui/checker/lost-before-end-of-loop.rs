use ledger::Txn;

pub fn f(txns: Vec<Txn>) -> Option<u32> {
    let mut sum = 0u32;
    for txn in txns {
        sum = sum.checked_add(txn.commit())?;
    }
    Some(sum)
}
