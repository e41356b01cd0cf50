#[wasm::linear]
pub struct Txn {
    pub id: u32,
    open: wasm::linear::Token<Txn>,
}
impl Txn {
    pub fn new(id: u32) -> Txn {
        Txn { id, open: wasm::linear::Token::new() }
    }
    #[wasm::consume]
    pub fn commit(self) -> u32 {
        let Txn { id, open } = self;
        open.consume();
        id
    }
}

pub fn called_once() -> u32 {
    let txn = Txn::new(1);
    let commit = move || txn.commit();
    commit()
}
pub fn returns_linear(make: impl Fn(u32) -> Txn) -> u32 {
    make(1).commit() + make(2).commit()
}
pub fn use_it() -> u32 {
    returns_linear(|n| Txn::new(n))
}
pub fn takes_linear(end: impl FnOnce(Txn) -> u32) -> u32 {
    end(Txn::new(1))
}
pub fn with_method() -> u32 {
    takes_linear(Txn::commit)
}
pub fn borrowed() -> u32 {
    let txn = Txn::new(1);
    let look = || txn.id;
    let id = look();
    id + txn.commit()
}
fn with<R>(work: impl FnOnce(&mut Txn) -> R) -> R {
    let mut txn = Txn::new(1);
    let result = work(&mut txn);
    txn.commit();
    result
}
pub fn scoped() -> u32 {
    with(|txn| {
        txn.id += 1;
        txn.id
    })
}
