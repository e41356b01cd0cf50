//! What every backend must do and no other module asks for, and the list of what is asked for: each method of
//! the core and extension traits is called somewhere in this suite, each error and trap is provoked.

use std::path::Path;
use std::time::Duration;

use wasm_memory::MemoryError;
use wasm_memory::host::GuestMemory as _;
use wasm_memory::message;
use wasm_sandbox::rpc::{RpcChannel, StreamChannel, memory_channel};
use wasm_sandbox::{
    Backend, Capabilities, Error, ModuleKind, ResourceLimits, Trap, Value, WasmInstanceExt,
};

use crate::fixtures::{
    BACKENDS, MESSAGES, core, executor, instance, instance_with, limits, runtime, wat,
};

#[test]
fn loading_without_blocking_is_loading() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let wasm = wat(&core(backend));
            let module = runtime.load_module_boxed(&wasm).await.expect("loads");
            assert_eq!(module.kind(), ModuleKind::Core);
            assert_eq!(module.id(), runtime.load_module(&wasm).expect("loads").id());
            let refused = runtime.load_module_boxed(&wasm[..wasm.len() - 1]).await;
            assert!(matches!(refused, Err(Error::InvalidModule { .. })));
        }
    });
}

#[test]
fn callers_know_the_functions_and_outlive_the_reference() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let caller = instance(&*runtime, &core(backend)).function_caller();
        let add = caller.function("add").expect("it is exported");
        assert_eq!(&*add.name, "add");
        assert_eq!(add.signature.to_string(), "func(s32, s32) -> s32");
        assert!(matches!(
            caller.function("absent"),
            Err(Error::UnknownFunction { name }) if name == "absent"
        ));
        let params = vec![Value::S32(5), Value::S32(7)];
        let given = caller.call_with("add", params).expect("adds");
        assert_eq!(given, [Value::S32(12)]);
    }
}

#[test]
fn sessions_hold_the_instance_and_keep_the_guests_own_error() {
    executor().block_on(async {
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let small = ResourceLimits {
                value_bytes: 1000,
                ..limits()
            };
            let made = instance_with(&*runtime, MESSAGES, small, Capabilities::minimal());
            let made = made.expect("made");
            {
                let mut session = made.guest_session().await.expect("a memory");
                assert_eq!(session.value_bytes(), 1000);
                let ptr = session.call_alloc(5, 1).await.expect("room");
                session.bytes()[ptr as usize..][..5].copy_from_slice(b"bytes");
                let answer = session.call_packed("echo_raw", ptr, 5).await;
                let region = message::unpack(answer.expect("an echo"));
                let echo = &session.bytes()[region.within(1 << 20).expect("inside")];
                assert_eq!(echo, b"bytes");
                let wrong = session.call_packed("absent", 0, 0).await;
                assert!(matches!(wrong, Err(Error::UnknownFunction { .. })));
                assert!(session.take_error().is_none(), "nothing was in the way");
            }
            assert!(
                made.call_function_bytes_async("echo_raw", b"x")
                    .await
                    .is_ok()
            );

            let text = r#"(module (memory (export "memory") 1)
                (func (export "__alloc") (param i32 i32) (result i32) unreachable)
                (func (export "__free") (param i32 i32) (result i32) (i32.const 0)))"#;
            let made = instance(&*runtime, text);
            let mut session = made.guest_session().await.expect("a memory");
            let failed = session.call_alloc(5, 1).await;
            assert!(matches!(failed, Err(MemoryError::GuestFailed { .. })));
            assert!(matches!(
                session.take_error(),
                Some(Error::Trap {
                    trap: Trap::Unreachable,
                    ..
                })
            ));
            assert!(session.take_error().is_none(), "it is told once");
        }
    });
}

#[test]
fn traps_of_tables_and_signatures_are_told_apart() {
    let text = r#"(module (table 2 funcref) (elem (i32.const 0) $none)
        (func $none) (type $one (func (param i32)))
        (func (export "outside") (call_indirect (i32.const 9)))
        (func (export "null") (call_indirect (i32.const 1)))
        (func (export "other") (call_indirect (type $one) (i32.const 7) (i32.const 0))))"#;
    for backend in BACKENDS {
        let runtime = runtime(backend);
        for (name, expected) in [
            ("outside", Trap::TableOutOfBounds),
            ("null", Trap::TableOutOfBounds),
            ("other", Trap::BadSignature),
        ] {
            let outcome = instance(&*runtime, text).call_simple_function(name, &[]);
            let trap = match &outcome {
                Err(Error::Trap { trap, .. }) => Some(*trap),
                _ => None,
            };
            assert_eq!(trap, Some(expected), "{name} on {backend:?}: {outcome:?}");
        }
    }
    // A trap that has no name of its own: waiting on memory that nobody shares.
    let waits = r#"(module (memory 1) (func (export "wait") (result i32)
        (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0))))"#;
    let runtime = runtime(Backend::Wasmtime);
    let outcome = instance(&*runtime, waits).call_simple_function("wait", &[]);
    assert!(
        matches!(
            outcome,
            Err(Error::Trap {
                trap: Trap::Other,
                ..
            })
        ),
        "{outcome:?}"
    );
}

