//! Budgets, on every backend.

use std::time::{Duration, Instant};

use wasm_sandbox::{
    Backend, Capabilities, Error, HostFunctions, Limit, ResourceLimits, RuntimeConfig,
    WasmInstanceExt,
};

use crate::fixtures::{
    BACKENDS, config, core, executor, instance, instance_with, limits, runtime, runtime_hosting,
    runtime_with,
};

fn limit_of<T>(outcome: wasm_sandbox::Result<T>) -> Option<Limit> {
    outcome.err().and_then(|error| error.limit())
}

#[test]
fn fuel_is_counted_added_and_reset() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let metered = ResourceLimits {
            fuel: Some(10_000),
            ..limits()
        };
        let make = || {
            instance_with(
                &*runtime,
                &core(backend),
                metered.clone(),
                Capabilities::minimal(),
            )
        };
        let first = make().expect("an instance");
        let before = first.fuel_usage().expect("it is measured");
        first
            .call_simple_function("add", &[1, 2])
            .expect("enough fuel");
        let used = first.fuel_usage().expect("it is measured") - before;
        assert!((1..1000).contains(&used), "one addition used {used}");
        first.add_fuel(500).expect("it is measured");
        assert_eq!(
            first.fuel_usage(),
            Some(before + used),
            "adding is not using"
        );
        first.reset_fuel().expect("it is measured");
        assert_eq!(first.fuel_usage(), Some(0));
        assert_eq!(
            limit_of(first.call_simple_function("spin", &[])),
            Some(Limit::Fuel)
        );
        assert!(matches!(
            first.call_simple_function("seven", &[]),
            Err(Error::Poisoned { .. })
        ));

        let unmetered = runtime_with(&RuntimeConfig {
            fuel_metering: false,
            ..config(backend)
        });
        let free = instance(&*unmetered, &core(backend));
        assert_eq!(free.fuel_usage(), None);
        assert!(matches!(free.add_fuel(1), Err(Error::Unsupported { .. })));
        assert!(matches!(free.reset_fuel(), Err(Error::Unsupported { .. })));
        let refused = instance_with(
            &*unmetered,
            &core(backend),
            metered.clone(),
            Capabilities::minimal(),
        );
        assert!(matches!(
            refused,
            Err(Error::LimitUnsupported {
                limit: Limit::Fuel,
                ..
            })
        ));
    }
}

#[test]
fn deadlines_end_synchronous_and_asynchronous_calls() {
    let executor = executor();
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let short = ResourceLimits {
            deadline: Some(Duration::from_millis(60)),
            ..limits()
        };
        let make = || {
            instance_with(
                &*runtime,
                &core(backend),
                short.clone(),
                Capabilities::minimal(),
            )
            .expect("made")
        };
        let start = Instant::now();
        assert_eq!(
            limit_of(make().call_simple_function("spin", &[])),
            Some(Limit::Deadline)
        );
        let outcome = executor.block_on(make().call_function::<_, ()>("spin", &()));
        assert_eq!(limit_of(outcome), Some(Limit::Deadline));
        let elapsed = start.elapsed();
        assert!(
            elapsed >= Duration::from_millis(120),
            "stopped early, after {elapsed:?}"
        );
        assert!(
            elapsed < Duration::from_secs(5),
            "stopped late, after {elapsed:?}"
        );
    }
}

#[test]
fn a_looping_start_function_is_ended_too() {
    let text = "(module (func $spin (loop (br 0))) (start $spin))";
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let short = ResourceLimits {
            deadline: Some(Duration::from_millis(60)),
            ..limits()
        };
        let outcome = instance_with(&*runtime, text, short, Capabilities::minimal());
        assert_eq!(limit_of(outcome), Some(Limit::Deadline), "on {backend:?}");
    }
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let two_pages = ResourceLimits {
            memory_bytes: 2 << 16,
            ..limits()
        };
        let made = instance_with(
            &*runtime,
            &core(backend),
            two_pages,
            Capabilities::minimal(),
        )
        .expect("one page");
        assert_eq!(
            (made.memory_usage(), made.memory_size()),
            (1 << 16, 1 << 16)
        );
        assert_eq!(
            made.call_simple_function("grow", &[2])
                .expect("refused politely"),
            -1
        );
        assert_eq!(made.call_simple_function("grow", &[1]).expect("granted"), 1);
        assert_eq!(
            made.call_simple_function("grow", &[1])
                .expect("refused politely"),
            -1
        );
        assert_eq!(
            (made.memory_usage(), made.memory_size()),
            (2 << 16, 2 << 16)
        );
        let none = ResourceLimits {
            memory_bytes: 1 << 15,
            ..limits()
        };
        let refused = instance_with(&*runtime, &core(backend), none, Capabilities::minimal());
        assert_eq!(limit_of(refused), Some(Limit::Memory));
        let absurd = ResourceLimits {
            memory_bytes: usize::MAX,
            ..limits()
        };
        let refused = instance_with(&*runtime, &core(backend), absurd, Capabilities::minimal());
        assert!(matches!(
            refused,
            Err(Error::LimitUnsupported {
                limit: Limit::Memory,
                ..
            })
        ));
    }
}

