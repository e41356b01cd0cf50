#[link(wasm_import_module = "acme:maps/places@1.0.0")]
unsafe extern "C" {
    pub fn distances(x: f64, y: f64) -> f64;
    #[link_name = "[resource-drop]atlases"]
    pub fn close(atlas: u32);
}
