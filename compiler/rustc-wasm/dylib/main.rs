//! The program `rustc-wasm`; what it does is in the library beside it, and rustc in the toolchain's.

use std::ffi::c_void;

/// The libraries allocate by the C library's functions. Because this is mentioned, the program brings mimalloc's in their place; rustc's
/// own program does the same with another allocator.
#[used]
static MALLOC: unsafe extern "C" fn(usize) -> *mut c_void = libmimalloc_sys::mi_malloc;

fn main() -> std::process::ExitCode {
    rustc_codegen_wasm::main()
}
