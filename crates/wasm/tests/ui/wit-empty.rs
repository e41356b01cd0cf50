wasm::wit! {}
