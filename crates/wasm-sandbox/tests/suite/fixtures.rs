//! Modules and runtimes that the tests share.

use std::time::Duration;

use wasm_sandbox::{
    Backend, Capabilities, HostFunctions, ResourceLimits, RuntimeConfig, WasmInstance, WasmRuntime,
    create_runtime,
};

/// Every backend of this crate.
pub(crate) const BACKENDS: [Backend; 2] = [Backend::Wasmtime, Backend::Wasmi];

/// A configuration small enough for a test machine.
pub(crate) fn config(backend: Backend) -> RuntimeConfig {
    RuntimeConfig {
        backend,
        fuel_metering: true,
        tick: Duration::from_millis(1),
        ..RuntimeConfig::default()
    }
}

pub(crate) fn runtime_with(config: &RuntimeConfig) -> Box<dyn WasmRuntime> {
    create_runtime(config).expect("the test's configuration is valid")
}

pub(crate) fn runtime(backend: Backend) -> Box<dyn WasmRuntime> {
    runtime_with(&config(backend))
}

pub(crate) fn runtime_hosting(
    backend: Backend,
    host_functions: HostFunctions,
) -> Box<dyn WasmRuntime> {
    runtime_with(&RuntimeConfig {
        host_functions,
        ..config(backend)
    })
}

pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's text is valid")
}

pub(crate) fn instance_with(
    runtime: &dyn WasmRuntime,
    text: &str,
    limits: ResourceLimits,
    capabilities: Capabilities,
) -> wasm_sandbox::Result<Box<dyn WasmInstance>> {
    let module = runtime.load_module(&wat(text))?;
    runtime.create_instance(module.as_ref(), limits, capabilities)
}

pub(crate) fn instance(runtime: &dyn WasmRuntime, text: &str) -> Box<dyn WasmInstance> {
    instance_with(runtime, text, limits(), Capabilities::minimal())
        .expect("the test's module works")
}

/// Limits under which no well-behaved test runs into anything.
pub(crate) fn limits() -> ResourceLimits {
    ResourceLimits {
        deadline: Some(Duration::from_secs(20)),
        ..ResourceLimits::default()
    }
}

pub(crate) fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("an executor")
}

/// Functions of numbers, memory and traps.
pub(crate) const CORE: &str = r#"(module
  (memory (export "memory") 1 16)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "seven") (result i32) (i32.const 7))
  (func (export "nothing"))
  (func (export "drop1") (param i32))
  (func (export "sum4") (param i32 i32 i32 i32) (result i32)
    (i32.add (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 2) (local.get 3))))
  (func (export "sum6") (param i32 i32 i32 i32 i32 i32) (result i32)
    (i32.add (i32.add (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 2) (local.get 3)))
      (i32.add (local.get 4) (local.get 5))))
  (func (export "mix") (param i64 f32 f64) (result f64)
    (f64.add (f64.convert_i64_s (local.get 0)) (f64.add (f64.promote_f32 (local.get 1)) (local.get 2))))
  (func (export "pair") (param i32) (result i32 i64) (local.get 0) (i64.extend_i32_s (local.get 0)))
  (func (export "v128") (result v128) (v128.const i64x2 0 0))
  (func (export "trap") (unreachable))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "spin") (loop (br 0)))
  (func $dive (export "dive") (param i32) (result i32)
    (i32.add (i32.const 1) (call $dive (local.get 0))))
)"#;

