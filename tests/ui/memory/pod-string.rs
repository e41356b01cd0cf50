#[derive(wasm::Pod, Clone)]
#[repr(C)]
pub struct Sample {
    pub name: String,
}
