pub fn f(mut data: wasm::SharedSlice<'_, u32>) -> usize {
    let chunks = data.reborrow().chunks(4);
    data.set(0, 1).unwrap();
    chunks.count()
}
