use ledger::Txn;

use std::sync::Mutex;

static CURRENT: Mutex<Option<Txn>> = Mutex::new(None);

pub fn begin() -> Option<Txn> {
    CURRENT.lock().unwrap().replace(Txn::new(1))
}
pub fn end() -> u32 {
    match CURRENT.lock().unwrap().take() {
        Some(txn) => txn.commit(),
        None => 0,
    }
}
