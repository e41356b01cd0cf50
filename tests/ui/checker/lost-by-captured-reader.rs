// `call_once` of a closure that only reads what it captured drops it afterwards.
use ledger::Txn;

pub fn f(slot: Option<u32>) -> u32 {
    let txn = Txn::new(1);
    slot.map_or(0, move |number| number + txn.id)
}
