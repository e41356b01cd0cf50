#[link(wasm_import_module = "acme:maps/places@1.0.0")]
unsafe extern "C" {
    pub fn distance(from_x: f64, from_y: f64, to_x: f64, to_y: f64) -> f64;
    pub fn count() -> u64;
    pub fn name(id: u32, result: *mut [usize; 2]);
    #[link_name = "[constructor]atlas"]
    pub fn open(name: *const u8, length: usize) -> u32;
    #[link_name = "[method]atlas.size"]
    pub fn size(atlas: u32) -> u64;
    #[link_name = "[resource-drop]atlas"]
    pub fn close(atlas: u32);
}

// Another version is another interface, of which nothing is known.
#[link(wasm_import_module = "acme:maps/places@2.0.0")]
unsafe extern "C" {
    #[link_name = "count"]
    pub fn count_2() -> u32;
}
