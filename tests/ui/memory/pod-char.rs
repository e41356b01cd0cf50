#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Sample {
    pub letter: char,
}
