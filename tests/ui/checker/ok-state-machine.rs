use ledger::Txn;

pub enum State {
    Idle,
    Open(Txn),
    Failed(Txn, String),
}
pub fn next(state: State) -> State {
    match state {
        State::Idle => State::Open(Txn::new(1)),
        State::Open(txn) => State::Failed(txn, String::new()),
        failed @ State::Failed(..) => failed,
    }
}
pub fn run(mut state: State) -> u32 {
    loop {
        state = match state {
            State::Idle => State::Open(Txn::new(1)),
            State::Open(txn) if txn.id > 3 => return txn.commit(),
            State::Open(txn) => State::Open(txn.step()),
            State::Failed(txn, _) => {
                txn.roll_back();
                return 0;
            }
        };
    }
}
pub struct Machine {
    state: Option<State>,
}
impl Machine {
    pub fn advance(&mut self) {
        if let Some(state) = self.state.take() {
            self.state = Some(next(state));
        }
    }
}
