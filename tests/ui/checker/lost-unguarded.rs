use ledger::Plain;

pub fn dropped(plain: Plain) -> u32 {
    plain.id
}
pub fn temporary() -> u32 {
    Plain::new(1).id
}
pub fn overwritten(plain: &mut Plain) {
    *plain = Plain::new(2);
}
pub fn reassigned(yes: bool) -> u32 {
    let mut plain = Plain::new(1);
    if yes {
        plain = Plain::new(2);
    }
    plain.into_id()
}
pub fn unused() {
    let _ = Plain::new(1);
}
