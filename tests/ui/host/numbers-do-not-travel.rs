pub fn f(id: wasm::ExternId<u8>) {
    std::thread::spawn(move || id.upgrade().is_some());
}
