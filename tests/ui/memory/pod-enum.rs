#[derive(wasm::Pod, Clone, Copy)]
#[repr(u8)]
pub enum Kind {
    A,
    B,
}
