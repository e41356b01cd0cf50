#[derive(wasm::Variant)]
pub struct Point {
    pub x: i32,
}

#[derive(wasm::Variant)]
pub enum Shape {
    Circle { radius: f64 },
}

#[derive(wasm::Enum)]
pub enum Color {
    Red,
    Other(u32),
}

#[derive(wasm::Enum)]
pub enum Never {}
