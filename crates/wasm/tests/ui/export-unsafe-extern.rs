#[wasm::export]
pub unsafe extern "C" fn raw() -> u32 {
    1
}
