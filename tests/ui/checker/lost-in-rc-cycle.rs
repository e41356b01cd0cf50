use ledger::Txn;

use std::cell::RefCell;
use std::rc::Rc;

pub struct Node {
    pub txn: Option<Txn>,
    pub next: RefCell<Option<Rc<Node>>>,
}
pub fn f(txn: Txn) -> Rc<Node> {
    Rc::new(Node { txn: Some(txn), next: RefCell::new(None) })
}
