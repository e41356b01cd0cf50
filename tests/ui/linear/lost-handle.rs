pub fn f() -> u32 {
    let handle: wasm::Handle = wasm::Handle::from_raw(7);
    handle.as_raw()
}