/// The same without SIMD, which the interpreter leaves out.
pub(crate) fn core(backend: Backend) -> String {
    match backend {
        Backend::Wasmtime => CORE.into(),
        _ => CORE
            .lines()
            .filter(|line| !line.contains("v128"))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// A module with the memory ABI over a bump allocator that frees nothing, and message functions.
pub(crate) const MESSAGES: &str = r#"(module
  (memory (export "memory") 2 400)
  (global $next (mut i32) (i32.const 1024))
  (func $alloc (export "__alloc") (param $len i32) (param $align i32) (result i32)
    (local $ptr i32)
    (local.set $ptr (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (i32.add (local.get $ptr) (local.get $len)) (i32.const 1)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1)
            (i32.div_u (local.get $len) (i32.const 65536)))))
        (then (return (i32.const 0)))))
    (local.get $ptr))
  (func (export "__free") (param i32 i32) (result i32)
    ;; everything is free again when the last block is
    (if (i32.eq (i32.add (i32.add (local.get 0) (local.get 1)) (i32.const 1)) (global.get $next))
      (then (global.set $next (local.get 0))))
    (i32.const 0))
  (func $pack (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))
  (func $echo (export "echo") (param $ptr i32) (param $len i32) (result i64)
    (local $answer i32)
    (local.set $answer (call $alloc (local.get $len) (i32.const 1)))
    (memory.copy (local.get $answer) (local.get $ptr) (local.get $len))
    (call $pack (local.get $answer) (local.get $len)))
  (func (export "echo_packed") (param i32 i32) (result i64) (call $echo (local.get 0) (local.get 1)))
  (func (export "echo_raw") (param i32 i32) (result i64) (call $echo (local.get 0) (local.get 1)))
  (func (export "in_place") (param i32 i32) (result i64) (call $pack (local.get 0) (local.get 1)))
  (func (export "outside") (param i32 i32) (result i64) (call $pack (i32.const -16) (i32.const 64)))
  (func (export "null") (param i32 i32) (result i64) (i64.const 0))
  (func (export "huge") (param i32 i32) (result i64) (call $pack (i32.const 8) (i32.const 0x7fffffff)))
  (func (export "dies") (param i32 i32) (result i64) (unreachable))
  (func (export "scalar") (param i32 i32) (result i64)
    (i64.add (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s (local.get 1))))
  (@custom "wasm-memory.messages" "echo=json\necho_packed=msgpack\necho_raw=raw\nin_place=json\noutside=json\nnull=json\nhuge=json\ndies=json\n")
)"#;

