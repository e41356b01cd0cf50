//! The controllers against a model that knows every byte.

use std::collections::BTreeMap;

use async_trait::async_trait;
use wasm_memory::host::{AsyncMemoryController, GuestMemory, HostController};
use wasm_memory::{Arena, MemoryController, MemoryError, Tracked};

/// A small generator, the same for everybody.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::from(bound)) as u32
    }
}

const BASE: u32 = 0x2000;
const SIZE: u32 = 1 << 14;

#[test]
fn allocations_are_disjoint_aligned_and_keep_their_bytes() {
    for seed in 1..40 {
        let mut random = Random(seed * 0x9e37_79b9);
        let mut memory = Tracked::new(Arena::new(BASE, SIZE));
        let mut model: BTreeMap<u32, (u32, u8)> = BTreeMap::new();
        for step in 0..2000u32 {
            let pick = |random: &mut Random| {
                model
                    .keys()
                    .nth(random.below(model.len() as u32) as usize)
                    .copied()
            };
            match random.below(5) {
                0 | 1 => {
                    let (len, align) = (random.below(400), 1 << random.below(7));
                    match memory.alloc(len, align) {
                        Ok(ptr) => {
                            assert_eq!(ptr % align, 0);
                            assert!(ptr >= BASE && ptr + len <= BASE + SIZE);
                            let fresh = memory.mut_mem(ptr, len);
                            assert!(
                                fresh.iter().all(|byte| *byte == 0),
                                "an allocation is zeroed"
                            );
                            fresh.fill(step as u8);
                            assert_eq!(model.insert(ptr, (len, step as u8)), None);
                        }
                        Err(error) => assert_eq!(error, MemoryError::OutOfMemory { len, align }),
                    }
                }
                2 if !model.is_empty() => {
                    let ptr = pick(&mut random).expect("one of them");
                    let (len, byte) = model.remove(&ptr).expect("it is in the model");
                    assert!(
                        memory.mut_mem(ptr, len).iter().all(|found| *found == byte),
                        "bytes were overwritten"
                    );
                    memory.free(ptr, len).expect("it was allocated");
                    let again = memory.free(ptr, len);
                    assert_eq!(again, Err(MemoryError::DoubleFree { ptr }));
                }
                3 if !model.is_empty() => {
                    let ptr = pick(&mut random).expect("one of them");
                    let len = model[&ptr].0;
                    assert!(matches!(
                        memory.free(ptr, len + 1),
                        Err(MemoryError::LengthMismatch { .. })
                    ));
                    assert!(matches!(
                        memory.try_mut_mem(ptr, len + 1),
                        Err(MemoryError::OutOfBounds { .. })
                    ));
                }
                _ => {
                    let foreign = random.below(u32::MAX);
                    let inside = model
                        .range(..=foreign)
                        .next_back()
                        .is_some_and(|(ptr, (len, _))| foreign - ptr < *len);
                    if !inside {
                        assert!(memory.try_mut_mem(foreign, u32::MAX).is_err());
                        assert!(memory.free(foreign, 8).is_err() || model.contains_key(&foreign));
                    }
                }
            }
            assert_eq!(memory.live(), model.len());
        }
        for (ptr, (len, _)) in model {
            memory.free(ptr, len).expect("it was allocated");
        }
        // Everything merged again: the whole arena is one hole.
        memory.alloc(SIZE, 1).expect("room for everything");
    }
}

#[test]
fn edges_of_the_address_space() {
    let mut memory = Tracked::new(Arena::new(0, 16));
    assert_ne!(
        memory.alloc(1, 1).expect("room"),
        0,
        "address 0 means failure"
    );
    let mut memory = Tracked::new(Arena::new(u32::MAX - 8, 100));
    assert!(memory.alloc(100, 1).is_err());
    let ptr = memory.alloc(4, 4).expect("room below the end");
    assert!(memory.try_mut_mem(ptr, u32::MAX).is_err());
    assert_eq!(
        memory.alloc(8, 1 << 31),
        Err(MemoryError::OutOfMemory {
            len: 8,
            align: 1 << 31
        })
    );
    let mut empty = Tracked::new(Arena::new(64, 0));
    assert!(empty.alloc(0, 1).is_err());
    let mut few = Tracked::with_limit(Arena::new(64, 64), 2);
    few.alloc(0, 1).expect("one");
    few.alloc(0, 1).expect("two, at another address");
    assert_eq!(
        few.alloc(0, 1),
        Err(MemoryError::TooManyAllocations { limit: 2 })
    );
}

