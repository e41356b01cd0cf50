//! Many instances, many threads, and nothing left behind.

use std::sync::Arc;
use std::time::Duration;

use wasm_sandbox::{
    Backend, Capabilities, InstanceSpec, RuntimeConfig, WasmInstance, WasmInstanceExt, WasmModule,
    WasmRuntime, WasmRuntimeExt, WasmiRuntime, WasmtimeRuntime,
};

use crate::fixtures::{
    BACKENDS, COMPONENT, config, core, executor, instance, limits, runtime, runtime_with, wat,
};

#[test]
fn thousands_of_instances_at_once() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime_with(&RuntimeConfig {
                max_instances: 3000,
                ..config(backend)
            });
            let module: Arc<dyn WasmModule> = runtime
                .load_module(&wat(&core(backend)))
                .expect("loads")
                .into();
            let spec = InstanceSpec {
                module,
                resources: limits(),
                capabilities: Capabilities::minimal(),
            };
            let instances = runtime
                .create_instances_batch(std::iter::repeat_n(spec, 3000))
                .await
                .expect("all");
            let calls = instances.into_iter().enumerate().map(|(index, made)| {
                tokio::spawn(async move {
                    let index = index as i32;
                    let sum: i32 = made.call_function("add", &(index, 1)).await.expect("a sum");
                    assert_eq!(sum, index + 1);
                })
            });
            for call in calls.collect::<Vec<_>>() {
                call.await.expect("a task");
            }
        }
    });
}

#[test]
fn an_instance_moves_from_thread_to_thread() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let mut made: Box<dyn WasmInstance> = instance(&*runtime, &core(backend));
        for round in 0..50 {
            made = std::thread::spawn(move || {
                made.call_simple_function("store", &[round * 4, round])
                    .expect("stores");
                made
            })
            .join()
            .expect("a thread");
            assert_eq!(
                made.call_simple_function("load", &[round * 4])
                    .expect("loads"),
                round
            );
        }
    }
}

#[test]
fn calls_of_one_instance_wait_for_one_another() {
    let text = r#"(module (global $n (mut i32) (i32.const 0))
        (func (export "bump") (result i32) (local $i i32) (local $seen i32)
          (local.set $seen (global.get $n))
          (loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
          (global.set $n (i32.add (local.get $seen) (i32.const 1)))
          (global.get $n)))"#;
    let executor = executor();
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let made: Arc<dyn WasmInstance> = instance(&*runtime, text).into();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        made.call_simple_function("bump", &[]).expect("bumps");
                    }
                });
            }
        });
        executor.block_on(async {
            let calls = (0..200).map(|_| {
                let made = made.clone();
                tokio::spawn(async move {
                    made.call_function::<_, i32>("bump", &())
                        .await
                        .expect("bumps")
                })
            });
            for call in calls.collect::<Vec<_>>() {
                call.await.expect("a task");
            }
        });
        assert_eq!(
            made.call_simple_function("bump", &[]).expect("bumps"),
            1001,
            "no bump is lost"
        );
    }
}

/// Resident memory of this process in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("it has this line");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("Linux has it")
        .count()
}

/// Create, call, drop, over and over. `SOAK_CYCLES` makes it as long as one likes; 100,000 is what a
/// release is held to. It runs in a process of its own, since it counts memory and files of the whole process.
#[test]
#[cfg(target_os = "linux")]
fn soak_without_growth() {
    const ALONE: &str = "SOAK_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return soak();
    }
    let this = std::env::current_exe().expect("a test is a program");
    let output = std::process::Command::new(this)
        .args(["--exact", "concurrency::soak_without_growth", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("it can be started again");
    let printed = String::from_utf8_lossy(&output.stdout);
    print!("{printed}");
    assert!(
        output.status.success() && printed.contains("cycles:"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(target_os = "linux")]
fn soak() {
    let cycles = std::env::var("SOAK_CYCLES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6_000);
    let executor = executor();
    let wasmtime = WasmtimeRuntime::new(&config(Backend::Wasmtime)).expect("a runtime");
    let wasmi = WasmiRuntime::new(&config(Backend::Wasmi)).expect("a runtime");
    let load =
        |runtime: &dyn WasmRuntime, text: &str| runtime.load_module(&wat(text)).expect("loads");
    let modules = [
        (
            &wasmtime as &dyn WasmRuntime,
            load(&wasmtime, &core(Backend::Wasmtime)),
        ),
        (
            &wasmi as &dyn WasmRuntime,
            load(&wasmi, &core(Backend::Wasmi)),
        ),
        (&wasmtime as &dyn WasmRuntime, load(&wasmtime, COMPONENT)),
    ];
    let cycle = |index: usize| {
        let (runtime, module) = &modules[index % modules.len()];
        let made = runtime
            .create_instance(module.as_ref(), limits(), Capabilities::minimal())
            .expect("made");
        if index.is_multiple_of(7) {
            let _ = made.call_simple_function("trap", &[]);
        } else if index.is_multiple_of(5) {
            let sum: i32 = executor
                .block_on(made.call_function("add", &(index as i32, 1)))
                .expect("a sum");
            assert_eq!(sum, index as i32 + 1);
        } else {
            assert_eq!(
                made.call_simple_function("add", &[5, 7]).expect("a sum"),
                12
            );
        }
    };
    (0..cycles / 4).for_each(cycle);
    let (memory, files) = (resident(), open_files());
    (0..cycles).for_each(cycle);
    let (grown, opened) = (
        resident().saturating_sub(memory),
        open_files().saturating_sub(files),
    );
    assert_eq!((wasmtime.live_instances(), wasmi.live_instances()), (0, 0));
    println!(
        "{cycles} cycles: {grown} KiB and {opened} files more than after the first {}",
        cycles / 4
    );
    // An allocator may come to need a little more; a leak of a byte for each cycle would not be seen, one of a page would.
    assert!(grown < 16 << 10, "{cycles} cycles grew by {grown} KiB");
    assert!(opened < 8, "{cycles} cycles opened {opened} files");
}

#[test]
fn dropping_a_runtime_within_an_executor_is_allowed() {
    let text = r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1) (func (export "run") (result i32) (call $yield)))"#;
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let made = instance(&*runtime, text);
            drop(runtime);
            assert_eq!(
                made.call_function::<_, i32>("run", &())
                    .await
                    .expect("instances keep what they need"),
                0
            );
            assert_eq!(
                made.call_simple_function("run", &[])
                    .expect("blocking works on an executor's thread"),
                0
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}
