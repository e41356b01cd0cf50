use ledger::Txn;

pub fn f(slot: Option<Txn>) -> Option<u32> {
    slot.filter(|txn| txn.id > 3).map(Txn::commit)
}
