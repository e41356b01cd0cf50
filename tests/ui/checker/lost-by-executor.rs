use ledger::Txn;

async fn work() -> u32 {
    let txn = Txn::new(1);
    std::future::ready(()).await;
    txn.commit()
}
pub fn once() -> Option<u32> {
    ledger::poll_once(work())
}
pub fn boxed() -> std::pin::Pin<Box<dyn Future<Output = u32>>> {
    Box::pin(work())
}
