#[wasm::export]
pub struct Point {
    pub x: i32,
}
