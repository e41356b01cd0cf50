//! What each fuzz target does with its bytes. Shared by the targets of `cargo fuzz` and by the test
//! suite, which runs them on fixed seeds.

use wasm_sandbox::rpc::{RpcChannel, RpcChannelExt, memory_channel};
use wasm_sandbox::value::{Case, Field, from_value, to_value};
use wasm_sandbox::{
    Backend, Capabilities, ResourceLimits, RuntimeConfig, Type, WasmRuntime, create_runtime,
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

/// Drives a future that never waits.
fn futures_now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
