//! Guests and callers that mean harm: each is contained, and the host is healthy afterwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use wasm_sandbox::{
    Backend, Capabilities, Error, HostFunctions, Limit, ResourceLimits, RuntimeConfig,
    WasmInstance, WasmInstanceExt, WasmInstanceState, WasmRuntime, WasmtimeRuntime,
};

use crate::fixtures::{
    BACKENDS, COMPONENT, config, core, executor, instance, instance_with, limits, runtime,
    runtime_hosting, wat,
};

/// That the runtime still does what it is there for.
fn assert_healthy(runtime: &dyn WasmRuntime, backend: Backend) {
    let made = instance(runtime, &core(backend));
    assert_eq!(
        made.call_simple_function("add", &[5, 7])
            .expect("a healthy runtime"),
        12
    );
}

/// What an attack cost the host: printed at its end, for whoever runs the suite with `--nocapture`.
struct Figures {
    attack: &'static str,
    start: Instant,
    #[cfg(target_os = "linux")]
    resident: usize,
}

impl Figures {
    fn of(attack: &'static str) -> Self {
        Self {
            attack,
            start: Instant::now(),
            #[cfg(target_os = "linux")]
            resident: crate::concurrency::resident(),
        }
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        let elapsed = self.start.elapsed().as_millis();
        #[cfg(target_os = "linux")]
        {
            // The suite's other tests share the process, so this is an upper bound.
            let grown = crate::concurrency::resident().saturating_sub(self.resident);
            println!("| {} | {elapsed} ms | {grown} KiB |", self.attack);
        }
        #[cfg(not(target_os = "linux"))]
        println!("| {} | {elapsed} ms | |", self.attack);
    }
}

fn short() -> ResourceLimits {
    ResourceLimits {
        deadline: Some(Duration::from_millis(50)),
        ..limits()
    }
}

#[test]
fn infinite_loops_on_every_thread_at_once() {
    let _figures = Figures::of("infinite loops on eight threads");
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let made =
                        instance_with(&*runtime, &core(backend), short(), Capabilities::minimal());
                    let outcome = made.expect("made").call_simple_function("spin", &[]);
                    assert_eq!(
                        outcome.err().and_then(|error| error.limit()),
                        Some(Limit::Deadline)
                    );
                });
            }
        });
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "eight loops took {:?}",
            start.elapsed()
        );
        assert_healthy(&*runtime, backend);
    }
}

#[test]
fn an_infinite_loop_leaves_the_executor_to_others() {
    let _figures = Figures::of("an infinite loop on an executor of one thread");
    // One thread for the looping guest and for everybody else.
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an executor");
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let made = instance_with(
            &*runtime,
            &core(backend),
            ResourceLimits {
                deadline: Some(Duration::from_millis(800)),
                ..limits()
            },
            Capabilities::minimal(),
        )
        .expect("made");
        let turns = executor.block_on(async {
            let mut call = std::pin::pin!(made.call_function::<_, ()>("spin", &()));
            let mut turns = 0;
            loop {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(Duration::from_millis(5)) => turns += 1,
                    outcome = &mut call => {
                        assert_eq!(outcome.err().and_then(|error| error.limit()), Some(Limit::Deadline));
                        break turns;
                    }
                }
            }
        });
        assert!(turns >= 3, "others had {turns} turns on {backend:?}");
    }
}

#[test]
fn dropped_futures_in_mid_call() {
    let _figures = Figures::of("futures dropped in mid-call, 52 times");
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let made = instance(&*runtime, &core(backend));
            let call = made.call_function::<_, ()>("spin", &());
            assert!(
                tokio::time::timeout(Duration::from_millis(20), call)
                    .await
                    .is_err()
            );
            assert_eq!(made.state(), WasmInstanceState::Poisoned);
            let after = made.call_simple_function("seven", &[]);
            assert!(matches!(after, Err(Error::Poisoned { .. })), "{after:?}");
            assert_healthy(&*runtime, backend);
        }
        let runtime = runtime(Backend::Wasmtime);
        for _ in 0..50 {
            let made = instance(&*runtime, COMPONENT);
            let call = made.call_function::<_, ()>("spin", &());
            assert!(
                tokio::time::timeout(Duration::from_millis(1), call)
                    .await
                    .is_err()
            );
        }
        assert_healthy(&*runtime, Backend::Wasmtime);
    });
}

