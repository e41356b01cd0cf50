//! Atomic operations on every width, by the target's own operators.
//@ flags: -Ctarget-feature=+atomics
use std::sync::atomic::{AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::*, fence};

macro_rules! integers {
    ($($ty:ident $int:ident;)*) => {
        $(
            println!("{}", stringify!($ty));
            for start in [0, 1, $int::MAX, $int::MIN, 0x5a] {
                for by in [0, 1, 3, $int::MAX, $int::MIN, 0x2f] {
                    let cell = $ty::new(start);
                    let all = [
                        cell.fetch_add(by, SeqCst), cell.fetch_sub(start, AcqRel), cell.fetch_and(by, Relaxed),
                        cell.fetch_or(start, Acquire), cell.fetch_xor(by, Release), cell.fetch_nand(start, SeqCst),
                        cell.fetch_max(by, SeqCst), cell.fetch_min(start, SeqCst), cell.swap(by, SeqCst), cell.load(SeqCst),
                    ];
                    fence(SeqCst);
                    println!("{all:?} {:?} {:?}", cell.compare_exchange(by, start, SeqCst, Relaxed), cell.compare_exchange(by, by, AcqRel, Acquire));
                    cell.store(by, Release);
                    println!("{}", cell.into_inner());
                }
            }
        )*
    };
}

fn main() {
    integers! {
        AtomicU8 u8;
        AtomicI8 i8;
        AtomicU16 u16;
        AtomicI16 i16;
        AtomicU32 u32;
        AtomicI32 i32;
        AtomicU64 u64;
        AtomicI64 i64;
    }
    let flag = AtomicBool::new(false);
    println!("{} {} {}", flag.fetch_or(true, SeqCst), flag.fetch_not(SeqCst), flag.load(SeqCst));
    let (mut a, mut b) = (1, 2);
    let pointer = AtomicPtr::new(&raw mut a);
    println!("{}", pointer.swap(&raw mut b, SeqCst) == &raw mut a);
    println!("{:?}", pointer.compare_exchange(&raw mut a, &raw mut a, SeqCst, SeqCst).is_err());
}
