#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Sample {
    pub value: std::cell::Cell<u32>,
}
