//! What the cases use: linear types of another crate.

/// Linear by a token.
#[wasm::linear]
pub struct Txn {
    pub id: u32,
    open: wasm::linear::Token<Txn>,
}

impl Txn {
    pub fn new(id: u32) -> Txn {
        Txn { id, open: wasm::linear::Token::new() }
    }
    pub fn step(mut self) -> Txn {
        self.id += 1;
        self
    }
    #[wasm::consume]
    pub fn commit(self) -> u32 {
        let Txn { id, open } = self;
        open.consume();
        id
    }
    #[wasm::consume]
    pub fn roll_back(self) {
        let Txn { open, .. } = self;
        open.consume();
    }
}

/// Linear without a part that is.
#[wasm::linear(unguarded)]
pub struct Plain {
    pub id: u32,
}

impl Plain {
    pub fn new(id: u32) -> Plain {
        Plain { id }
    }
    #[wasm::consume]
    pub fn end(self) {}
    /// Takes the value apart, which suffices.
    pub fn into_id(self) -> u32 {
        self.id
    }
}

/// Not linear, but makes values that are.
pub struct Maker(pub u32);

impl Iterator for Maker {
    type Item = Txn;
    fn next(&mut self) -> Option<Txn> {
        self.0 = self.0.checked_sub(1)?;
        Some(Txn::new(self.0))
    }
}

pub trait Finish: Sized {
    fn finish(self) -> u32;
    fn ignore(self) {}
}

impl Finish for Txn {
    fn finish(self) -> u32 {
        self.commit()
    }
    fn ignore(self) {
        self.roll_back();
    }
}

pub fn identity<T>(value: T) -> T {
    value
}

pub fn swallow<T>(_: T) {}

pub fn swallow_later<T>(value: T) {
    swallow(Some(value));
}

pub fn assign<T>(to: &mut T, value: T) {
    *to = value;
}

/// Runs a future to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Polls a future once.
pub fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
