pub fn f(element: wasm::ExternRef<u8>) {
    std::thread::spawn(move || element.is_null());
}
