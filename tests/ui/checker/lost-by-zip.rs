use ledger::Txn;

pub fn f(a: Vec<Txn>, b: Vec<u32>) -> u32 {
    let mut sum = 0;
    for (txn, number) in a.into_iter().zip(b) {
        sum += txn.commit() + number;
    }
    sum
}
