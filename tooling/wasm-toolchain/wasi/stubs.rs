//! What std 1.96 calls on `wasm32-wasip1` and an older wasi-libc does not define: threads and permissions, which preview 1 does
//! not have. Newer ones define each to fail in the same way; the ones that the installed libc lacks are compiled in,
//! chosen by `--cfg stub="name"`. `realpath` is the one that newer versions can do; here it reports that it is unsupported.
#![no_std]
#![feature(linkage, thread_local)]
#![allow(internal_features, unused)]

use core::ffi::{c_char, c_int, c_void};
use core::ptr;

// wasi-libc's `<errno.h>` takes its numbers from WASI preview 1.
const EINVAL: c_int = 28;
const ENOSYS: c_int = 52;
const ENOTSUP: c_int = 58;

unsafe extern "C" {
    #[thread_local]
    static mut errno: c_int;
}

fn unsupported() {
    // SAFETY: there is one thread, and `errno` is a plain integer.
    unsafe { errno = ENOSYS }
}

#[cfg(stub = "pthread_create")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn pthread_create(_: *mut c_void, _: *const c_void, _: *const c_void, _: *mut c_void) -> c_int {
    ENOTSUP
}

#[cfg(stub = "pthread_join")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn pthread_join(_: *mut c_void, _: *mut *mut c_void) -> c_int {
    EINVAL
}

#[cfg(stub = "pthread_detach")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn pthread_detach(_: *mut c_void) -> c_int {
    EINVAL
}

#[cfg(stub = "pthread_attr_init")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn pthread_attr_init(_: *mut c_void) -> c_int {
    0
}

#[cfg(stub = "pthread_attr_destroy")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn pthread_attr_destroy(_: *mut c_void) -> c_int {
    0
}

#[cfg(stub = "pthread_attr_setstacksize")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn pthread_attr_setstacksize(_: *mut c_void, _: usize) -> c_int {
    0
}

#[cfg(stub = "chmod")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn chmod(_: *const c_char, _: u32) -> c_int {
    unsupported();
    -1
}

#[cfg(stub = "fchmod")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn fchmod(_: c_int, _: u32) -> c_int {
    unsupported();
    -1
}

#[cfg(stub = "realpath")]
#[unsafe(no_mangle)]
#[linkage = "weak"]
pub extern "C" fn realpath(_: *const c_char, _: *mut c_char) -> *mut c_char {
    unsupported();
    ptr::null_mut()
}
