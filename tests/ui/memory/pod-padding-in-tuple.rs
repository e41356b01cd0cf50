#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Sample(pub u16, pub u64);
