#[derive(wasm::Pod, Clone, Copy)]
pub struct Sample {
    pub value: u64,
}