#[test]
fn memory_and_table_bombs() {
    let _figures = Figures::of("memory and table bombs");
    let text = r#"(module (memory (export "memory") 0) (table 0 funcref)
        (func (export "memory_bomb") (loop (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.const 1))))))
        (func (export "table_bomb") (loop
          (br_if 0 (i32.ne (i32.const -1) (table.grow 0 (ref.null func) (i32.const 100)))))))"#;
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let small = ResourceLimits {
            memory_bytes: 8 << 20,
            table_elements: 5000,
            ..limits()
        };
        let made =
            instance_with(&*runtime, text, small.clone(), Capabilities::minimal()).expect("made");
        made.call_simple_function("memory_bomb", &[])
            .expect("it fizzles out");
        assert_eq!(made.memory_usage(), 8 << 20);
        made.call_simple_function("table_bomb", &[])
            .expect("it fizzles out");
        let absurd = r#"(module (memory 65536))"#;
        let refused =
            instance_with(&*runtime, absurd, small.clone(), Capabilities::minimal()).err();
        assert!(
            matches!(
                refused,
                Some(
                    Error::LimitExceeded {
                        limit: Limit::Memory,
                        ..
                    } | Error::InvalidModule { .. }
                )
            ),
            "{refused:?}"
        );
        assert_healthy(&*runtime, backend);
    }
}

#[test]
fn deep_recursion_on_small_threads() {
    let _figures = Figures::of("deep recursion on a thread of 2 MiB");
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let made = instance(&*runtime, &core(backend));
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let outcome = std::thread::scope(|scope| {
            let spawned = thread.spawn_scoped(scope, || made.call_simple_function("dive", &[0]));
            spawned.expect("a thread").join().expect("it survives")
        });
        assert_eq!(
            outcome.err().and_then(|error| error.limit()),
            Some(Limit::Stack)
        );
        assert_healthy(&*runtime, backend);
    }
}

const CALLS_HOST: &str = r#"(module (import "env" "evil" (func $evil (param i32) (result i32)))
    (func (export "call") (param i32) (result i32) (call $evil (local.get 0)))
    (func (export "seven") (result i32) (i32.const 7)))"#;

#[test]
fn host_functions_that_panic_fail_or_lie() {
    let _figures = Figures::of("host functions that panic, fail or lie");
    for backend in BACKENDS {
        let mut functions = HostFunctions::default();
        functions.add("env", "evil", |(what,): (i32,)| match what {
            0 => panic!("on purpose"),
            1 => Err("refused".into()),
            _ => Ok(what),
        });
        let runtime = runtime_hosting(backend, functions);
        let make = || instance(&*runtime, CALLS_HOST);
        let panicked = make().call_simple_function("call", &[0]);
        assert!(
            matches!(&panicked, Err(Error::HostFunctionPanicked { reason, .. }) if reason == "on purpose"),
            "{panicked:?}"
        );
        let failed = make().call_simple_function("call", &[1]);
        assert!(
            matches!(&failed, Err(Error::HostFunctionFailed { reason, .. }) if reason == "refused"),
            "{failed:?}"
        );
        assert_eq!(make().call_simple_function("call", &[5]).expect("fine"), 5);
        let made = make();
        made.call_simple_function("call", &[0]).expect_err("panics");
        assert!(matches!(
            made.call_simple_function("seven", &[]),
            Err(Error::Poisoned { .. })
        ));

        let mut functions = HostFunctions::default();
        functions.add_raw("env", "evil", |_, _| {
            Ok(vec![wasm_sandbox::Value::String("a lie".into())])
        });
        let runtime = runtime_hosting(backend, functions);
        let lied = instance(&*runtime, CALLS_HOST).call_simple_function("call", &[0]);
        assert!(
            matches!(lied, Err(Error::HostFunctionFailed { .. })),
            "{lied:?}"
        );
    }
}

#[test]
fn reentrance_is_refused_rather_than_waited_for() {
    let _figures = Figures::of("re-entering through the host");
    type Slot = Arc<OnceLock<Mutex<Box<dyn WasmInstance>>>>;
    for backend in BACKENDS {
        let slot: Slot = Arc::default();
        let inner = slot.clone();
        let mut functions = HostFunctions::default();
        functions.add("env", "evil", move |(_,): (i32,)| {
            let caller = inner
                .get()
                .ok_or("not set up")?
                .lock()
                .map_err(|_| "poisoned")?
                .function_caller();
            match caller.call_blocking("seven", &[]) {
                Err(Error::Reentrant) => Ok(-1),
                other => Err(format!("it answered {other:?}").into()),
            }
        });
        let runtime = runtime_hosting(backend, functions);
        let made = instance(&*runtime, CALLS_HOST);
        let caller = made.function_caller();
        slot.set(Mutex::new(made))
            .unwrap_or_else(|_| panic!("set once"));
        let answer = caller
            .call_blocking("call", &[wasm_sandbox::Value::S32(0)])
            .expect("the host noticed");
        assert_eq!(answer, [wasm_sandbox::Value::S32(-1)]);
        assert_eq!(
            caller.call_blocking("seven", &[]).expect("unharmed"),
            [wasm_sandbox::Value::S32(7)]
        );
    }
}

