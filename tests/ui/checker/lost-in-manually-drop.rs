use ledger::Txn;

use std::mem::ManuallyDrop;

pub fn f(txn: Txn) -> u32 {
    ManuallyDrop::new(txn).id
}
