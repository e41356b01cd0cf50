//! What a program asks that shows its guests to people, such as a command-line runner: where they
//! stopped, what they export, what they lack; and the configuration that suits it.

use std::time::{Duration, Instant};

use wasm_sandbox::{
    Backend, Capabilities, Error, Limit, ResourceLimits, RuntimeConfig, Stdin, Type, Value,
    WasmRuntime, create_runtime,
};

use crate::fixtures::{
    BACKENDS, config, instance, instance_with, limits, runtime, runtime_with, wat,
};

/// Three calls deep, in as many ways to be stopped.
const STOPPED: &str = r#"(module
  (func $traps unreachable)
  (func $spins (loop (br 0)))
  (func $dives (call $dives))
  (func (export "trap") (call $traps))
  (func (export "spin") (call $spins))
  (func (export "dive") (call $dives)))"#;

fn names(error: &Error) -> Vec<&str> {
    error
        .backtrace()
        .iter()
        .map(|frame| frame.function.as_deref().unwrap_or("?"))
        .collect()
}

fn stopped(config: &RuntimeConfig, function: &str, limits: ResourceLimits) -> Error {
    let runtime = runtime_with(config);
    instance_with(&*runtime, STOPPED, limits, Capabilities::minimal())
        .and_then(|instance| instance.call_simple_function(function, &[]))
        .expect_err("the guest is stopped")
}

#[test]
fn errors_tell_where_the_guest_was() {
    let config = config(Backend::Wasmtime);
    let trap = stopped(&config, "trap", limits());
    assert_eq!(names(&trap), ["traps", "?"]);
    assert_eq!(trap.backtrace()[0].index, 0);
    assert_eq!(trap.backtrace()[1].index, 3);
    assert!(
        matches!(&trap, Error::Trap { message, .. } if message == "wasm `unreachable` instruction executed")
    );

    let metered = ResourceLimits {
        fuel: Some(1000),
        ..limits()
    };
    let fuel = stopped(&config, "spin", metered);
    assert_eq!(
        (fuel.limit(), &names(&fuel)[..]),
        (Some(Limit::Fuel), &["spins", "?"][..])
    );

    let timed = ResourceLimits {
        deadline: Some(Duration::from_millis(20)),
        ..limits()
    };
    let deadline = stopped(&config, "spin", timed);
    assert_eq!(
        (deadline.limit(), &names(&deadline)[..]),
        (Some(Limit::Deadline), &["spins", "?"][..])
    );

    let deep = stopped(&config, "dive", limits());
    assert_eq!(deep.limit(), Some(Limit::Stack));
    assert_eq!(names(&deep), ["dives"; 20]);
}

#[test]
fn backtraces_are_as_long_as_wanted() {
    for frames in [0, 1, 3] {
        let config = RuntimeConfig {
            backtrace_frames: frames,
            ..config(Backend::Wasmtime)
        };
        let deep = stopped(&config, "dive", limits());
        assert_eq!(deep.backtrace().len(), frames);
    }
}

#[test]
fn a_start_function_tells_too() {
    let runtime = runtime(Backend::Wasmtime);
    let text = "(module (func $begin unreachable) (start $begin))";
    let error = instance_with(&*runtime, text, limits(), Capabilities::minimal())
        .err()
        .expect("it traps");
    assert_eq!(names(&error), ["begin"]);
}

#[test]
fn all_that_is_missing_is_named() {
    let core = r#"(module
      (import "env" "a" (func))
      (import "env" "memory" (memory 1))
      (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
      (import "env" "b" (func (param i32))))"#;
    for backend in BACKENDS {
        match runtime(backend).load_module(&wat(core)).err() {
            Some(Error::MissingImports { imports }) => {
                let mut names: Vec<String> = imports.iter().map(ToString::to_string).collect();
                // The interpreter lists imports by their kind.
                names.sort();
                assert_eq!(names, ["env#a", "env#b", "env#memory"]);
            }
            other => panic!("{other:?}"),
        }
    }
    let component = r#"(component
      (import "wasi:http/handler@0.2.0" (instance (export "handle" (func)) (export "wait" (func))))
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))
      (import "only:types/here" (instance (type $t u32) (export "t" (type (eq $t)))))
      (import "shop:cart/store" (instance (export "item" (type (sub resource)))))
      (import "alone" (func)))"#;
    let error = runtime(Backend::Wasmtime)
        .load_module(&wat(component))
        .err()
        .expect("imports are missing");
    assert_eq!(
        error.to_string(),
        "the module imports `wasi:http/handler@0.2.0#handle`, `wasi:http/handler@0.2.0#wait`, \
         `shop:cart/store#item`, `alone`, not provided; register in \
         `RuntimeConfig::host_functions` what the host has"
    );
}

#[test]
fn an_import_of_another_type_is_not_called_missing() {
    let core = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64))))"#;
    let error = runtime(Backend::Wasmtime).load_module(&wat(core)).err();
    assert!(
        matches!(&error, Some(Error::ImportMismatch { reason }) if reason.contains("proc_exit")),
        "{error:?}"
    );
}

