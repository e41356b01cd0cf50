use ledger::Txn;

pub fn unwrapped(number: Option<u32>) -> u32 {
    let txn = Txn::new(1);
    let number = number.unwrap();
    txn.commit() + number
}
pub fn asserted(txn: Txn) -> u32 {
    assert!(txn.id > 0, "it has a number");
    txn.commit()
}
pub fn never(txn: Txn) -> ! {
    loop {
        std::hint::black_box(&txn);
    }
}
pub fn diverges(txn: Txn) -> ! {
    panic!("{}", txn.id)
}
