#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub union Either {
    pub a: u32,
    pub b: u8,
}
