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

pub fn break_with_value(mut n: u32) -> u32 {
    let txn = loop {
        n += 1;
        if n > 10 {
            break Txn::new(n);
        }
    };
    txn.commit()
}
pub fn replaced_each_time(n: u32) -> u32 {
    let mut txn = Txn::new(0);
    for i in 0..n {
        txn.commit();
        txn = Txn::new(i);
    }
    txn.commit()
}
pub fn carried_out(n: u32) -> Txn {
    let mut txn = Txn::new(0);
    loop {
        if txn.id == n {
            break txn;
        }
        let next = txn.id + 1;
        txn.commit();
        txn = Txn::new(next);
    }
}
pub fn one_each(numbers: &[u32]) -> u32 {
    let mut sum = 0;
    for &number in numbers {
        let txn = Txn::new(number);
        if number == 7 {
            sum += txn.commit();
            continue;
        }
        if number == 9 {
            sum += txn.commit();
            break;
        }
        sum += txn.commit() + 1;
    }
    sum
}
pub fn popped(txns: &mut Vec<Txn>) -> u32 {
    let mut sum = 0;
    while let Some(txn) = txns.pop() {
        sum += txn.commit();
    }
    sum
}
