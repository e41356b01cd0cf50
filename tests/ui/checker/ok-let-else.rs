use ledger::Txn;

pub fn f(slot: Option<Txn>) -> u32 {
    let Some(txn) = slot else { return 0 };
    txn.commit()
}
pub fn g(result: Result<Txn, u32>) -> u32 {
    let txn = match result {
        Ok(txn) => txn,
        Err(code) => return code,
    };
    txn.commit()
}
