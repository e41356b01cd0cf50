#[derive(wasm::Record)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[wasm::import("acme:maps/places@1.0.0")]
pub mod places {
    use super::Point;

    pub fn distance(start: Point, end: Point) -> f64;
    pub fn count() -> u64;
    pub fn name(id: u32) -> String;
}
