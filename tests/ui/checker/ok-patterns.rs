use ledger::Txn;

pub fn nested(value: (Option<Txn>, Result<Txn, u32>)) -> u32 {
    match value {
        (Some(a), Ok(b)) => a.commit() + b.commit(),
        (None, Ok(b)) => b.commit(),
        (Some(a), Err(code)) => a.commit() + code,
        (None, Err(code)) => code,
    }
}
pub fn array([a, b, c]: [Txn; 3]) -> u32 {
    a.commit() + b.commit() + c.commit()
}
pub fn rest(txns: [Txn; 3]) -> ([Txn; 2], u32) {
    let [first, rest @ ..] = txns;
    (rest, first.commit())
}
pub fn binding(slot: Option<Txn>) -> u32 {
    match slot {
        whole @ Some(_) => whole.map_or(0, Txn::commit),
        None => 0,
    }
}
pub fn chain(a: Option<Txn>, yes: bool) -> u32 {
    if yes
        && let Some(txn) = &a
        && txn.id > 3
    {
        return a.map_or(0, Txn::commit);
    }
    if let Some(txn) = a { txn.commit() } else { 0 }
}
