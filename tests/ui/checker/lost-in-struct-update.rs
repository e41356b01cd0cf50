use ledger::Txn;

pub struct Config {
    pub txn: Txn,
    pub name: String,
}
pub fn f(config: Config) -> Config {
    Config { txn: Txn::new(1), ..config }
}
