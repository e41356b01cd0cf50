use ledger::Txn;

pub fn value(result: Result<Txn, u32>) -> Result<u32, u32> {
    Ok(result?.commit())
}
pub fn made_after(text: &str) -> Result<u32, std::num::ParseIntError> {
    let number: u32 = text.parse()?;
    Ok(Txn::new(number).commit())
}
pub fn error_holds(result: Result<u32, Txn>) -> Result<u32, Txn> {
    let number = result?;
    Ok(number + 1)
}
