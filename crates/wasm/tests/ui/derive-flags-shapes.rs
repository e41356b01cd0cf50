#[derive(wasm::Flags)]
pub struct Modes {
    pub read: bool,
    pub level: u8,
}

#[derive(wasm::Flags)]
pub enum Choice {
    A,
}
