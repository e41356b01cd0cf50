use ledger::Txn;

pub fn f(numbers: &[u32]) -> u32 {
    let mut numbers = numbers.iter();
    let txn = loop {
        match numbers.next() {
            Some(&number) if number > 3 => break Txn::new(number),
            Some(_) => continue,
            None => break Txn::new(0),
        }
    };
    txn.commit()
}
pub fn labelled(n: u32) -> u32 {
    let txn = 'found: {
        if n > 3 {
            break 'found Txn::new(n);
        }
        Txn::new(0)
    };
    txn.commit()
}
