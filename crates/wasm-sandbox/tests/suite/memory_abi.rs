//! Messages through the memory ABI, and guests that break it.

use wasm_memory::host::{AsyncMemoryController, HostController};
use wasm_memory::{MemoryError, Region};
use wasm_sandbox::{Capabilities, Error, Limit, WasmInstanceExt};

use crate::fixtures::{
    BACKENDS, MESSAGES, core, executor, instance, instance_with, limits, runtime,
};

#[test]
fn messages_are_encoded_as_the_module_says() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let made = instance(&*runtime, MESSAGES);
            let sent = (1, "two".to_owned(), vec![3.5]);
            for name in ["echo", "echo_packed", "in_place"] {
                let back: (i32, String, Vec<f64>) =
                    made.call_function(name, &sent).await.expect(name);
                assert_eq!(back, sent, "{name} on {backend:?}");
            }
            let json = made
                .call_function_json_async("echo_packed", r#"{"a":[1,null,"x"]}"#)
                .await
                .expect("json");
            assert_eq!(json, r#"{"a":[1,null,"x"]}"#);
            let packed = made
                .call_function_msgpack_async("echo", &[0x93, 1, 0xc0, 0xc3])
                .await
                .expect("msgpack");
            assert_eq!(packed, [0x93, 1, 0xc0, 0xc3]);
            let raw = made
                .call_function_bytes_async("echo_raw", &[0xff; 1000])
                .await
                .expect("bytes");
            assert_eq!(raw, [0xff; 1000]);
            assert!(matches!(
                made.call_function::<_, ()>("echo_raw", &()).await,
                Err(Error::Codec { .. })
            ));
            // The type alone says nothing: what is not listed is a function of numbers.
            assert_eq!(
                made.call_function::<_, i64>("scalar", &(40, 2))
                    .await
                    .expect("numbers"),
                42
            );
            assert!(matches!(
                made.call_function_bytes_async("scalar", &[]).await,
                Err(Error::Signature { .. })
            ));
            let large = vec![7u8; 3 << 20];
            assert_eq!(
                made.call_function_bytes_async("echo_raw", &large)
                    .await
                    .expect("3 MiB"),
                large
            );
        }
    });
}

#[test]
fn guests_that_lie_about_memory_are_found_out() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let made = instance(&*runtime, MESSAGES);
            let outcome = made.call_function::<_, i32>("outside", &1).await;
            assert!(
                matches!(outcome, Err(Error::Memory(MemoryError::OutOfBounds { .. }))),
                "{outcome:?}"
            );
            let outcome = made.call_function::<_, i32>("null", &1).await;
            assert!(
                matches!(
                    outcome,
                    Err(Error::Memory(MemoryError::ForeignPointer { ptr: 0 }))
                ),
                "{outcome:?}"
            );
            let outcome = made.call_function::<_, i32>("huge", &1).await;
            assert_eq!(
                outcome.err().and_then(|error| error.limit()),
                Some(Limit::ValueBytes)
            );
            let outcome = made.call_function::<_, i32>("dies", &1).await;
            assert!(matches!(outcome, Err(Error::Trap { .. })), "{outcome:?}");
        }
    });
}