#[test]
#[should_panic(expected = "was never allocated")]
fn the_panicking_accessor_says_why() {
    Tracked::new(Arena::new(64, 64)).mut_mem(64, 1);
}

/// An honest guest over an arena; its memory is as large as the address space it uses.
struct Honest {
    controller: Tracked<Arena>,
    bytes: Vec<u8>,
}

#[async_trait]
impl GuestMemory for Honest {
    fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    async fn call_alloc(&mut self, len: u32, align: u32) -> wasm_memory::Result<u32> {
        Ok(self.controller.alloc(len, align).unwrap_or(0))
    }

    async fn call_free(&mut self, ptr: u32, len: u32) -> wasm_memory::Result<i32> {
        Ok(self
            .controller
            .free(ptr, len)
            .err()
            .map_or(0, |error| error.status()))
    }
}

/// A guest whose answers are random.
struct Liar(Random, Vec<u8>);

#[async_trait]
impl GuestMemory for Liar {
    fn bytes(&mut self) -> &mut [u8] {
        &mut self.1
    }

    async fn call_alloc(&mut self, _: u32, _: u32) -> wasm_memory::Result<u32> {
        Ok(match self.0.below(4) {
            0 => self.0.below(u32::MAX),
            _ => self.0.below(1 << 12),
        })
    }

    async fn call_free(&mut self, _: u32, _: u32) -> wasm_memory::Result<i32> {
        Ok(self.0.below(6).cast_signed())
    }
}

#[tokio::test]
async fn the_host_agrees_with_an_honest_guest() {
    let guest = Honest {
        controller: Tracked::new(Arena::new(BASE, SIZE)),
        bytes: vec![0; (BASE + SIZE) as usize],
    };
    let mut memory = HostController::new(guest);
    let mut random = Random(77);
    let mut live = Vec::new();
    for _ in 0..3000 {
        if random.below(2) == 0 || live.is_empty() {
            let len = random.below(300);
            if let Ok(ptr) = memory.alloc(len, 8).await {
                live.push((ptr, len));
            }
        } else {
            let (ptr, len) = live.swap_remove(random.below(live.len() as u32) as usize);
            memory.free(ptr, len).await.expect("both know it");
        }
        assert_eq!(
            (memory.live(), memory.guest().controller.live()),
            (live.len(), live.len())
        );
    }
}

#[tokio::test]
async fn no_lie_gets_the_host_out_of_bounds_or_into_live_memory() {
    for seed in 1..50 {
        let mut random = Random(seed);
        let mut memory = HostController::new(Liar(Random(seed * 31), vec![0; 1 << 12]));
        let mut live: Vec<(u32, u32)> = Vec::new();
        for _ in 0..500 {
            let len = random.below(200);
            if let Ok(ptr) = memory.alloc(len, 1 << random.below(4)).await {
                let end = ptr + len.max(1);
                let clash = live
                    .iter()
                    .find(|(other, size)| *other < end && ptr < other + size.max(&1));
                assert_eq!(clash, None, "{ptr}+{len} was accepted");
                assert!(ptr + len <= 1 << 12);
                memory.mut_mem(ptr, len).expect("alive").fill(1);
                live.push((ptr, len));
            }
            if random.below(3) == 0 && !live.is_empty() {
                let (ptr, len) = live.swap_remove(0);
                match memory.free(ptr, len).await {
                    Ok(()) | Err(MemoryError::GuestRefused { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                assert!(
                    memory.mut_mem(ptr, 1).is_err()
                        || live.iter().any(|(other, size)| ptr - other < *size)
                );
            }
        }
    }
}
