#[derive(wasm::Pod, Clone, Copy)]
#[repr(C, align(16))]
pub struct Sample {
    pub value: u64,
}
