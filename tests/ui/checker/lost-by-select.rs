use ledger::Txn;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

async fn work(txn: Txn) -> u32 {
    std::future::ready(()).await;
    txn.commit()
}
// The first to be ready ends both.
pub fn f() -> u32 {
    let (mut a, mut b) = (pin!(work(Txn::new(1))), pin!(work(Txn::new(2))));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = a.as_mut().poll(&mut context) {
            return output;
        }
        if let Poll::Ready(output) = b.as_mut().poll(&mut context) {
            return output;
        }
    }
}
