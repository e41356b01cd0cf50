//! Thread-local statics of several threads, each an instance of the module on the same memory.
#![no_std]
#![feature(thread_local)]

#[thread_local]
static mut COUNTERS: [u32; 4] = [7, 8, 9, 10];

#[thread_local]
static mut WIDE: u64 = 0;

static mut SHARED: u32 = 100;

#[unsafe(no_mangle)]
extern "C" fn bump(index: u32) -> u32 {
    // SAFETY: the index stays inside, and the threads take turns.
    unsafe {
        let counter = (&raw mut COUNTERS).cast::<u32>().wrapping_add(index as usize & 3);
        *counter = (*counter).wrapping_add(1);
        *counter
    }
}

#[unsafe(no_mangle)]
extern "C" fn last() -> u32 {
    // SAFETY: nobody else has this thread's counters.
    unsafe { COUNTERS[3] }
}

#[unsafe(no_mangle)]
extern "C" fn wide() -> u64 {
    // SAFETY: as above.
    unsafe {
        WIDE = WIDE.wrapping_add(1 << 40);
        WIDE
    }
}

#[unsafe(no_mangle)]
extern "C" fn shared() -> u32 {
    // SAFETY: the threads take turns.
    unsafe {
        SHARED = SHARED.wrapping_add(1);
        SHARED
    }
}
