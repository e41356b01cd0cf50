#[wasm::effect(stdout)]
pub fn f() {
    println!("x");
}