#[test]
fn exports_are_told_in_their_order_and_by_their_names() {
    let core = r#"(module
      (func (export "z") (param i32 v128) (result f64) (f64.const 0))
      (func (export "a") (param externref) (result i32 i64) (i32.const 0) (i64.const 0)))"#;
    let shown = |runtime: &dyn WasmRuntime, text: &str| -> Vec<String> {
        let module = runtime.load_module(&wat(text)).expect("a module");
        let functions = module.wit_exports();
        let mut sorted: Vec<_> = functions.iter().map(|function| &function.name).collect();
        sorted.sort();
        let exports = module.exports();
        assert_eq!(
            sorted,
            exports
                .iter()
                .map(|export| &export.name)
                .collect::<Vec<_>>()
        );
        functions
            .iter()
            .map(|function| format!("{}{}", function.name, function.signature(0)))
            .collect()
    };
    let runtime = runtime(Backend::Wasmtime);
    assert_eq!(
        shown(&*runtime, core),
        ["z(i32, v128) -> f64", "a((ref null extern)) -> (i32, i64)"]
    );
    let component = shown(&*runtime, crate::fixtures::COMPONENT);
    assert_eq!(component[1], "shift(point: point, by: f64) -> point");
    assert_eq!(component[4], "area(of: shape) -> result<f64, string>");
    let resources = shown(&*runtime, crate::fixtures::RESOURCES);
    assert_eq!(
        resources[..2],
        [
            "make(from: u32) -> counter",
            "bump(counter: borrow<counter>) -> u32"
        ]
    );
}

