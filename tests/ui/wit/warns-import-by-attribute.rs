#[wasm::import("acme:maps/places@1.0.0")]
pub mod places {
    pub fn count() -> u32;
    pub fn name(id: u32) -> String;
    pub fn area() -> f64;
}
