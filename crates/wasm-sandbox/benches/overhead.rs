//! What the sandbox costs over raw wasmtime, measured in one run, the two sides interleaved.
//!
//! Prints a table of medians and ratios; `--check` ends with status 1 when a ratio is above its bound.
//! Both sides use the same engine, so they share configuration and pool.

mod harness;

use std::hint::black_box;

use harness::compare;
use serde::{Deserialize, Serialize};
use wasm_sandbox::{
    Capabilities, ResourceLimits, RuntimeConfig, WasmInstance, WasmInstanceExt, WasmRuntime,
    WasmtimeRuntime,
};
use wasmtime::component::{Component, ComponentType, Lift, Linker as ComponentLinker, Lower, Val};
use wasmtime::{Linker, Module, Store, StoreLimits, StoreLimitsBuilder};

const CORE: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;

const RECORD: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "shift") (param f64 f64 i32 i32 f64) (result i32)
      (f64.store (i32.const 16) (f64.add (local.get 0) (local.get 4)))
      (f64.store (i32.const 24) (f64.add (local.get 1) (local.get 4)))
      (i32.store (i32.const 32) (local.get 2))
      (i32.store (i32.const 36) (local.get 3))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (type $point (record (field "x" f64) (field "y" f64) (field "name" string)))
  (export $point-t "point" (type $point))
  (func (export "shift") (param "point" $point-t) (param "by" f64) (result $point-t)
    (canon lift (core func $i "shift") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

const MESSAGES: &str = r#"(module
  (memory (export "memory") 40)
  (func (export "__alloc") (param i32 i32) (result i32) (i32.const 65536))
  (func (export "__free") (param i32 i32) (result i32) (i32.const 0))
  (func (export "in_place") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
  (@custom "wasm-memory.messages" "in_place=raw\n"))"#;

#[derive(Clone, ComponentType, Lower, Lift, Serialize, Deserialize)]
#[component(record)]
struct Point {
    x: f64,
    y: f64,
    name: String,
}

fn limits() -> ResourceLimits {
    ResourceLimits::default()
}

/// A store bounded as the sandbox bounds its own.
fn raw_store(engine: &wasmtime::Engine) -> Store<StoreLimits> {
    let mut store = Store::new(
        engine,
        StoreLimitsBuilder::new().memory_size(64 << 20).build(),
    );
    store.limiter(|limits| limits);
    store.epoch_deadline_trap();
    store.set_epoch_deadline(1 << 40);
    store
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = WasmtimeRuntime::new(&RuntimeConfig::default())?;
    let engine = runtime.engine().clone();
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rows = Vec::new();

    let wasm = wat::parse_str(CORE)?;
    let module = runtime.load_module(&wasm)?;
    let raw_module = Module::new(&engine, &wasm)?;
    let pre = Linker::<StoreLimits>::new(&engine).instantiate_pre(&raw_module)?;
    rows.extend(compare(
        "create and drop an instance, pooled",
        1.2,
        500,
        || {
            let mut store = raw_store(&engine);
            black_box(pre.instantiate(&mut store).expect("instantiates"));
        },
        || {
            let made = runtime.create_instance(module.as_ref(), limits(), Capabilities::minimal());
            black_box(made.expect("instantiates"));
        },
    ));

    let mut store = raw_store(&engine);
    let raw = pre
        .instantiate(&mut store)?
        .get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
    let instance: Box<dyn WasmInstance> =
        runtime.create_instance(module.as_ref(), limits(), Capabilities::minimal())?;
    rows.extend(compare(
        "call_simple_function through the trait object",
        1.3,
        50_000,
        || {
            black_box(raw.call(&mut store, black_box((5, 7))).expect("adds"));
        },
        || {
            black_box(
                instance
                    .call_simple_function(black_box("add"), black_box(&[5, 7]))
                    .expect("adds"),
            );
        },
    ));

    let wasm = wat::parse_str(RECORD)?;
    let component = Component::new(&engine, &wasm)?;
    let mut store = raw_store(&engine);
    let raw = ComponentLinker::new(&engine).instantiate(&mut store, &component)?;
    let raw = raw.get_typed_func::<(Point, f64), (Point,)>(&mut store, "shift")?;
    let module = runtime.load_module(&wasm)?;
    let instance = runtime.create_instance(module.as_ref(), limits(), Capabilities::minimal())?;
    let point = Point {
        x: 1.0,
        y: 2.0,
        name: "somewhere".into(),
    };
    rows.extend(compare(
        "record call through serde, asynchronous",
        1.5,
        2_000,
        || {
            let call = raw.call_async(&mut store, (point.clone(), 0.5));
            black_box(executor.block_on(call).expect("shifts"));
        },
        || {
            let params = (&point, 0.5);
            let call = instance.call_function::<_, Point>("shift", &params);
            black_box(executor.block_on(call).expect("shifts"));
        },
    ));

    let named = |point: &Point| {
        Val::Record(vec![
            ("x".into(), Val::Float64(point.x)),
            ("y".into(), Val::Float64(point.y)),
            ("name".into(), Val::String(point.name.clone())),
        ])
    };
    let dynamic = *raw.func();
    let mut other_store = raw_store(&engine);
    let other = ComponentLinker::new(&engine).instantiate(&mut other_store, &component)?;
    let other = other.get_typed_func::<(Point, f64), (Point,)>(&mut other_store, "shift")?;
    rows.extend(compare(
        "for comparison: the same call through wasmtime's own dynamic values",
        None,
        2_000,
        || {
            let call = other.call_async(&mut other_store, (point.clone(), 0.5));
            black_box(executor.block_on(call).expect("shifts"));
        },
        || {
            let params = [named(&point), Val::Float64(0.5)];
            let mut results = [Val::Bool(false)];
            let call = dynamic.call_async(&mut store, &params, &mut results);
            executor.block_on(call).expect("shifts");
            black_box(results);
        },
    ));

    let wasm = wat::parse_str(MESSAGES)?;
    let raw_module = Module::new(&engine, &wasm)?;
    let mut store = raw_store(&engine);
    let raw_instance = Linker::new(&engine).instantiate(&mut store, &raw_module)?;
    let memory = raw_instance
        .get_memory(&mut store, "memory")
        .ok_or("no memory")?;
    let raw = raw_instance.get_typed_func::<(i32, i32), i64>(&mut store, "in_place")?;
    let module = runtime.load_module(&wasm)?;
    let instance = runtime.create_instance(module.as_ref(), limits(), Capabilities::minimal())?;
    let payload = vec![7u8; 1 << 20];
    rows.extend(compare(
        "write, call and read of 1 MB through the memory controller",
        1.1,
        20,
        || {
            memory.data_mut(&mut store)[65536..65536 + payload.len()].copy_from_slice(&payload);
            black_box(
                raw.call(&mut store, (65536, payload.len() as i32))
                    .expect("answers"),
            );
            black_box(memory.data(&store)[65536..65536 + payload.len()].to_vec());
        },
        || {
            let call = instance.call_function_bytes_async("in_place", &payload);
            black_box(executor.block_on(call).expect("answers"));
        },
    ));

    if !harness::print("raw wasmtime", &rows) && harness::checks() {
        std::process::exit(1);
    }
    Ok(())
}
