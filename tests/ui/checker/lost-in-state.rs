use ledger::Txn;

pub enum State {
    Idle,
    Open(Txn),
}
pub fn f(state: State) -> State {
    match state {
        State::Idle => State::Open(Txn::new(1)),
        _ => State::Idle,
    }
}