#[test]
fn floods_of_output_stop_at_the_limit() {
    let _figures = Figures::of("a flood of output");
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "flood") (result i32) (local $errno i32)
          (i32.store (i32.const 0) (i32.const 64))
          (i32.store (i32.const 4) (i32.const 1000))
          (loop
            (local.set $errno (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br_if 0 (i32.eqz (local.get $errno))))
          (local.get $errno)))"#;
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let small = ResourceLimits {
            output_bytes: 10_500,
            ..limits()
        };
        let capture = Capabilities::minimal().with_captured_output();
        let made = instance_with(&*runtime, text, small, capture).expect("made");
        let errno = made
            .call_simple_function("flood", &[])
            .expect("the guest is told");
        assert_ne!(errno, 0);
        let output = made.output();
        assert!(
            output.full && output.stdout.len() == 10_500,
            "{} bytes on {backend:?}",
            output.stdout.len()
        );
        assert_healthy(&*runtime, backend);
    }
}

#[test]
fn huge_strings_into_the_guest() {
    let _figures = Figures::of("a string larger than the guest");
    let runtime = runtime(Backend::Wasmtime);
    let small = ResourceLimits {
        memory_bytes: 1 << 20,
        ..limits()
    };
    let made = instance_with(&*runtime, COMPONENT, small, Capabilities::minimal()).expect("made");
    let text = "x".repeat(8 << 20);
    let outcome = executor().block_on(made.call_function::<_, String>("echo", &(&text,)));
    assert!(outcome.is_err(), "eight megabytes fitted into one");
    assert_healthy(&*runtime, Backend::Wasmtime);
}

/// Types share their parts in a binary: each of these is twice the one before it.
#[test]
fn exploding_types_are_refused() {
    let mut text = String::from(
        r#"(component
          (core module $m
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "f") (param i32)))
          (core instance $i (instantiate $m))
          (type $t0 (tuple u8 u8))"#,
    );
    for level in 1..=17 {
        let inner = level - 1;
        text.push_str(&format!("(type $t{level} (tuple $t{inner} $t{inner}))"));
    }
    for function in 0..100 {
        text.push_str(&format!(
            r#"(func (export "f{function}") (param "a" $t17) (canon lift (core func $i "f")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))"#
        ));
    }
    text.push(')');
    let wasm = wat(&text);
    assert!(wasm.len() < 16 << 10, "{} bytes", wasm.len());
    let runtime = runtime(Backend::Wasmtime);
    let refused = runtime.load_module(&wasm).err();
    assert!(
        matches!(&refused, Some(Error::InvalidModule { reason }) if reason.contains("size")),
        "{refused:?}"
    );
    assert_healthy(&*runtime, Backend::Wasmtime);
}

#[test]
fn floods_of_host_calls_end_at_the_budget() {
    let _figures = Figures::of("a flood of host calls, ended after a million");
    const BUDGET: u64 = 1_000_000;
    let text = r#"(module (import "env" "count" (func $count))
        (func (export "flood") (loop (call $count) (br 0))))"#;
    for backend in BACKENDS {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = calls.clone();
        let mut functions = HostFunctions::default();
        functions.add_raw("env", "count", move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        });
        let runtime = runtime_hosting(backend, functions);
        let budgeted = ResourceLimits {
            host_calls: Some(BUDGET),
            ..limits()
        };
        let made = instance_with(&*runtime, text, budgeted, Capabilities::minimal()).expect("made");
        let outcome = made.call_simple_function("flood", &[]);
        assert_eq!(
            outcome.err().and_then(|error| error.limit()),
            Some(Limit::HostCalls)
        );
        assert_eq!(calls.load(Ordering::Relaxed), BUDGET);
        assert_healthy(&*runtime, backend);
    }
}

#[test]
fn an_instance_that_is_abandoned_while_it_starts_gives_its_place_back() {
    let _figures = Figures::of("start functions that loop, abandoned 20 times");
    let runtime = WasmtimeRuntime::new(&RuntimeConfig {
        max_instances: 2,
        ..config(Backend::Wasmtime)
    })
    .expect("a runtime");
    let text = r#"(module (func $start (loop (br 0))) (start $start))"#;
    let module = runtime.load_module(&wat(text)).expect("loads");
    executor().block_on(async {
        for _ in 0..20 {
            let making =
                runtime.create_instance_boxed(module.as_ref(), limits(), Capabilities::minimal());
            let outcome = tokio::time::timeout(Duration::from_millis(10), making).await;
            assert!(outcome.is_err(), "it started");
            assert_eq!(runtime.live_instances(), 0);
        }
    });
    assert_healthy(&runtime, Backend::Wasmtime);
}
