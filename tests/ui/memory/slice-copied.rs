pub fn f(data: wasm::SharedSlice<'_, u32>) -> usize {
    let again = data;
    data.len() + again.len()
}