/// A component whose functions take and return compound values.
pub(crate) const COMPONENT: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $ptr i32)
      (local.set $ptr (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $ptr) (local.get 3)))
      (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get 3) (i32.const 65536)))))))
      (local.get $ptr))
    (func (export "reset") (param i32) (global.set $next (i32.const 4096)))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "shift") (param f64 f64 i32 i32 f64) (result i32)
      (f64.store (i32.const 16) (f64.add (local.get 0) (local.get 4)))
      (f64.store (i32.const 24) (f64.add (local.get 1) (local.get 4)))
      (i32.store (i32.const 32) (local.get 2))
      (i32.store (i32.const 36) (local.get 3))
      (i32.const 16))
    (func (export "pair") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "describe") (param $case i32) (param $payload f64) (result i32)
      ;; answers the area: circle(r) -> 3r², square(a) -> a², empty -> error
      (if (i32.eq (local.get $case) (i32.const 2))
        (then
          (i32.store8 (i32.const 16) (i32.const 1))
          (i32.store (i32.const 24) (i32.const 64))
          (i32.store (i32.const 28) (i32.const 5)))
        (else
          (i32.store8 (i32.const 16) (i32.const 0))
          (f64.store (i32.const 24) (f64.mul
            (f64.mul (local.get $payload) (local.get $payload))
            (select (f64.const 3) (f64.const 1) (i32.eqz (local.get $case)))))))
      (i32.const 16))
    (func (export "next") (param i32) (result i32) (i32.rem_u (i32.add (local.get 0) (i32.const 1)) (i32.const 3)))
    (func (export "toggle") (param i32) (result i32) (i32.xor (local.get 0) (i32.const 7)))
    (func (export "maybe") (param i32 i32) (result i32)
      (i32.store8 (i32.const 16) (i32.eqz (local.get 0)))
      (i32.store (i32.const 20) (i32.add (local.get 1) (i32.const 100)))
      (i32.const 16))
    (func (export "badstring") (result i32)
      (i32.store (i32.const 16) (i32.const -8))
      (i32.store (i32.const 20) (i32.const 100))
      (i32.const 16))
    (func (export "badutf8") (result i32)
      (i32.store8 (i32.const 200) (i32.const 0xff))
      (i32.store (i32.const 16) (i32.const 200))
      (i32.store (i32.const 20) (i32.const 1))
      (i32.const 16))
    (func (export "bomb") (result i32)
      ;; a list of 65536 strings which are all the same 64 KiB
      (local $i i32)
      (drop (memory.grow (i32.const 16)))
      (loop $next
        (i32.store (i32.add (i32.const 131072) (i32.mul (local.get $i) (i32.const 8))) (i32.const 0))
        (i32.store (i32.add (i32.const 131076) (i32.mul (local.get $i) (i32.const 8))) (i32.const 65536))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 65536))))
      (i32.store (i32.const 16) (i32.const 131072))
      (i32.store (i32.const 20) (i32.const 65536))
      (i32.const 16))
    (func (export "trap") (unreachable))
    (func (export "spin") (loop (br 0)))
    (data (i32.const 64) "empty"))
  (core instance $i (instantiate $m))
  (type $point (record (field "x" f64) (field "y-axis" f64) (field "name" string)))
  (export $point-t "point" (type $point))
  (type $shape (variant (case "circle" f64) (case "square" f64) (case "empty")))
  (export $shape-t "shape" (type $shape))
  (type $color (enum "red" "light-green" "blue"))
  (export $color-t "color" (type $color))
  (type $access (flags "read" "write" "run-it"))
  (export $access-t "access" (type $access))
  (func (export "add") (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add")))
  (func (export "shift") (param "point" $point-t) (param "by" f64) (result $point-t)
    (canon lift (core func $i "shift") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "reset"))))
  (func (export "echo") (param "text" string) (result string)
    (canon lift (core func $i "pair") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "reset"))))
  (func (export "numbers") (param "list" (list u32)) (result (list u32))
    (canon lift (core func $i "pair") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "reset"))))
  (func (export "area") (param "of" $shape-t) (result (result f64 (error string)))
    (canon lift (core func $i "describe") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func (export "next") (param "color" $color-t) (result $color-t) (canon lift (core func $i "next")))
  (func (export "toggle") (param "access" $access-t) (result $access-t) (canon lift (core func $i "toggle")))
  (func (export "maybe") (param "n" (option u32)) (result (option u32))
    (canon lift (core func $i "maybe") (memory (core memory $i "memory"))))
  (func (export "bad-string") (result string) (canon lift (core func $i "badstring") (memory (core memory $i "memory"))))
  (func (export "bad-utf8") (result string) (canon lift (core func $i "badutf8") (memory (core memory $i "memory"))))
  (func (export "bomb") (result (list string)) (canon lift (core func $i "bomb") (memory (core memory $i "memory"))))
  (func (export "trap") (canon lift (core func $i "trap")))
  (func (export "spin") (canon lift (core func $i "spin")))
)"#;

/// A component with a resource of its own: a counter.
pub(crate) const RESOURCES: &str = r#"(component
  (core module $table
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 0))
    (global $dropped (mut i32) (i32.const 0))
    (func (export "start") (param i32) (result i32)
      (global.set $next (i32.add (global.get $next) (i32.const 4)))
      (i32.store (global.get $next) (local.get 0))
      (global.get $next))
    (func (export "bump") (param i32) (result i32)
      (i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (i32.const 1)))
      (i32.load (local.get 0)))
    (func (export "dtor") (param i32)
      (global.set $dropped (i32.add (global.get $dropped) (i32.const 1))))
    (func (export "dropped") (result i32) (global.get $dropped)))
  (core instance $t (instantiate $table))
  (type $counter' (resource (rep i32) (dtor (core func $t "dtor"))))
  (core func $new (canon resource.new $counter'))
  (core func $drop (canon resource.drop $counter'))
  (core module $glue
    (import "t" "start" (func $start (param i32) (result i32)))
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (func (export "make") (param i32) (result i32) (call $new (call $start (local.get 0))))
    (func (export "consume") (param i32) (call $drop (local.get 0))))
  (core instance $g (instantiate $glue
    (with "t" (instance $t))
    (with "r" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (export $counter "counter" (type $counter'))
  (func (export "make") (param "from" u32) (result (own $counter)) (canon lift (core func $g "make")))
  (func (export "bump") (param "counter" (borrow $counter)) (result u32) (canon lift (core func $t "bump")))
  (func (export "consume") (param "counter" (own $counter)) (canon lift (core func $g "consume")))
  (func (export "dropped") (result u32) (canon lift (core func $t "dropped")))
)"#;
