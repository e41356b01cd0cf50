#[wasm::effect(randm)]
pub async fn f() {}
