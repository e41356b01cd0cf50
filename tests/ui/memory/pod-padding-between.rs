#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Sample {
    pub kind: u8,
    pub value: u32,
}
