use ledger::Txn;

pub fn f(txn: Txn) -> std::thread::JoinHandle<u32> {
    std::thread::spawn(move || txn.commit())
}
