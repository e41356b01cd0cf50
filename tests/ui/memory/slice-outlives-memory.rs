pub fn f() -> wasm::SharedSlice<'static, u32> {
    let mut values = [0u32; 4];
    wasm::SharedSlice::new(&mut values)
}
