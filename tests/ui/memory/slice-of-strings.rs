pub fn f(names: wasm::SharedSlice<'_, String>) {
    let _ = names;
}
