use ledger::Txn;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

pub fn insert(txns: &mut HashMap<u32, Txn>, txn: Txn) -> Option<Txn> {
    txns.insert(txn.id, txn)
}
pub fn sorted(txns: &mut Vec<Txn>) {
    txns.sort_by_key(|txn| txn.id);
}
pub fn cell(cell: &Cell<Option<Txn>>) -> u32 {
    cell.take().map_or(0, Txn::commit)
}
pub fn ref_cell(cell: &RefCell<Vec<Txn>>, txn: Txn) {
    cell.borrow_mut().push(txn);
}
pub fn boxed(txn: Box<Txn>) -> u32 {
    (*txn).commit()
}
pub fn out_of_box(pair: Box<(Txn, Txn)>) -> u32 {
    let (a, b) = *pair;
    a.commit() + b.commit()
}
pub fn unwrapped(txn: std::rc::Rc<Txn>) -> Result<u32, std::rc::Rc<Txn>> {
    std::rc::Rc::try_unwrap(txn).map(Txn::commit)
}
