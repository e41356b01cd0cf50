#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Sample {
    pub time: u64,
    pub left: f32,
    pub right: f32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ByHand {
    pub values: [u32; 4],
}
unsafe impl wasm::Pod for ByHand {}
