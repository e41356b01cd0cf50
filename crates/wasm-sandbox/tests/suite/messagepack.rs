//! Calls in MessagePack: bytes, floats and integers that JSON cannot carry, and messages that mean harm.

use std::any::Any;
use std::sync::{Arc, Mutex};

use wasm_sandbox::value::Typed;
use wasm_sandbox::{
    Backend, BoxFuture, Error, FunctionInfo, GuestSession, Output, ResourceHandle, Result,
    Signature, Type, Value, WasmFunctionCaller, WasmInstance, WasmInstanceExt, WasmInstanceState,
};

use crate::fixtures::{executor, instance, runtime};
use crate::values::{Random, any_type, any_value, is_ambiguous};

/// An instance without a guest: it answers every call with its arguments, and remembers them.
#[derive(Clone)]
struct Echo {
    signature: Arc<Signature>,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl WasmFunctionCaller for Echo {
    fn function(&self, name: &str) -> Result<FunctionInfo> {
        Ok(FunctionInfo {
            name: name.into(),
            signature: self.signature.clone(),
            codec: None,
        })
    }

    fn call_blocking(&self, _: &str, params: &[Value]) -> Result<Vec<Value>> {
        *self.seen.lock().expect("unpoisoned") = params.to_vec();
        Ok(params.to_vec())
    }

    fn call<'a>(&'a self, name: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async move { self.call_blocking(name, params) })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

const NO_GUEST: Error = Error::NoMemory;

impl WasmInstance for Echo {
    fn state(&self) -> WasmInstanceState {
        WasmInstanceState::Ready
    }

    fn memory_usage(&self) -> usize {
        0
    }

    fn fuel_usage(&self) -> Option<u64> {
        None
    }

    fn reset_fuel(&self) -> Result<()> {
        Err(NO_GUEST)
    }

    fn add_fuel(&self, _: u64) -> Result<()> {
        Err(NO_GUEST)
    }

    unsafe fn memory_ptr(&self) -> Result<*mut u8> {
        Err(NO_GUEST)
    }

    fn memory_size(&self) -> usize {
        0
    }

    fn function_caller(&self) -> Box<dyn WasmFunctionCaller> {
        Box::new(self.clone())
    }

    fn call_simple_function(&self, _: &str, _: &[i32]) -> Result<i32> {
        Err(NO_GUEST)
    }

    fn guest_session(&self) -> BoxFuture<'_, Result<Box<dyn GuestSession + '_>>> {
        Box::pin(async { Err(NO_GUEST) })
    }

    fn output(&self) -> Output {
        Output::default()
    }

    fn drop_resource(&self, handle: ResourceHandle) -> Result<()> {
        Err(Error::UnknownResource { handle: handle.0 })
    }

