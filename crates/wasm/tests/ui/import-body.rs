#[wasm::import]
pub fn now() -> u64 {
    1
}

#[wasm::import]
pub mod clock {
    pub fn now() -> u64 {
        1
    }
}
