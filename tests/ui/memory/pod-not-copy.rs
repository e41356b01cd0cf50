#[derive(wasm::Pod)]
#[repr(C)]
pub struct Sample {
    pub value: u64,
}
