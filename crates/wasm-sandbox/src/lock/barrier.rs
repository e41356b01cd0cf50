//! Memory barriers of which one side pays nothing.
//!
//! Two threads that each write a word and then read the other's may both read the old value, unless both
//! put a full barrier in between: twenty cycles or more. Where one side does so thousands of times as often as the
//! other, the operating system can do it for both: [`heavy`] makes every thread of this process that is
//! executing pass a full barrier before it returns, so that for the frequent side it is enough to keep
//! the compiler from reordering ([`light`]).
//!
//! # Sources
//!
//! `membarrier(2)`, `MEMBARRIER_CMD_PRIVATE_EXPEDITED`: Linux since 4.14. Userspace RCU uses it in the same
//! way. Elsewhere, and where the kernel refuses, [`prepare`] answers `false` and nobody relies on it.
//!
//! A process that forbids itself system calls later must keep this one allowed: a lock that has an owner
//! and cannot revoke it stays closed, rather than letting two in.
//!
//! # Cost
//!
//! Light: nothing. Heavy: some microseconds, one interrupt for each processor that runs this process.
//! Registering waits for the kernel for milliseconds, once in a process, in a thread of its own.

use std::sync::atomic::{AtomicU8, Ordering, compiler_fence};

/// Nobody has asked yet.
const UNKNOWN: u8 = 0;
/// A thread is asking the kernel.
const ASKING: u8 = 1;
/// There are heavy barriers.
const READY: u8 = 2;
/// There are none.
const ABSENT: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether [`heavy`] can be relied upon. Does not wait: the first caller starts the preparation.
pub(super) fn prepare() -> bool {
    match STATE.load(Ordering::Acquire) {
        READY => true,
        UNKNOWN => {
            let first =
                STATE.compare_exchange(UNKNOWN, ASKING, Ordering::Relaxed, Ordering::Relaxed);
            if first.is_ok() {
                let asking = std::thread::Builder::new()
                    .name("wasm-sandbox-barrier".into())
                    .spawn(|| {
                        let state = if system::register() { READY } else { ABSENT };
                        STATE.store(state, Ordering::Release);
                    });
                if asking.is_err() {
                    STATE.store(ABSENT, Ordering::Release);
                }
            }
            false
        }
        _ => false,
    }
}

/// The frequent side's barrier.
#[inline]
pub(super) fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// The rare side's barrier. `false` when the kernel, which offered it once, now refuses: then there was
/// no barrier.
#[must_use]
pub(super) fn heavy() -> bool {
    compiler_fence(Ordering::SeqCst);
    let done = system::barrier();
    compiler_fence(Ordering::SeqCst);
    done
}

#[cfg(target_os = "linux")]
mod system {
    fn membarrier(command: libc::c_int) -> bool {
        let no_flags: libc::c_uint = 0;
        let no_cpu: libc::c_int = 0;
        // SAFETY: the system call takes three integers, and touches no memory that Rust knows of.
        unsafe { libc::syscall(libc::SYS_membarrier, command, no_flags, no_cpu) == 0 }
    }

    pub(super) fn register() -> bool {
        membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
    }

    pub(super) fn barrier() -> bool {
        membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn barrier() -> bool {
        false
    }
}
