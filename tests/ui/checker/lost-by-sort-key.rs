use ledger::Txn;

pub fn captured(numbers: &mut Vec<u32>) {
    let txn = Txn::new(1);
    numbers.sort_by_key(move |number| number ^ txn.id);
}
