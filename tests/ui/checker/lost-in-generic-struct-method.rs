use ledger::Txn;

pub struct Stack<T> {
    items: Vec<T>,
}
impl<T> Stack<T> {
    pub fn reset(&mut self) {
        self.items = Vec::new();
    }
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }
}
pub fn f(stack: &mut Stack<Txn>) {
    stack.push(Txn::new(1));
    stack.reset();
}
