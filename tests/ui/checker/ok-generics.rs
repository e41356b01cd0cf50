use ledger::Txn;

use ledger::{Finish, identity};

pub fn f<T: Finish>(value: T) -> u32 {
    identity(value).finish()
}
pub fn g() -> u32 {
    f(Txn::new(1)) + f(identity(Txn::new(2)))
}
pub fn overridden(txn: Txn) {
    txn.ignore();
}
pub fn both<T: Finish>(pair: (T, T)) -> u32 {
    let (a, b) = pair;
    a.finish() + b.finish()
}
pub fn pair() -> u32 {
    both((Txn::new(1), Txn::new(2)))
}
pub fn swapped(mut a: Txn, mut b: Txn) -> u32 {
    std::mem::swap(&mut a, &mut b);
    a.commit() + b.commit()
}
pub fn bounded<T: wasm::linear::Linear>(value: T, end: impl FnOnce(T) -> u32) -> u32 {
    end(value)
}
