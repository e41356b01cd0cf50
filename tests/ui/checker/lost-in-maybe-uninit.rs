use ledger::Txn;

use std::mem::MaybeUninit;

pub fn f(txn: Txn) -> MaybeUninit<Txn> {
    MaybeUninit::new(txn)
}
