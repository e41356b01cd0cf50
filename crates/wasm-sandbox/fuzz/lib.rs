//! What each fuzz target does with its bytes. Shared by the targets of `cargo fuzz` and by the test
//! suite, which runs them on fixed seeds.
//!
//! Everything here parses what a guest, or the other side of a channel, chose. A body passes when it
//! comes back: it must not panic, hang, or use memory out of proportion.

use wasm_sandbox::rpc::{RpcChannel, RpcChannelExt, memory_channel};
use wasm_sandbox::value::{Case, Field, from_value, to_value};
use wasm_sandbox::{
    Backend, Capabilities, Error, ResourceLimits, RuntimeConfig, Type, Value, WasmInstanceExt,
    WasmModule, WasmRuntime, create_runtime,
};

/// A custom section, and a module's frame: a list or an error.
pub fn section(data: &[u8]) {
    let _ = wasm_memory::message::parse_section(data);
    let _ = wasm_memory::message::in_module(data);
    // What was read can be written, and reads as the same.
    if let Ok(functions) = wasm_memory::message::parse_section(data) {
        let text: String = functions
            .iter()
            .map(|(name, codec)| format!("{name}={}\n", codec.name()))
            .collect();
        assert_eq!(
            wasm_memory::message::parse_section(text.as_bytes()),
            Ok(functions)
        );
    }
}

/// A frame from the other side of a channel.
pub fn frame(data: &[u8]) {
    let Ok((a, b)) = memory_channel(4) else {
        return;
    };
    if a.send_raw(data).is_ok() && a.close().is_ok() {
        let _ = futures_now(b.receive::<serde_json::Value>());
    }
}

/// JSON for a type with one of everything: a value of the type, which can be written again.
pub fn json(data: &[u8]) {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(data) else {
        return;
    };
    let ty = everything();
    if let Ok(value) = to_value(&json, &ty) {
        assert!(value.is(&ty));
        let back: serde_json::Value =
            from_value(value.clone(), &ty).expect("every value can be written");
        assert_eq!(to_value(&back, &ty), Ok(value));
    }
}

fn everything() -> Type {
    let field = |name: &str, ty| Field {
        name: name.into(),
        ty,
    };
    let case = |name: &str, ty| Case {
        name: name.into(),
        ty,
    };
    Type::Record(
        [
            field("a-list", Type::List(Type::S8.into())),
            field("maybe", Type::Option(Type::String.into())),
            field(
                "one-of",
                Type::Variant([case("none", None), case("some", Some(Type::Char))].into()),
            ),
            field("either", Type::Result(Some(Type::U64.into()), None)),
            field("set", Type::Flags(["x".into(), "y-z".into()].into())),
            field("pair", Type::Tuple([Type::Bool, Type::F32].into())),
        ]
        .into(),
    )
}

/// The runtimes that bytes are loaded into; made once, since an engine is expensive.
pub struct Runtimes(Vec<Box<dyn WasmRuntime>>);

impl Runtimes {
    /// All backends, with small limits.
    pub fn new() -> Self {
        let make = |backend| {
            let config = RuntimeConfig {
                backend,
                max_instances: 4,
                max_modules: 4,
                ..RuntimeConfig::default()
            };
            create_runtime(&config).expect("a valid configuration")
        };
        Self([Backend::Wasmtime, Backend::Wasmi].map(make).into())
    }

    /// A module: refused, or loaded, and then its instance refused or made, and its functions called.
    pub fn module(&self, data: &[u8]) {
        let limits = ResourceLimits {
            deadline: Some(std::time::Duration::from_millis(20)),
            memory_bytes: 1 << 20,
            ..ResourceLimits::default()
        };
        for runtime in &self.0 {
            let Ok(module) = runtime.load_module(data) else {
                continue;
            };
            if let Ok(instance) =
                runtime.create_instance(module.as_ref(), limits.clone(), Capabilities::minimal())
            {
                for function in module.exports().iter().take(3) {
                    let _ = instance.call_simple_function(&function.name, &[1, 2]);
                }
            }
            runtime.unload_module(module.id()).expect("it was loaded");
        }
    }
}

/// A component that makes values of bytes: what its caller passes is what its results are lifted from.
const MAKES: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768))
    (func (export "make") (param i32 i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (type $kind' (enum "a" "b" "c")) (export $kind "kind" (type $kind'))
  (type $set' (flags "x" "y" "z")) (export $set "set" (type $set'))
  (type $shape' (variant (case "none") (case "wide" f64) (case "named" string) (case "many" (list u16))))
  (export $shape "shape" (type $shape'))
  (type $all' (record
    (field "flag" bool) (field "letter" char) (field "small" s8) (field "text" string)
    (field "kind" $kind) (field "set" $set) (field "shape" $shape)
    (field "maybe" (option u64)) (field "either" (result (list u8) (error f32)))
    (field "pairs" (list (tuple u8 string))) (field "nested" (list (list $shape)))))
  (export $all "all" (type $all'))
  (func (export "make") (param "bytes" (list u8)) (result $all)
    (canon lift (core func $i "make") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

/// The component above, loaded; made once, since compiling it is expensive.
pub struct Maker {
    runtime: Box<dyn WasmRuntime>,
    module: Box<dyn WasmModule>,
}

impl Maker {
    /// Compiles the component.
    pub fn new() -> Self {
        let runtime = create_runtime(&RuntimeConfig {
            max_instances: 4,
            ..RuntimeConfig::default()
        })
        .expect("a valid configuration");
        let wasm = wat::parse_str(MAKES).expect("valid text");
        let module = runtime.load_module(&wasm).expect("a valid component");
        Self { runtime, module }
    }

    fn instance(&self) -> Box<dyn wasm_sandbox::WasmInstance> {
        let limits = ResourceLimits {
            value_bytes: 1 << 20,
            ..ResourceLimits::default()
        };
        self.runtime
            .create_instance(self.module.as_ref(), limits, Capabilities::minimal())
            .expect("there is room for one")
    }

    /// A guest's memory, lifted to values: one of the type, or an error that says what is wrong.
    pub fn lift(&self, data: &[u8]) {
        // As much as there is room for behind the place where the guest puts it, and no less than what
        // the record itself takes.
        let mut data = data[..data.len().min(32 << 10)].to_vec();
        data.resize(data.len().max(128), 0);
        let caller = self.instance().function_caller();
        let result = &caller.function("make").expect("exported").signature.results[0].clone();
        let bytes = Value::List(data.into_iter().map(Value::U8).collect());
        match caller.call_blocking("make", &[bytes]) {
            Ok(values) => assert!(values.len() == 1 && values[0].is(result)),
            Err(Error::Trap { .. } | Error::LimitExceeded { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// A MessagePack message as the arguments of a call.
    pub fn msgpack(&self, data: &[u8]) {
        let instance = self.instance();
        let call = instance.call_function_msgpack_async("make", data);
        if let Some(Ok(answer)) = futures_now(call) {
            assert!(!answer.is_empty());
        }
    }
}

/// Drives a future that never waits.
fn futures_now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
