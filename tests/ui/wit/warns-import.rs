#[link(wasm_import_module = "acme:maps/places@1.0.0")]
unsafe extern "C" {
    pub fn distance(from_x: f64, from_y: f64, to_x: f64, to_y: f32) -> f64;
    pub fn count() -> u32;
    #[link_name = "name"]
    pub fn name_of(id: u32) -> *mut u8;
    #[link_name = "[method]atlas.size"]
    pub fn size(atlas: u64) -> u64;
}
