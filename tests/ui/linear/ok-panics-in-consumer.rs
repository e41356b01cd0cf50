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

pub fn f(txn: Txn, text: &str) -> u32 {
    let number: u32 = text.parse().expect("a number");
    let boxed = std::fmt::format(format_args!("{number}"));
    println!("{boxed}");
    number.checked_add(txn.commit()).unwrap()
}
pub fn divides(txn: Txn, by: u32) -> u32 {
    let half = 10 / by;
    half + txn.commit()
}
