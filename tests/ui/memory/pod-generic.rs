#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Pair<T> {
    pub a: T,
    pub b: T,
}
