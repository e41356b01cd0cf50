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

pub fn both(yes: bool) -> u32 {
    let txn = Txn::new(1);
    if yes { txn.commit() } else { txn.commit() + 1 }
}
pub fn early(yes: bool) -> u32 {
    let txn = Txn::new(1);
    if yes {
        return txn.commit();
    }
    txn.commit() + 1
}
pub fn question_mark(text: &str) -> Result<u32, std::num::ParseIntError> {
    let number: u32 = text.parse()?;
    let txn = Txn::new(number);
    let again = match text.parse::<u32>() {
        Ok(again) => again,
        Err(error) => {
            txn.commit();
            return Err(error);
        }
    };
    Ok(again + txn.commit())
}
pub fn made_later(yes: bool) -> u32 {
    let txn;
    if yes {
        txn = Txn::new(1);
    } else {
        txn = Txn::new(2);
    }
    txn.commit()
}
pub fn never(txn: Txn) -> ! {
    txn.commit();
    panic!("gone")
}
pub fn may_panic(txn: Txn, numbers: &[u32]) -> u32 {
    // A panic aborts: nothing is dropped.
    let number = numbers[3];
    assert!(number > 3, "too small");
    number + txn.commit()
}
pub fn labelled(n: u32) -> u32 {
    let txn = 'found: {
        if n > 3 {
            break 'found Txn::new(1);
        }
        Txn::new(2)
    };
    txn.commit()
}
