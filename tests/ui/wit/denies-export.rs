#![deny(wasm_recognition)]

#[unsafe(no_mangle)]
pub extern "C" fn area(width: u32) -> u64 {
    u64::from(width)
}
