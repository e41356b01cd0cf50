#[repr(C)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[link(wasm_import_module = "acme:maps/places@1.0.0")]
unsafe extern "C" {
    pub fn distance(from: Point, to: Point) -> f64;
    pub fn count() -> u128;
    pub fn name(id: u32, result: *mut u8);
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    pub fn elsewhere(point: Point);
}

pub fn f() -> u32 {
    wasm::Handle::<wasm::Unnamed>::from_raw(1).into_raw()
}
