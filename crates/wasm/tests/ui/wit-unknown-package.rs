wasm::wit! {
    package demo:bad;
    world bad {
        import wasi:clocks/monotonic-clock@0.2.0;
    }
}
