//! A runtime from outside the crate: it wraps another one and writes down every call.
//!
//! Everything generic (`call_function`, batches, JSON) works on it without a line here, because the
//! extension traits are implemented for every core type.
//!
//! Run with `cargo run -p wasm-sandbox --example custom_backend`.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use wasm_sandbox::{
    BoxFuture, Capabilities, FunctionInfo, GuestSession, ModuleId, Output, ResourceHandle,
    ResourceLimits, Result, RuntimeCapabilities, RuntimeConfig, Value, WasmFunctionCaller,
    WasmInstance, WasmInstanceExt, WasmInstanceState, WasmModule, WasmRuntime, create_runtime,
};

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, line: String) {
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(line);
}

struct AuditedRuntime {
    inner: Box<dyn WasmRuntime>,
    log: Log,
}

impl WasmRuntime for AuditedRuntime {
    fn load_module(&self, wasm_bytes: &[u8]) -> Result<Box<dyn WasmModule>> {
        note(&self.log, format!("load {} bytes", wasm_bytes.len()));
        self.inner.load_module(wasm_bytes)
    }

    fn get_module(&self, id: ModuleId) -> Result<Box<dyn WasmModule>> {
        self.inner.get_module(id)
    }

    fn unload_module(&self, id: ModuleId) -> Result<()> {
        self.inner.unload_module(id)
    }

    fn create_instance(
        &self,
        module: &dyn WasmModule,
        resources: ResourceLimits,
        capabilities: Capabilities,
    ) -> Result<Box<dyn WasmInstance>> {
        note(&self.log, format!("instantiate {}", module.id()));
        let inner = self
            .inner
            .create_instance(module, resources, capabilities)?;
        Ok(Box::new(AuditedInstance {
            inner,
            log: self.log.clone(),
        }))
    }

    fn runtime_type(&self) -> &'static str {
        "audited"
    }

    fn capabilities(&self) -> RuntimeCapabilities {
        self.inner.capabilities()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct AuditedInstance {
    inner: Box<dyn WasmInstance>,
    log: Log,
}

impl WasmInstance for AuditedInstance {
    fn state(&self) -> WasmInstanceState {
        self.inner.state()
    }

    fn memory_usage(&self) -> usize {
        self.inner.memory_usage()
    }

    fn fuel_usage(&self) -> Option<u64> {
        self.inner.fuel_usage()
    }

    fn reset_fuel(&self) -> Result<()> {
        self.inner.reset_fuel()
    }

    fn add_fuel(&self, fuel: u64) -> Result<()> {
        self.inner.add_fuel(fuel)
    }

    unsafe fn memory_ptr(&self) -> Result<*mut u8> {
        // SAFETY: the caller promises what the inner instance demands.
        unsafe { self.inner.memory_ptr() }
    }

    fn memory_size(&self) -> usize {
        self.inner.memory_size()
    }

    fn function_caller(&self) -> Box<dyn WasmFunctionCaller> {
        Box::new(AuditedCaller {
            inner: self.inner.function_caller(),
            log: self.log.clone(),
        })
    }

    fn call_simple_function(&self, function_name: &str, params: &[i32]) -> Result<i32> {
        note(&self.log, format!("call {function_name}{params:?}"));
        self.inner.call_simple_function(function_name, params)
    }

    fn guest_session(&self) -> BoxFuture<'_, Result<Box<dyn GuestSession + '_>>> {
        self.inner.guest_session()
    }

    fn output(&self) -> Output {
        self.inner.output()
    }

    fn drop_resource(&self, handle: ResourceHandle) -> Result<()> {
        self.inner.drop_resource(handle)
    }

    fn terminate(&self) {
        self.inner.terminate();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct AuditedCaller {
    inner: Box<dyn WasmFunctionCaller>,
    log: Log,
}

impl WasmFunctionCaller for AuditedCaller {
    fn function(&self, name: &str) -> Result<FunctionInfo> {
        self.inner.function(name)
    }

    fn call_blocking(&self, name: &str, params: &[Value]) -> Result<Vec<Value>> {
        note(&self.log, format!("call {name}{params:?}"));
        self.inner.call_blocking(name, params)
    }

    fn call<'a>(&'a self, name: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Value>>> {
        note(&self.log, format!("call {name}{params:?}"));
        self.inner.call(name, params)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let log = Log::default();
    let inner = create_runtime(&RuntimeConfig::default())?;
    let runtime: Box<dyn WasmRuntime> = Box::new(AuditedRuntime {
        inner,
        log: log.clone(),
    });
    let wasm = wat::parse_str(
        r#"(module (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1))))"#,
    )?;
    let module = runtime.load_module(&wasm)?;
    let instance = runtime.create_instance(
        module.as_ref(),
        ResourceLimits::default(),
        Capabilities::minimal(),
    )?;
    assert_eq!(instance.call_simple_function("add", &[5, 7])?, 12);
    let sum: i32 = instance.call_function("add", &(20, 22)).await?;
    assert_eq!(sum, 42);
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    for line in log.iter() {
        println!("{line}");
    }
    assert!(log.iter().any(|line| line.contains("call add")));
    Ok(())
}
