// Taken, but put back on one path.
use ledger::Txn;

pub fn f(yes: bool) -> u32 {
    let mut slot = Some(Txn::new(1));
    let txn = slot.take();
    if yes {
        slot = txn;
        return slot.as_ref().map_or(0, |txn| txn.id);
    }
    txn.map_or(0, Txn::commit)
}
