#[wasm::linear]
pub struct Borrowed<'a> {
    pub handle: &'a wasm::Handle,
}
