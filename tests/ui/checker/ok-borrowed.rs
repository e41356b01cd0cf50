use ledger::Txn;

pub trait Look {
    fn look(&self) -> u32;
}
impl Look for Txn {
    fn look(&self) -> u32 {
        self.id
    }
}
pub fn by_trait_object(txn: &mut Txn) -> u32 {
    let look: &mut dyn Look = txn;
    look.look()
}
pub fn by_reference(txns: &[Txn]) -> u32 {
    txns.iter().map(|txn| txn.id).sum()
}
pub fn in_place(txns: &mut [Txn]) {
    for txn in txns.iter_mut() {
        txn.id += 1;
    }
}
pub fn scoped() -> u32 {
    let mut txn = Txn::new(1);
    {
        let inner = &mut txn;
        inner.id += 1;
    }
    txn.commit()
}
