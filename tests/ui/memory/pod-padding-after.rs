#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Sample {
    pub value: u32,
    pub kind: u8,
}
