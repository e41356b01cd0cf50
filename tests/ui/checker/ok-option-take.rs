use ledger::Txn;

pub fn f() -> u32 {
    let mut slot = Some(Txn::new(1));
    slot.take().map_or(0, Txn::commit)
}
pub fn in_field() -> u32 {
    struct Holder {
        slot: Option<Txn>,
        name: String,
    }
    let mut holder = Holder { slot: Some(Txn::new(1)), name: String::new() };
    let id = match holder.slot.take() {
        Some(txn) => txn.commit(),
        None => 0,
    };
    id + holder.name.len() as u32
}
pub fn again(mut slot: Option<Txn>) -> u32 {
    let mut sum = 0;
    while let Some(txn) = slot.take() {
        if txn.id > 0 {
            slot = Some(Txn::new(txn.id - 1));
        }
        sum += txn.commit();
    }
    sum
}
pub fn by_mem_take(mut slot: Option<Txn>) -> u32 {
    if let Some(txn) = std::mem::take(&mut slot) { txn.commit() } else { 0 }
}
pub fn by_replace(mut slot: Option<Txn>) -> u32 {
    let before = std::mem::replace(&mut slot, None);
    before.map_or(0, Txn::commit)
}
pub fn put_back(slot: &mut Option<Txn>) {
    if let Some(txn) = slot.take() {
        *slot = Some(txn.step());
    }
}
pub fn only_if_none(slot: &mut Option<Txn>) {
    if slot.is_none() {
        *slot = Some(Txn::new(1));
    }
}
pub fn after_test(slot: Option<Txn>) -> u32 {
    if slot.is_none() {
        return 0;
    }
    slot.unwrap().commit()
}