#[test]
fn allocators_that_lie_are_found_out() {
    let guest = |alloc: &str, free: &str| {
        format!(
            r#"(module (memory (export "memory") 1)
              (func (export "__alloc") (param i32 i32) (result i32) {alloc})
              (func (export "__free") (param i32 i32) (result i32) {free}))"#
        )
    };
    let zero = "(i32.const 0)";
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            for (alloc, len, align, expected) in [
                (zero, 8, 8, MemoryError::OutOfMemory { len: 8, align: 8 }),
                (
                    "(i32.const 7)",
                    8,
                    8,
                    MemoryError::Misaligned { ptr: 7, align: 8 },
                ),
                (
                    "(i32.const 65528)",
                    16,
                    8,
                    MemoryError::OutOfBounds {
                        ptr: 65528,
                        len: 16,
                        size: 65536,
                    },
                ),
                (
                    "(i32.const -8)",
                    16,
                    8,
                    MemoryError::OutOfBounds {
                        ptr: 0xffff_fff8,
                        len: 16,
                        size: 65536,
                    },
                ),
                (
                    "(i32.const 8)",
                    8,
                    3,
                    MemoryError::BadAlignment { align: 3 },
                ),
                (
                    "(i32.const 8)",
                    8,
                    0,
                    MemoryError::BadAlignment { align: 0 },
                ),
            ] {
                let made = instance(&*runtime, &guest(alloc, zero));
                let mut memory = HostController::new(made.guest_session().await.expect("a memory"));
                assert_eq!(
                    memory.alloc(len, align).await,
                    Err(expected),
                    "{alloc} on {backend:?}"
                );
                assert_eq!(memory.live(), 0);
            }
            let made = instance(&*runtime, &guest("(i32.const 64)", zero));
            let mut memory = HostController::new(made.guest_session().await.expect("a memory"));
            let first = memory.alloc(16, 8).await.expect("the first is fine");
            let again = memory.alloc(16, 8).await;
            assert_eq!(
                again,
                Err(MemoryError::Overlap {
                    ptr: 64,
                    len: 16,
                    with: 64
                })
            );
            memory.mut_mem(first, 16).expect("alive").fill(9);
            assert!(matches!(
                memory.mut_mem(first, 17),
                Err(MemoryError::OutOfBounds { .. })
            ));
            assert!(matches!(
                memory.free(first, 15).await,
                Err(MemoryError::LengthMismatch { .. })
            ));
            assert!(matches!(
                memory.free(first + 1, 15).await,
                Err(MemoryError::ForeignPointer { .. })
            ));
            memory.free(first, 16).await.expect("freed once");
            assert_eq!(
                memory.free(first, 16).await,
                Err(MemoryError::DoubleFree { ptr: first })
            );
            let made = instance(&*runtime, &guest("(i32.const 64)", "(i32.const 9)"));
            let mut memory = HostController::new(made.guest_session().await.expect("a memory"));
            memory.alloc(1, 1).await.expect("fine");
            assert_eq!(
                memory.free(64, 1).await,
                Err(MemoryError::GuestRefused { status: 9 })
            );
            let made = instance(&*runtime, &guest("(unreachable)", zero));
            let mut memory = HostController::new(made.guest_session().await.expect("a memory"));
            assert!(matches!(
                memory.alloc(1, 1).await,
                Err(MemoryError::GuestFailed { .. })
            ));
        }
    });
}

#[test]
fn guards_free_what_they_held() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let made = instance(&*runtime, MESSAGES);
            let mut memory = HostController::new(made.guest_session().await.expect("a memory"));
            {
                let mut guard = memory.guard(5, 4).await.expect("room");
                guard.bytes().expect("alive").copy_from_slice(b"bytes");
                assert_eq!(guard.region().ptr % 4, 0);
            }
            assert_eq!(memory.live(), 1, "the guest is not entered by dropping");
            memory.reclaim().await.expect("freed");
            assert_eq!(memory.live(), 0);
            let kept = memory.guard(5, 4).await.expect("room").into_region();
            memory.reclaim().await.expect("nothing to do");
            assert_eq!(memory.live(), 1);
            memory.free(kept.ptr, kept.len).await.expect("by hand");
        }
    });
}

#[test]
fn modules_without_the_abi_say_so() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let made = instance(&*runtime, &core(backend));
            let mut memory =
                HostController::new(made.guest_session().await.expect("it has a memory"));
            assert_eq!(
                memory.alloc(1, 1).await,
                Err(MemoryError::MissingExport { name: "__alloc" })
            );
            assert_eq!(
                memory
                    .adopt(Region {
                        ptr: 65530,
                        len: 10
                    })
                    .map_err(|error| error.status()),
                Err(4)
            );
            drop(memory);
            let bare = instance(&*runtime, "(module)");
            assert!(matches!(
                bare.guest_session().await.err(),
                Some(Error::NoMemory)
            ));
            assert_eq!(bare.memory_size(), 0);
            let wrong = r#"(module (func (export "f") (param i32))
                (@custom "wasm-memory.messages" "f=json\n"))"#;
            let refused = instance_with(&*runtime, wrong, limits(), Capabilities::minimal()).err();
            assert!(
                matches!(refused, Some(Error::Signature { .. })),
                "{refused:?}"
            );
            let garbled = r#"(module (@custom "wasm-memory.messages" "f=jsonn\n"))"#;
            let refused =
                instance_with(&*runtime, garbled, limits(), Capabilities::minimal()).err();
            assert!(
                matches!(refused, Some(Error::Memory(MemoryError::BadMessage { .. }))),
                "{refused:?}"
            );
        }
    });
}

#[test]
fn the_raw_pointer_is_the_memory() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let made = instance(&*runtime, &core(backend));
        made.call_simple_function("store", &[100, 0x0403_0201])
            .expect("stored");
        assert_eq!(made.memory_size(), 1 << 16);
        // SAFETY: nothing calls the instance until the bytes are copied.
        let bytes = unsafe {
            let memory = made.memory_ptr().expect("it has a memory");
            std::slice::from_raw_parts(memory.add(100), 4).to_vec()
        };
        assert_eq!(bytes, [1, 2, 3, 4]);
    }
}