/// Two resources, one of them with methods.
const METHODS: &str = r#"(component
  (core module $m
    (func (export "make") (param i32) (result i32) (local.get 0))
    (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (type $a' (resource (rep i32)))
  (type $b' (resource (rep i32)))
  (core func $new-a (canon resource.new $a'))
  (core func $new-b (canon resource.new $b'))
  (export $a "a" (type $a'))
  (export $b "b" (type $b'))
  (func (export "[constructor]a") (param "from" u32) (result (own $a)) (canon lift (core func $new-a)))
  (func (export "[constructor]b") (param "from" u32) (result (own $b)) (canon lift (core func $new-b)))
  (func (export "[method]a.twice") (param "self" (borrow $a)) (result u32) (canon lift (core func $i "twice")))
  (func (export "[method]a.add") (param "self" (borrow $a)) (param "n" u32) (result u32) (canon lift (core func $i "add")))
)"#;

#[test]
fn methods_are_found_by_the_resource() {
    let runtime = runtime(Backend::Wasmtime);
    let instance = instance(&*runtime, METHODS);
    let caller = instance.function_caller();
    let make = |name: &str| match caller.call_blocking(name, &[Value::U32(21)]).as_deref() {
        Ok([Value::Resource(handle)]) => *handle,
        other => panic!("{other:?}"),
    };
    let (a, b) = (make("[constructor]a"), make("[constructor]b"));
    let methods = instance.methods_of(a).expect("a resource");
    assert_eq!(
        methods.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["[method]a.add", "[method]a.twice"]
    );
    assert!(instance.methods_of(b).expect("a resource").is_empty());
    let twice = caller.call_blocking("[method]a.twice", &[Value::Resource(a)]);
    assert_eq!(twice.expect("a method"), [Value::U32(42)]);
    instance.drop_resource(a).expect("alive");
    assert!(matches!(
        instance.methods_of(a),
        Err(Error::UnknownResource { .. })
    ));
}

#[test]
fn vectors_cross_as_two_lanes() {
    let runtime = runtime(Backend::Wasmtime);
    let text =
        r#"(module (func (export "negate") (param v128) (result v128) (i64x2.neg (local.get 0))))"#;
    let module = runtime.load_module(&wat(text)).expect("a module");
    let lanes = Type::Tuple([Type::S64, Type::S64].into());
    assert_eq!(module.exports()[0].signature.params[0].ty, lanes);
    let instance = instance(&*runtime, text);
    let negate = |low, high| {
        let lanes = Value::Tuple(vec![Value::S64(low), Value::S64(high)]);
        let caller = instance.function_caller();
        caller.call_blocking("negate", &[lanes]).expect("a vector")
    };
    for (low, high) in [(1, -2), (-1, 2), (i64::MAX, 0), (0, i64::MIN + 1)] {
        let lanes = vec![Value::S64(-low), Value::S64(-high)];
        assert_eq!(negate(low, high), [Value::Tuple(lanes)]);
    }
    let wrong = instance
        .function_caller()
        .call_blocking("negate", &[Value::Tuple(vec![Value::S64(1)])]);
    assert!(matches!(wrong, Err(Error::Value(_))), "{wrong:?}");
}

#[test]
fn refused_growth_is_remembered() {
    let text = r#"(module (memory 1)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    let limits = ResourceLimits {
        memory_bytes: 3 << 16,
        ..limits()
    };
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let made = instance_with(&*runtime, text, limits.clone(), Capabilities::minimal());
        let instance = made.expect("it fits");
        assert_eq!(
            instance.call_simple_function("grow", &[2]).expect("called"),
            1
        );
        assert_eq!(instance.refused_growth(), None);
        assert_eq!(
            instance.call_simple_function("grow", &[1]).expect("called"),
            -1
        );
        assert_eq!(instance.refused_growth(), Some(Limit::Memory));
    }
}

#[test]
fn a_deadline_can_be_set_anew() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let instance = instance(&*runtime, STOPPED);
        instance
            .set_deadline(Some(Duration::from_millis(20)))
            .expect("the runtime keeps deadlines");
        let start = Instant::now();
        let error = instance
            .call_simple_function("spin", &[])
            .expect_err("time is up");
        assert_eq!(error.limit(), Some(Limit::Deadline));
        assert!(
            start.elapsed() < Duration::from_secs(15),
            "the first deadline held"
        );
    }
}

#[test]
fn without_interruption_there_are_no_deadlines() {
    let runtime = runtime_with(&RuntimeConfig {
        interruption: false,
        ..config(Backend::Wasmtime)
    });
    assert!(!runtime.capabilities().deadlines);
    let made = instance_with(&*runtime, STOPPED, limits(), Capabilities::minimal());
    assert!(matches!(
        made.err(),
        Some(Error::LimitUnsupported {
            limit: Limit::Deadline,
            ..
        })
    ));
    let unlimited = ResourceLimits {
        deadline: None,
        fuel: Some(1_000_000),
        ..limits()
    };
    let instance = instance_with(&*runtime, STOPPED, unlimited, Capabilities::minimal())
        .expect("no deadline is asked for");
    assert!(matches!(
        instance.set_deadline(Some(Duration::from_secs(1))),
        Err(Error::LimitUnsupported { .. })
    ));
    let error = instance
        .call_simple_function("spin", &[])
        .expect_err("fuel still holds");
    assert_eq!(error.limit(), Some(Limit::Fuel));
}

#[test]
fn a_large_stack_does_not_come_from_the_callers_thread() {
    let config = RuntimeConfig {
        stack_bytes: 16 << 20,
        pooling: false,
        ..config(Backend::Wasmtime)
    };
    let small_thread = std::thread::Builder::new().stack_size(256 << 10);
    let dive = move || {
        let runtime = runtime_with(&config);
        let begins = "(module (func $dives (call $dives)) (start $dives))";
        let begun = instance_with(&*runtime, begins, limits(), Capabilities::minimal()).err();
        assert_eq!(begun.and_then(|error| error.limit()), Some(Limit::Stack));
        let instance = instance(&*runtime, STOPPED);
        let error = instance
            .call_simple_function("dive", &[])
            .expect_err("no stack is endless");
        assert_eq!(error.limit(), Some(Limit::Stack));
    };
    small_thread
        .spawn(dive)
        .expect("a thread")
        .join()
        .expect("the host is healthy");
}

#[test]
fn compiled_code_is_kept_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = RuntimeConfig {
        code_cache: Some(folder.path().join("code")),
        ..config(Backend::Wasmtime)
    };
    for _ in 0..2 {
        let runtime = runtime_with(&config);
        let instance = instance(&*runtime, crate::fixtures::CORE);
        assert_eq!(
            instance
                .call_simple_function("add", &[2, 3])
                .expect("called"),
            5
        );
    }
    let kept = std::fs::read_dir(folder.path().join("code")).expect("the folder was made");
    assert!(kept.count() > 0);

    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let unusable = RuntimeConfig {
        code_cache: Some(file),
        ..config
    };
    let refused = create_runtime(&unusable).err();
    assert!(
        matches!(refused, Some(Error::InvalidConfig { .. })),
        "{refused:?}"
    );
}

#[test]
fn the_interpreter_does_not_wait_for_the_hosts_input() {
    let capabilities = Capabilities {
        stdin: Stdin::Inherit,
        ..Capabilities::minimal()
    };
    let made = |backend| {
        let runtime = runtime(backend);
        instance_with(&*runtime, "(module)", limits(), capabilities.clone()).err()
    };
    assert!(made(Backend::Wasmtime).is_none());
    assert!(matches!(
        made(Backend::Wasmi),
        Some(Error::CapabilityUnsupported { .. })
    ));
}

#[test]
fn modules_are_shared_unless_nobody_wants_it() {
    let loaded = |share_modules| {
        let runtime = runtime_with(&RuntimeConfig {
            share_modules,
            max_modules: 2,
            ..config(Backend::Wasmtime)
        });
        let bytes = wat("(module)");
        let ids = [(); 2].map(|()| runtime.load_module(&bytes).expect("a module").id());
        let third = runtime.load_module(&bytes).err();
        for id in ids {
            assert_eq!(runtime.get_module(id).expect("loaded").id(), id);
        }
        (ids[0] == ids[1], third.and_then(|error| error.limit()))
    };
    assert_eq!(loaded(true), (true, None));
    assert_eq!(loaded(false), (false, Some(Limit::Modules)));
}
