#[derive(Clone, Copy)]
pub struct Flag {
    pub value: u32,
    pub set: bool,
}
unsafe impl wasm::Pod for Flag {}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Padded {
    pub value: u32,
    pub small: u8,
}
unsafe impl wasm::Pod for Padded {}

#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Kind {
    A,
    B,
}
unsafe impl wasm::Pod for Kind {}
