//! The traits as such: dyn-compatibility, downcasting, modules, states, errors.

use std::sync::Arc;

use wasm_sandbox::{
    Backend, Capabilities, Error, InstanceSpec, Limit, ModuleId, ModuleKind, RpcChannel,
    RuntimeConfig, WasmFunctionCaller, WasmInstance, WasmModule, WasmRuntime, WasmRuntimeExt,
    WasmiRuntime, WasmtimeInstance, WasmtimeRuntime, create_memory_channel, create_runtime,
};

use crate::fixtures::{BACKENDS, CORE, config, core, executor, instance, limits, runtime, wat};

fn assert_shareable<T: Send + Sync + ?Sized>() {}

/// A backend written without this crate's help.
#[path = "../../examples/custom_backend.rs"]
mod custom_backend;

#[test]
fn a_backend_from_outside_is_as_good_as_ours() {
    custom_backend::main().expect("its calls and their log");
}

#[test]
fn core_traits_are_objects_that_any_thread_may_hold() {
    assert_shareable::<dyn WasmRuntime>();
    assert_shareable::<dyn WasmModule>();
    assert_shareable::<dyn WasmInstance>();
    assert_shareable::<dyn WasmFunctionCaller>();
    assert_shareable::<dyn RpcChannel>();
    let channel: Box<dyn RpcChannel> = create_memory_channel(1024).expect("a channel");
    assert!(channel.is_connected());
}

#[test]
fn objects_are_downcast_to_what_they_are() {
    let runtime = runtime(Backend::Wasmtime);
    assert!(runtime.as_any().is::<WasmtimeRuntime>());
    assert!(!runtime.as_any().is::<WasmiRuntime>());
    assert_eq!(runtime.runtime_type(), "wasmtime");
    let instance = instance(&*runtime, CORE);
    assert!(instance.as_any().is::<WasmtimeInstance>());
    assert!(instance.function_caller().as_any().is::<WasmtimeInstance>());
}

#[test]
fn a_module_is_what_its_bytes_are() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let bytes = wat(&core(backend));
        let module = runtime.load_module(&bytes).expect("a module");
        assert_eq!(module.kind(), ModuleKind::Core);
        assert_eq!(module.size(), bytes.len());
        assert_eq!(
            runtime.load_module(&bytes).expect("again").id(),
            module.id()
        );
        assert_eq!(
            runtime.get_module(module.id()).expect("by id").id(),
            module.id()
        );
        let names: Vec<_> = module
            .exports()
            .into_iter()
            .map(|function| function.name)
            .collect();
        assert!(
            names.is_sorted() && names.iter().any(|name| &**name == "add"),
            "{names:?}"
        );
        let add = module
            .exports()
            .into_iter()
            .find(|function| &*function.name == "add")
            .expect("add");
        assert_eq!(add.signature.to_string(), "func(s32, s32) -> s32");
        let instance = runtime
            .create_instance(module.as_ref(), limits(), Capabilities::minimal())
            .expect("an instance");
        runtime.unload_module(module.id()).expect("loaded");
        assert!(matches!(
            runtime.unload_module(module.id()),
            Err(Error::UnknownModule { .. })
        ));
        assert!(matches!(
            runtime.get_module(module.id()),
            Err(Error::UnknownModule { .. })
        ));
        assert_eq!(
            instance
                .call_simple_function("seven", &[])
                .expect("instances live on"),
            7
        );
        assert!(matches!(
            runtime.get_module(ModuleId(u64::MAX)),
            Err(Error::UnknownModule { .. })
        ));
    }
}

#[test]
fn malformed_modules_are_errors() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        let good = wat(&core(backend));
        for bytes in [
            &b""[..],
            b"\0asm",
            b"(module)",
            &[0; 64],
            &good[..good.len() / 2],
        ] {
            let refused = runtime.load_module(bytes).err();
            assert!(
                matches!(refused, Some(Error::InvalidModule { .. })),
                "{bytes:?} answered {refused:?}"
            );
        }
    }
}

#[test]
fn missing_imports_are_named() {
    for backend in BACKENDS {
        let runtime = runtime(backend);
        for (text, expected) in [
            (r#"(module (import "env" "missing" (func)))"#, "env#missing"),
            (
                r#"(module (import "env" "memory" (memory 1)))"#,
                "env#memory",
            ),
            (
                r#"(module (import "wasi_snapshot_preview1" "invented" (func)))"#,
                "wasi_snapshot_preview1#invented",
            ),
        ] {
            match runtime.load_module(&wat(text)).err() {
                Some(Error::MissingImports { imports }) => {
                    assert_eq!(imports.len(), 1);
                    assert_eq!(imports[0].to_string(), expected);
                }
                other => panic!("{text} answered {other:?}"),
            }
        }
    }
}

#[test]
fn a_runtime_knows_its_own_modules_only() {
    for backend in BACKENDS {
        for other in BACKENDS {
            let (here, there) = (runtime(backend), runtime(other));
            let module = there.load_module(&wat("(module)")).expect("a module");
            let refused = here
                .create_instance(module.as_ref(), limits(), Capabilities::minimal())
                .err();
            assert!(
                matches!(refused, Some(Error::ForeignModule { .. })),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn runtime_limits_hold() {
    for backend in BACKENDS {
        let small = RuntimeConfig {
            max_instances: 2,
            max_modules: 2,
            max_module_bytes: 100,
            ..config(backend)
        };
        let runtime = create_runtime(&small).expect("a runtime");
        let module = runtime.load_module(&wat("(module)")).expect("a module");
        let make = || runtime.create_instance(module.as_ref(), limits(), Capabilities::minimal());
        let first = make().expect("the first");
        let _second = make().expect("the second");
        assert_eq!(
            make().err().and_then(|error| error.limit()),
            Some(Limit::Instances)
        );
        drop(first);
        let _third = make().expect("room again");
        runtime
            .load_module(&wat("(module (func))"))
            .expect("the second module");
        let third = runtime.load_module(&wat("(module (func) (func))"));
        assert_eq!(
            third.err().and_then(|error| error.limit()),
            Some(Limit::Modules)
        );
        runtime.unload_module(module.id()).expect("loaded");
        runtime
            .load_module(&wat("(module (func) (func))"))
            .expect("room again");
        let large = runtime.load_module(&[0; 101]);
        assert_eq!(
            large.err().and_then(|error| error.limit()),
            Some(Limit::ModuleBytes)
        );
        let zero = RuntimeConfig {
            max_instances: 0,
            ..config(backend)
        };
        assert!(matches!(
            create_runtime(&zero),
            Err(Error::InvalidConfig { .. })
        ));
    }
}

#[test]
fn extension_traits_work_on_objects_and_on_types() {
    executor().block_on(async {
        let concrete = WasmtimeRuntime::new(&config(Backend::Wasmtime)).expect("a runtime");
        concrete
            .load_module_async(&wat(CORE))
            .await
            .expect("on the type");
        for backend in BACKENDS {
            let runtime = runtime(backend);
            let bytes = wat(&core(backend));
            let module: Arc<dyn WasmModule> = runtime
                .load_module_async(&bytes)
                .await
                .expect("loads")
                .into();
            let spec = InstanceSpec {
                module,
                resources: limits(),
                capabilities: Capabilities::minimal(),
            };
            let instances = runtime
                .create_instances_batch((0..50).map(|_| spec.clone()))
                .await
                .expect("a batch");
            for instance in &instances {
                assert_eq!(
                    instance
                        .call_simple_function("seven", &[])
                        .expect("each one"),
                    7
                );
            }
        }
    });
}