    fn terminate(&self) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn there_and_back_is_the_same_value() {
    let executor = executor();
    let mut random = Random(0x6d73_6770);
    for round in 0..5_000 {
        let ty = any_type(&mut random, 4);
        if is_ambiguous(&ty) {
            continue;
        }
        let value = any_value(&mut random, &ty);
        let echo = Echo {
            signature: Signature::new([ty.clone()], [ty.clone()]).into(),
            seen: Arc::default(),
        };
        let typed = Typed {
            value: &value,
            ty: &ty,
        };
        let params = rmp_serde::to_vec_named(&(typed,)).expect("it can be written");
        let answer = executor.block_on(echo.call_function_msgpack_async("echo", &params));
        let context = format!("round {round}: {value:?} as `{ty}`");
        let seen = echo.seen.lock().expect("unpoisoned").clone();
        assert_eq!(seen, std::slice::from_ref(&value), "{context}");
        let written = rmp_serde::to_vec_named(&typed).expect("it can be written");
        assert_eq!(answer.expect("it is echoed"), written, "{context}");
    }
}

#[test]
fn json_is_written_alike_by_type_and_by_tree() {
    let mut random = Random(0x7479);
    for round in 0..5_000 {
        let ty = any_type(&mut random, 4);
        let value = any_value(&mut random, &ty);
        let typed = Typed {
            value: &value,
            ty: &ty,
        };
        let tree: serde_json::Value =
            wasm_sandbox::value::from_value(value.clone(), &ty).expect("it can be written");
        let written = serde_json::to_value(typed).expect("it can be written");
        assert_eq!(written, tree, "round {round}: {value:?} as `{ty}`");
    }
}

/// Functions that answer with what they are given.
const SAME: &str = r#"(component
  (core module $m
    (memory (export "memory") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "pair") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))
    (func (export "f32") (param f32) (result f32) (local.get 0))
    (func (export "f64") (param f64) (result f64) (local.get 0))
    (func (export "i64") (param i64) (result i64) (local.get 0))
    (func (export "i32") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "bytes") (param "v" (list u8)) (result (list u8)) (canon lift (core func $i "pair")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func (export "words") (param "v" (list u32)) (result (list u32)) (canon lift (core func $i "pair")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func (export "text") (param "v" string) (result string) (canon lift (core func $i "pair")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func (export "f32") (param "v" f32) (result f32) (canon lift (core func $i "f32")))
  (func (export "f64") (param "v" f64) (result f64) (canon lift (core func $i "f64")))
  (func (export "u64") (param "v" u64) (result u64) (canon lift (core func $i "i64")))
  (func (export "s64") (param "v" s64) (result s64) (canon lift (core func $i "i64")))
  (func (export "u8") (param "v" u8) (result u8) (canon lift (core func $i "i32")))
)"#;

struct Same(Box<dyn WasmInstance>, tokio::runtime::Runtime);

impl Same {
    fn new() -> Self {
        Self(instance(&*runtime(Backend::Wasmtime), SAME), executor())
    }

    /// Calls with one argument in MessagePack.
    fn call(&self, name: &str, argument: &[u8]) -> Result<Vec<u8>> {
        let params = [&[0x91][..], argument].concat();
        self.1
            .block_on(self.0.call_function_msgpack_async(name, &params))
    }
}

#[test]
fn bytes_pass_as_bytes_and_as_arrays() {
    let same = Same::new();
    let bytes = [0xc4, 3, 1, 2, 255];
    assert_eq!(same.call("bytes", &bytes).expect("as bytes"), bytes);
    let array = [0x93, 1, 2, 0xcc, 255];
    assert_eq!(same.call("bytes", &array).expect("as an array"), bytes);
    assert_eq!(same.call("bytes", &[0x90]).expect("none"), [0xc4, 0]);
    assert_eq!(same.call("words", &array).expect("numbers"), array);
    // What is neither bytes nor a list of them.
    for (name, argument) in [
        ("words", &bytes[..]),
        ("text", &bytes),
        ("bytes", &[0xa1, b'x']),
        ("bytes", &[0x91, 0xcd, 1, 0]),
        ("u8", &bytes),
    ] {
        let refused = same.call(name, argument);
        assert!(
            matches!(refused, Err(Error::Value(_))),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn floats_keep_every_bit_that_they_have() {
    let same = Same::new();
    let edges = [
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::MAX,
        f64::NAN,
    ];
    for number in edges {
        let message = [&[0xcb][..], &number.to_bits().to_be_bytes()].concat();
        assert_eq!(
            same.call("f64", &message).expect("it fits"),
            message,
            "{number}"
        );
        let narrow = number as f32;
        let message = [&[0xca][..], &narrow.to_bits().to_be_bytes()].concat();
        assert_eq!(
            same.call("f32", &message).expect("it fits"),
            message,
            "{narrow}"
        );
    }
    // An f32 is an f64; an f64 is an f32 only when it is in its range.
    let half = [&[0xca][..], &0.5f32.to_bits().to_be_bytes()].concat();
    let wide = [&[0xcb][..], &0.5f64.to_bits().to_be_bytes()].concat();
    assert_eq!(same.call("f64", &half).expect("it fits"), wide);
    assert_eq!(same.call("f32", &wide).expect("it fits"), half);
    let huge = [&[0xcb][..], &1e300f64.to_bits().to_be_bytes()].concat();
    assert!(matches!(same.call("f32", &huge), Err(Error::Value(_))));
}

#[test]
fn integers_keep_their_value_at_every_width() {
    let same = Same::new();
    for number in [0, 127, 128, 255, 1 << 16, 1 << 32, (1 << 53) + 1, u64::MAX] {
        let message = rmp_serde::to_vec(&number).expect("it can be written");
        assert_eq!(same.call("u64", &message).expect("it fits"), message);
        // As wide as it can be written.
        let wide = [&[0xcf][..], &number.to_be_bytes()].concat();
        assert_eq!(same.call("u64", &wide).expect("it fits"), message);
    }
    for number in [0, -1, -32, -33, -129, i64::MIN, i64::MAX] {
        let message = rmp_serde::to_vec(&number).expect("it can be written");
        assert_eq!(same.call("s64", &message).expect("it fits"), message);
    }
    let most = rmp_serde::to_vec(&u64::MAX).expect("it can be written");
    assert!(matches!(same.call("s64", &most), Err(Error::Value(_))));
    assert!(matches!(same.call("u64", &[0xff]), Err(Error::Value(_))));
    assert!(matches!(
        same.call("u8", &[0xcd, 1, 0]),
        Err(Error::Value(_))
    ));
}

#[test]
fn malformed_messages_are_refused_before_they_cost_anything() {
    let same = Same::new();
    let deep = vec![0x91; 10_000];
    let cases: [&[u8]; 9] = [
        // Four gigabytes of bytes, text, elements and entries that are not there.
        &[0xc6, 0xff, 0xff, 0xff, 0xff],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        // Nothing, half of a number, two values, an extension, and a tower of arrays.
        &[],
        &[0xcd, 1],
        &[1, 2],
        &[0xd4, 1, 2],
        &deep,
    ];
    for case in cases {
        let refused = same.call("bytes", case);
        let head = &case[..case.len().min(8)];
        assert!(
            matches!(refused, Err(Error::Codec { .. } | Error::Value(_))),
            "{head:x?}: {refused:?}"
        );
    }
}

#[test]
fn a_type_that_is_not_the_values_cannot_be_written() {
    let value = Value::List(vec![Value::U8(1), Value::S8(2)]);
    let ty = Type::List(Type::U8.into());
    let typed = Typed {
        value: &value,
        ty: &ty,
    };
    assert!(rmp_serde::to_vec(&typed).is_err());
    assert!(serde_json::to_string(&typed).is_err());
}
