pub fn f(mut data: wasm::SharedSlice<'_, u32>) {
    std::thread::scope(|scope| {
        scope.spawn(|| data.set(0, 1));
        scope.spawn(|| data.set(0, 2));
    });
}
