pub fn g(index: usize) -> bool {
    wasm::FuncRef::<extern "C" fn()>::from_index(index).is_some()
}
