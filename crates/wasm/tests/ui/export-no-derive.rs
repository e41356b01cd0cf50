pub struct Point {
    pub x: i32,
}

#[wasm::export]
pub fn make() -> Vec<Point> {
    vec![Point { x: 1 }]
}
