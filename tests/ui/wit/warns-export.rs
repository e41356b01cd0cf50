#[unsafe(no_mangle)]
pub extern "C" fn area(width: u32, height: f32) -> u64 {
    u64::from(width) * height as u64
}

#[unsafe(export_name = "acme:maps/places@1.0.0#count")]
pub extern "C" fn count() {}

#[unsafe(export_name = "acme:maps/places@1.0.0#counts")]
pub extern "C" fn counts() -> u64 {
    0
}

#[unsafe(export_name = "cabi_post_acme:maps/places@1.0.0#name")]
pub extern "C" fn free_name(_result: u64) {}
