#[wasm::host("dom")]
mod dom {}
