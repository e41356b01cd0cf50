#[unsafe(no_mangle)]
pub extern "C" fn area(width: u32, height: f64) -> u64 {
    u64::from(width) * height as u64
}

#[unsafe(export_name = "acme:maps/places@1.0.0#count")]
pub extern "C" fn count() -> u64 {
    0
}

#[unsafe(export_name = "cabi_post_acme:maps/places@1.0.0#name")]
pub extern "C" fn free_name(_result: *mut [usize; 2]) {}

#[unsafe(no_mangle)]
pub extern "C" fn cabi_realloc(_old: *mut u8, _size: usize, _align: usize, _new: usize) -> *mut u8 {
    std::ptr::null_mut()
}

// Not the world's, and not for a component at all.
#[unsafe(no_mangle)]
pub extern "C" fn helper(_a: u8) -> f32 {
    0.0
}

// What a Rust function is called inside is nobody else's business.
pub fn distance() {}
