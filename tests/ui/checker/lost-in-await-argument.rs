use ledger::Txn;

async fn look(id: u32) -> u32 {
    id
}
pub async fn f(yes: bool) -> u32 {
    let txn = Txn::new(1);
    if yes {
        return look(txn.id).await;
    }
    txn.commit()
}
