use ledger::Txn;

use std::future::ready;

pub async fn held(id: u32) -> u32 {
    let txn = Txn::new(id);
    ready(()).await;
    let txn = txn.step();
    ready(()).await;
    txn.commit()
}
pub async fn nested() -> u32 {
    held(1).await + held(2).await
}
pub async fn parameter(txn: Txn) -> u32 {
    ready(()).await;
    txn.commit()
}
pub fn run() -> u32 {
    ledger::block_on(nested()) + ledger::block_on(parameter(Txn::new(1)))
}
pub fn by_hand() -> u32 {
    let mut future = std::pin::pin!(held(1));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => {}
        }
    }
}
pub async fn early(result: Result<u32, u32>) -> Result<u32, u32> {
    let txn = Txn::new(1);
    ready(()).await;
    let number = match result {
        Ok(number) => number,
        Err(code) => {
            txn.roll_back();
            return Err(code);
        }
    };
    Ok(txn.commit() + number)
}
