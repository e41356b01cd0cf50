// Emptied, and then filled by somebody who kept the borrow.
use ledger::Txn;

fn fill(slot: &mut Option<Txn>) {
    *slot = slot.take().or_else(|| Some(Txn::new(1)));
}
pub fn f() {
    let mut slot = None;
    fill(&mut slot);
}
