use ledger::Txn;

pub trait Reset {
    fn reset(&mut self);
}
pub struct Slot<T>(Option<T>);
impl<T> Reset for Slot<T> {
    fn reset(&mut self) {
        self.0 = None;
    }
}
pub fn f(slot: &mut Slot<Txn>) -> &mut dyn Reset {
    slot
}
