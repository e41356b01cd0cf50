use ledger::Txn;

pub fn returns(make: impl Fn(u32) -> Txn) -> u32 {
    make(1).commit() + make(2).commit()
}
pub fn used() -> u32 {
    returns(Txn::new) + returns(|id| Txn::new(id + 1).step())
}
pub fn returned() -> impl FnOnce() -> Txn {
    let txn = Txn::new(1);
    move || txn
}
pub fn called() -> u32 {
    returned()().commit()
}
pub fn in_one_branch(yes: bool) -> u32 {
    let txn = Txn::new(1);
    let end = move || txn.commit();
    if yes { end() } else { end() + 1 }
}
pub fn mapped(txns: Vec<Txn>) -> Vec<Txn> {
    txns.into_iter().map(Txn::step).collect()
}