#[test]
fn tables_grow_to_their_limit_and_no_further() {
    let text = r#"(module (table 10 funcref)
        (func (export "grow") (param i32) (result i32) (table.grow 0 (ref.null func) (local.get 0))))"#;
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let small = ResourceLimits {
            table_elements: 20,
            ..limits()
        };
        let made =
            instance_with(&*runtime, text, small, Capabilities::minimal()).expect("ten elements");
        assert_eq!(
            made.call_simple_function("grow", &[11])
                .expect("refused politely"),
            -1
        );
        assert_eq!(
            made.call_simple_function("grow", &[10]).expect("granted"),
            10
        );
        assert_eq!(
            made.call_simple_function("grow", &[1])
                .expect("refused politely"),
            -1
        );
        let none = ResourceLimits {
            table_elements: 5,
            ..limits()
        };
        let refused = instance_with(&*runtime, text, none, Capabilities::minimal());
        assert_eq!(limit_of(refused), Some(Limit::Tables));
    }
}

#[test]
fn recursion_ends_at_the_stack() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let made = instance(&*runtime, &core(backend));
        assert_eq!(
            limit_of(made.call_simple_function("dive", &[0])),
            Some(Limit::Stack)
        );
        let tiny = ResourceLimits {
            stack_bytes: Some(1),
            ..limits()
        };
        let refused = instance_with(&*runtime, &core(backend), tiny, Capabilities::minimal());
        assert!(matches!(
            refused,
            Err(Error::LimitUnsupported {
                limit: Limit::Stack,
                ..
            })
        ));
        let enough = ResourceLimits {
            stack_bytes: Some(1 << 20),
            ..limits()
        };
        instance_with(&*runtime, &core(backend), enough, Capabilities::minimal())
            .expect("within the runtime's");
    }
}

#[test]
fn host_calls_are_counted() {
    let text = r#"(module (import "env" "tick" (func $tick))
        (func (export "flood") (param i32)
          (loop (call $tick)
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;
    for backend in BACKENDS {
        let mut functions = HostFunctions::default();
        functions.add("env", "tick", |(): ()| Ok(()));
        let runtime = runtime_hosting(backend, functions);
        let budget = ResourceLimits {
            host_calls: Some(100),
            ..limits()
        };
        let made = instance_with(&*runtime, text, budget, Capabilities::minimal()).expect("made");
        made.call_simple_function("flood", &[60])
            .expect("within the budget");
        assert_eq!(
            limit_of(made.call_simple_function("flood", &[60])),
            Some(Limit::HostCalls),
            "{backend:?}"
        );
    }
}

#[test]
fn termination_ends_a_call_from_another_thread() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let made = instance(&*runtime, &core(backend));
        std::thread::scope(|scope| {
            let call = scope.spawn(|| made.call_simple_function("spin", &[]));
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(made.state(), wasm_sandbox::WasmInstanceState::Running);
            made.terminate();
            let outcome = call.join().expect("the thread");
            assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        });
        assert!(made.call_simple_function("seven", &[]).is_err());
    }
}

#[test]
fn a_component_may_not_answer_with_more_than_its_limit() {
    let runtime = runtime(Backend::Wasmtime);
    let small = ResourceLimits {
        value_bytes: 1 << 16,
        ..limits()
    };
    let made = instance_with(
        &*runtime,
        crate::fixtures::COMPONENT,
        small,
        Capabilities::minimal(),
    )
    .expect("made");
    executor().block_on(async {
        let text = "x".repeat(1 << 15);
        assert_eq!(
            made.call_function::<_, String>("echo", &(&text,))
                .await
                .expect("half the limit"),
            text
        );
        let large = "x".repeat((1 << 16) + 1);
        let refused = made.call_function::<_, String>("echo", &(&large,)).await;
        assert_eq!(limit_of(refused), Some(Limit::ValueBytes));
    });
}
