use ledger::Txn;

pub fn f(slot: Option<Txn>, limit: u32) -> u32 {
    match slot {
        Some(txn) if txn.id > limit => txn.commit(),
        Some(txn) if { let n = txn.id + 1; n == limit } => {
            txn.roll_back();
            limit
        }
        Some(txn) => txn.step().commit(),
        None => 0,
    }
}
