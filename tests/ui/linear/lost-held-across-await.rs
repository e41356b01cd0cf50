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

// Polled once: if it is not ready then, the transaction is dropped with it.
async fn work() -> u32 {
    let txn = Txn::new(1);
    std::future::ready(()).await;
    txn.commit()
}
pub fn f() -> bool {
    let mut future = std::pin::pin!(work());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut context).is_ready()
}
