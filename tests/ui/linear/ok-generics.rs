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

#[wasm::linear]
pub struct Guarded<T, const N: usize> {
    value: [T; N],
    open: wasm::linear::Token<Self>,
}
impl<T, const N: usize> Guarded<T, N> {
    pub fn new(value: [T; N]) -> Self {
        Self { value, open: wasm::linear::Token::new() }
    }
    #[wasm::consume]
    pub fn open(self) -> [T; N] {
        let Self { value, open } = self;
        open.consume();
        value
    }
}
#[wasm::linear]
pub struct Wrapper<T: wasm::linear::Linear> {
    #[linear]
    pub inner: T,
    pub count: u32,
}
impl<T: wasm::linear::Linear> Wrapper<T> {
    #[wasm::consume]
    pub fn into_inner(self) -> T {
        self.inner
    }
}
#[wasm::linear]
pub struct Lent<'a> {
    pub name: &'a str,
    pub txn: Txn,
}
impl<'a> Lent<'a> {
    pub fn end(self) -> &'a str {
        self.txn.commit();
        self.name
    }
}
fn identity<T>(value: T) -> T {
    value
}
trait Finish {
    fn finish(self) -> u32;
}
impl Finish for Txn {
    #[wasm::consume]
    fn finish(self) -> u32 {
        self.commit()
    }
}
fn finish_all<T: Finish, const N: usize>(values: [T; N]) -> u32
where
    [T; N]: Into<[T; 2]>,
{
    let [a, b] = values.into();
    a.finish() + b.finish()
}
pub fn f() -> u32 {
    let [a, b] = Guarded::new([1, 2]).open();
    let wrapped = Wrapper { inner: Txn::new(3), count: 1 };
    let name = Lent { name: "x", txn: Txn::new(1) }.end();
    identity(wrapped).into_inner().commit() + a + b + name.len() as u32
}
pub fn g() -> u32 {
    finish_all([Txn::new(1), Txn::new(2)])
}
