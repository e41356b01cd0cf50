//! Calls of core functions, on every backend.

use wasm_sandbox::{Error, Trap, Value, WasmInstanceExt, WasmInstanceState};

use crate::fixtures::{BACKENDS, core, executor, instance, runtime};

#[test]
fn simple_calls_of_every_arity() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let instance = instance(&*runtime, &core(backend));
        let call = |name, params: &[i32]| instance.call_simple_function(name, params).expect(name);
        assert_eq!(call("add", &[5, 7]), 12);
        assert_eq!(call("add", &[i32::MAX, 1]), i32::MIN);
        assert_eq!(call("seven", &[]), 7);
        assert_eq!(call("nothing", &[]), 0);
        assert_eq!(call("drop1", &[1]), 0);
        assert_eq!(call("sum4", &[1, 2, 3, 4]), 10);
        assert_eq!(call("sum6", &[1, 2, 3, 4, 5, 6]), 21);
        assert_eq!(instance.state(), WasmInstanceState::Ready);
    }
}

#[test]
fn wrong_calls_are_refused_and_harm_nothing() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let instance = instance(&*runtime, &core(backend));
        let call =
            |name, params: &[i32]| instance.call_simple_function(name, params).expect_err(name);
        assert!(matches!(call("absent", &[]), Error::UnknownFunction { name } if name == "absent"));
        assert!(matches!(call("memory", &[]), Error::UnknownFunction { .. }));
        assert!(matches!(call("add", &[1]), Error::Signature { .. }));
        assert!(matches!(call("add", &[1, 2, 3]), Error::Signature { .. }));
        assert!(matches!(call("mix", &[1, 2, 3]), Error::Signature { .. }));
        let caller = instance.function_caller();
        assert!(matches!(
            caller.call_blocking("add", &[Value::S64(1), Value::S32(1)]),
            Err(Error::Value(_))
        ));
        assert!(matches!(
            caller.call_blocking("add", &[Value::S32(1)]),
            Err(Error::Value(_))
        ));
        assert_eq!(
            instance
                .call_simple_function("add", &[1, 2])
                .expect("still alive"),
            3
        );
    }
}

#[test]
fn traps_are_told_apart_and_poison_only_their_instance() {
    let cases: [(&str, &[i32], Trap); 4] = [
        ("trap", &[], Trap::Unreachable),
        ("divide", &[1, 0], Trap::DivisionByZero),
        ("divide", &[i32::MIN, -1], Trap::IntegerOverflow),
        ("load", &[-4], Trap::MemoryOutOfBounds),
    ];
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let bystander = instance(&*runtime, &core(backend));
        for (name, params, expected) in cases {
            let instance = instance(&*runtime, &core(backend));
            match instance.call_simple_function(name, params) {
                Err(Error::Trap { trap, .. }) => {
                    assert_eq!(trap, expected, "{name} on {backend:?}")
                }
                other => panic!("{name} on {backend:?} answered {other:?}"),
            }
            assert_eq!(instance.state(), WasmInstanceState::Poisoned);
            let after = instance.call_simple_function("seven", &[]);
            assert!(matches!(after, Err(Error::Poisoned { .. })), "{after:?}");
        }
        assert_eq!(
            bystander
                .call_simple_function("seven", &[])
                .expect("a bystander"),
            7
        );
    }
}

#[test]
fn typed_calls_of_numbers() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let instance = instance(&*runtime, &core(backend));
            let sum: i32 = instance.call_function("add", &(5, 7)).await.expect("add");
            assert_eq!(sum, 12);
            let mixed: f64 = instance
                .call_function("mix", &(1i64, 0.5f32, 0.25f64))
                .await
                .expect("mix");
            assert_eq!(mixed, 1.75);
            let pair: (i32, i64) = instance.call_function("pair", &-3).await.expect("pair");
            assert_eq!(pair, (-3, -3));
            let () = instance
                .call_function("nothing", &())
                .await
                .expect("nothing");
            let json = instance
                .call_function_json_async("add", "[40, 2]")
                .await
                .expect("json");
            assert_eq!(json, "42");
            let packed = instance
                .call_function_msgpack_async("add", &[0x92, 40, 2])
                .await
                .expect("msgpack");
            assert_eq!(packed, [42]);
            for params in [
                "[1]",
                "[1, 2, 3]",
                "{\"a\": 1}",
                "[1.5, 2]",
                "[\"1\", 2]",
                "[1, 4294967296]",
            ] {
                let refused = instance.call_function_json_async("add", params).await;
                assert!(
                    matches!(refused, Err(Error::Value(_))),
                    "{params} answered {refused:?}"
                );
            }
            for params in ["", "[1,", "nonsense"] {
                let refused = instance.call_function_json_async("add", params).await;
                assert!(
                    matches!(refused, Err(Error::Codec { .. })),
                    "{params} answered {refused:?}"
                );
            }
            let refused = instance
                .call_function_msgpack_async("add", &[0x92, 40])
                .await;
            assert!(matches!(refused, Err(Error::Codec { .. })), "{refused:?}");
        }
    });
}

#[test]
fn values_that_cannot_cross_are_refused() {
    let runtime = runtime(wasm_sandbox::Backend::Wasmtime);
    let instance = instance(&*runtime, &core(wasm_sandbox::Backend::Wasmtime));
    assert!(matches!(
        instance.call_simple_function("v128", &[]),
        Err(Error::Signature { .. })
    ));
    assert_eq!(
        instance
            .call_simple_function("seven", &[])
            .expect("still alive"),
        7
    );
}
