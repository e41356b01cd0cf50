//! A linear value that no suspended future holds.

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

async fn number() -> u32 {
    5
}
pub async fn before() -> u32 {
    let txn = Txn::new(1);
    let id = txn.commit();
    id + number().await
}
pub async fn after() -> u32 {
    let id = number().await;
    let txn = Txn::new(id);
    txn.commit()
}
pub fn run() -> bool {
    let mut future = std::pin::pin!(async { before().await + after().await });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut context).is_ready()
}