/// Whoever blocks the only thread that could finish the call it waits for is let go after the deadline.
#[test]
fn waiting_for_an_instance_ends_with_its_deadline() {
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an executor");
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let bounded = ResourceLimits {
            deadline: Some(Duration::from_millis(100)),
            ..limits()
        };
        let made = instance_with(&*runtime, &core(backend), bounded, Capabilities::minimal());
        let made = made.expect("made");
        executor.block_on(async {
            let mut call = std::pin::pin!(made.call_function::<_, ()>("spin", &()));
            tokio::select! {
                biased;
                outcome = &mut call => panic!("it ended: {outcome:?}"),
                () = tokio::task::yield_now() => {}
            }
            let waited = made.call_simple_function("seven", &[]);
            assert!(
                matches!(waited, Err(Error::Timeout(after)) if after == Duration::from_millis(100)),
                "{waited:?} on {backend:?}"
            );
            assert!(call.await.is_err(), "its own deadline has passed, too");
        });
    }
}

#[test]
fn channels_as_objects_receive_and_know_what_is_pending() {
    executor().block_on(async {
        let (a, b) = memory_channel(4).expect("a channel");
        let (a, b): (Box<dyn RpcChannel>, Box<dyn RpcChannel>) = (Box::new(a), Box::new(b));
        a.send_boxed(b"whole").await.expect("sent");
        assert_eq!(
            b.receive_boxed().await.expect("received").as_deref(),
            Some(&b"whole"[..])
        );
        assert!(
            !std::ptr::eq(a.pending(), b.pending()),
            "each end has its own"
        );
        drop(a);
        assert_eq!(b.receive_boxed().await.expect("an orderly end"), None);
        #[cfg(unix)]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let absent = StreamChannel::connect_unix(folder.path().join("absent")).await;
            assert!(
                matches!(&absent, Err(Error::Io { context, .. }) if context.contains("absent")),
                "{absent:?}"
            );
        }
    });
}

/// The names at this indentation that `head` begins the lines of, in the block that `start` opens.
fn names<'s>(source: &'s str, start: &str, heads: &[&str]) -> Vec<&'s str> {
    let from = source.find(start).unwrap_or_else(|| panic!("no `{start}`"));
    let block = &source[from..];
    let block = &block[..block.find("\n}\n").expect("it ends")];
    let lines = block
        .lines()
        .skip(1)
        .filter_map(|line| line.strip_prefix("    "));
    lines
        .filter_map(|line| heads.iter().find_map(|head| line.strip_prefix(head)))
        .map(|rest| {
            &rest[..rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())]
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_method_and_every_error_is_asked_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = |path: &str| std::fs::read_to_string(root.join(path)).expect("it can be read");
    let mut suite = String::new();
    for entry in std::fs::read_dir(root.join("tests/suite")).expect("the suite is here") {
        let path = entry.expect("it can be listed").path();
        suite += &std::fs::read_to_string(path).expect("it can be read");
    }
    let mut missing = Vec::new();
    for (file, traits) in [
        (
            "src/runtime/traits.rs",
            &[
                "WasmRuntime:",
                "WasmModule:",
                "WasmInstance:",
                "WasmFunctionCaller:",
                "GuestSession:",
            ][..],
        ),
        (
            "src/runtime/ext.rs",
            &["WasmRuntimeExt:", "WasmInstanceExt:"],
        ),
        ("src/rpc/mod.rs", &["RpcChannel:"]),
        ("src/rpc/typed.rs", &["RpcChannelExt:"]),
    ] {
        let source = source(file);
        for name in traits {
            let methods = names(
                &source,
                &format!("pub trait {name}"),
                &["fn ", "unsafe fn "],
            );
            assert!(!methods.is_empty(), "`{name}` has no methods");
            for method in methods {
                let calls = [format!(".{method}("), format!(".{method}::<")];
                if !calls.iter().any(|call| suite.contains(call)) {
                    missing.push(format!("{name} {method}"));
                }
            }
        }
    }
    let errors = source("src/error.rs");
    for kind in ["Error", "Trap", "Limit"] {
        let variants = names(&errors, &format!("pub enum {kind} {{"), &[""]);
        assert!(variants.len() > 7, "{variants:?}");
        for variant in variants {
            // What no engine has a reason for: everything that could fail is refused before.
            let unreachable = (kind, variant) == ("Error", "Instantiation");
            if !unreachable && !suite.contains(&format!("{kind}::{variant}")) {
                missing.push(format!("{kind}::{variant}"));
            }
        }
    }
    assert!(missing.is_empty(), "nothing asks for {missing:#?}");
}
