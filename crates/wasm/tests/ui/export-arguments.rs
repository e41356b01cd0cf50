#[wasm::export(iface = "orders")]
pub fn a() {}

#[wasm::export(interface = "Orders!")]
pub fn b() {}

#[wasm::export(name = "two words")]
pub fn c() {}
