//! The dyn-compatible core traits.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use wasm_memory::host::GuestMemory;
use wasm_memory::message::Codec;

use crate::host::import_name;
use crate::value::{ResourceHandle, Signature, Value, WitFunction};
use crate::{Capabilities, Error, Limit, ResourceLimits, Result};

/// A future that a trait object can return.
///
/// ```
/// use wasm_sandbox::BoxFuture;
///
/// fn later<'a>(text: &'a str) -> BoxFuture<'a, usize> {
///     Box::pin(async move { text.len() })
/// }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// assert_eq!(later("soon").await, 4);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The name of a loaded module within its runtime; never reused.
///
/// ```
/// assert_eq!(wasm_sandbox::ModuleId(3).to_string(), "#3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub u64);

impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What kind of binary a module is.
///
/// ```
/// use wasm_sandbox::{ModuleKind, RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let component = runtime.load_module(&wat::parse_str("(component)")?)?;
/// assert_eq!(component.kind(), ModuleKind::Component);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModuleKind {
    /// A core module.
    Core,
    /// A component.
    Component,
}

/// What a runtime can do; what is `false` here is refused, never ignored.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, create_runtime};
///
/// let can = create_runtime(&RuntimeConfig::default())?.capabilities();
/// assert!(can.components && can.deadlines && can.network);
/// assert!(!can.fuel, "fuel is measured only when the configuration asks for it");
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeCapabilities {
    /// Loads components.
    pub components: bool,
    /// Measures fuel.
    pub fuel: bool,
    /// Keeps wall-clock deadlines.
    pub deadlines: bool,
    /// Counts calls of host functions.
    pub host_call_budget: bool,
    /// Grants directories.
    pub directories: bool,
    /// Grants network.
    pub network: bool,
    /// Asynchronous calls give the executor's thread back while the guest executes.
    pub async_yield: bool,
    /// Instances come from a pool.
    pub pooling: bool,
    /// The size of a guest's stack in bytes.
    pub stack_bytes: usize,
    /// The most memory an instance may have.
    pub max_memory_bytes: usize,
}

impl RuntimeCapabilities {
    /// A runtime that can do nothing: a start for a runtime from outside this crate.
    ///
    /// ```
    /// use wasm_sandbox::RuntimeCapabilities;
    ///
    /// let mut can = RuntimeCapabilities::none();
    /// can.fuel = true;
    /// assert!(can.fuel && !can.components);
    /// ```
    #[must_use]
    pub fn none() -> Self {
        Self {
            components: false,
            fuel: false,
            deadlines: false,
            host_call_budget: false,
            directories: false,
            network: false,
            async_yield: false,
            pooling: false,
            stack_bytes: 0,
            max_memory_bytes: 0,
        }
    }
}

/// An engine that loads modules and makes instances of them.
///
/// ```
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmRuntime, WasmtimeRuntime, create_runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime: Box<dyn WasmRuntime> = create_runtime(&RuntimeConfig::default())?;
/// assert_eq!(runtime.runtime_type(), "wasmtime");
/// assert!(runtime.capabilities().components);
/// assert!(runtime.as_any().is::<WasmtimeRuntime>());
/// let wasm = wat::parse_str(
///     r#"(module (func (export "add") (param i32 i32) (result i32)
///         (i32.add (local.get 0) (local.get 1))))"#,
/// )?;
/// let module = runtime.load_module(&wasm)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// assert_eq!(instance.call_simple_function("add", &[5, 7])?, 12);
///
/// // The same without blocking an executor. The same bytes are the same module.
/// let again = runtime.load_module_boxed(&wasm).await?;
/// assert_eq!(again.id(), module.id());
/// let limits = ResourceLimits::default();
/// runtime.create_instance_boxed(again.as_ref(), limits, Capabilities::minimal()).await?;
///
/// assert_eq!(runtime.get_module(module.id())?.size(), wasm.len());
/// runtime.unload_module(module.id())?;
/// assert!(runtime.get_module(module.id()).is_err());
/// # Ok(())
/// # }
/// ```
pub trait WasmRuntime: Send + Sync {
    /// Compiles a module or component. The same bytes are the same module, unless
    /// [`RuntimeConfig::share_modules`](crate::RuntimeConfig::share_modules) says otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModule`], [`Error::MissingImports`], [`Error::ImportMismatch`], or a limit of the runtime.
    fn load_module(&self, wasm_bytes: &[u8]) -> Result<Box<dyn WasmModule>>;

    /// Compiles without blocking an async executor. The default blocks.
    fn load_module_boxed<'a>(
        &'a self,
        wasm_bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Box<dyn WasmModule>>> {
        Box::pin(async move { self.load_module(wasm_bytes) })
    }

    /// A module that was loaded before.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModule`].
    fn get_module(&self, id: ModuleId) -> Result<Box<dyn WasmModule>>;

    /// Forgets a module; its instances live on.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModule`].
    fn unload_module(&self, id: ModuleId) -> Result<()>;

    /// Makes an instance and runs its start function.
    ///
    /// # Errors
    ///
    /// When a limit or capability cannot be enforced, when a limit is exceeded, or when the guest's
    /// start function fails.
    fn create_instance(
        &self,
        module: &dyn WasmModule,
        resources: ResourceLimits,
        capabilities: Capabilities,
    ) -> Result<Box<dyn WasmInstance>>;

    /// Makes an instance without blocking an async executor while its start function executes. The
    /// default blocks.
    fn create_instance_boxed<'a>(
        &'a self,
        module: &'a dyn WasmModule,
        resources: ResourceLimits,
        capabilities: Capabilities,
    ) -> BoxFuture<'a, Result<Box<dyn WasmInstance>>> {
        Box::pin(async move { self.create_instance(module, resources, capabilities) })
    }

    /// The runtime's name.
    fn runtime_type(&self) -> &'static str;

    /// What the runtime can do.
    fn capabilities(&self) -> RuntimeCapabilities;

    /// The concrete runtime, for downcasting.
    fn as_any(&self) -> &dyn Any;
}

/// A module's import of a host function.
///
/// ```
/// use wasm_sandbox::ImportInfo;
///
/// let import = ImportInfo { interface: "docs:log/sink".into(), name: "write".into() };
/// assert_eq!(import.to_string(), "docs:log/sink#write");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportInfo {
    /// The module or interface; empty for the world itself.
    pub interface: String,
    /// The function.
    pub name: String,
}

/// As [`HostGrant`](crate::HostGrant)s write it.
impl fmt::Display for ImportInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&import_name(&self.interface, &self.name))
    }
}

/// A compiled module.
///
/// ```
/// use wasm_sandbox::{ModuleKind, RuntimeConfig, WasmtimeModule, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(
///     r#"(module (memory (export "memory") 1) (func (export "add") (param i32 i32) (result i32)
///         (i32.add (local.get 0) (local.get 1))))"#,
/// )?;
/// let module = runtime.load_module(&wasm)?;
/// assert_eq!((module.kind(), module.size()), (ModuleKind::Core, wasm.len()));
/// assert_eq!(module.exports()[0].signature.to_string(), "func(s32, s32) -> s32");
/// assert_eq!(module.wit_exports()[0].signature(0), "(i32, i32) -> i32");
/// assert!(module.imports().is_empty());
/// assert_eq!(runtime.get_module(module.id())?.id(), module.id());
/// assert!(module.as_any().is::<WasmtimeModule>());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait WasmModule: Send + Sync {
    /// Its name within its runtime.
    fn id(&self) -> ModuleId;

    /// What it is.
    fn kind(&self) -> ModuleKind;

    /// The exported functions: for a component, those of an exported interface are named
    /// `interface#name`.
    fn exports(&self) -> Vec<FunctionInfo>;

    /// The host functions it imports, WASI aside.
    fn imports(&self) -> Vec<ImportInfo>;

    /// The exported functions in the module's own order, with their types as text.
    ///
    /// The default knows no names of types and writes them out; the order is that of
    /// [`exports`](Self::exports).
    fn wit_exports(&self) -> Vec<WitFunction> {
        self.exports().iter().map(WitFunction::unnamed).collect()
    }

    /// The number of bytes it was loaded from.
    fn size(&self) -> usize;

    /// The concrete module, for downcasting.
    fn as_any(&self) -> &dyn Any;
}

/// An exported function.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(module (func (export "root") (param f64) (result f64)
///     (f64.sqrt (local.get 0))))"#)?;
/// let exports = runtime.load_module(&wasm)?.exports();
/// assert_eq!(&*exports[0].name, "root");
/// assert_eq!(exports[0].signature.to_string(), "func(f64) -> f64");
/// assert!(exports[0].codec.is_none(), "it takes a number, not a message");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub signature: Arc<Signature>,
    /// For a core function that takes and returns whole messages: their encoding.
    pub codec: Option<Codec>,
}

/// What an instance is doing.
///
/// ```
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmInstanceState, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let module = runtime.load_module(&wat::parse_str(r#"(module (func (export "fail") unreachable))"#)?)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// assert_eq!(instance.state(), WasmInstanceState::Ready);
/// assert!(instance.call_simple_function("fail", &[]).is_err());
/// assert_eq!(instance.state(), WasmInstanceState::Poisoned);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WasmInstanceState {
    /// It can be called.
    Ready,
    /// A call is executing.
    Running,
    /// It can no longer be used.
    Poisoned,
}

/// What a guest wrote to its captured streams.
///
/// ```
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(module
///     (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
///     (memory (export "memory") 1)
///     (data (i32.const 0) "\08\00\00\00\03\00\00\00hi\n")
///     (func (export "greet") (result i32)
///       (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20))))"#)?;
/// let module = runtime.load_module(&wasm)?;
/// let capabilities = Capabilities::minimal().with_captured_output();
/// let instance = runtime.create_instance(module.as_ref(), ResourceLimits::default(), capabilities)?;
/// instance.call_simple_function("greet", &[])?;
/// assert_eq!(instance.output().stdout, b"hi\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Whether one of them is full: the guest got an error for every further byte.
    pub full: bool,
}

/// A running instance.
///
/// Every method may be called from any thread. Calls into the guest wait for one another; what
/// poisons an instance is listed at [`Error`].
///
/// ```
/// use std::time::Duration;
/// use wasm_sandbox::{
///     Capabilities, ResourceHandle, ResourceLimits, RuntimeConfig, WasmInstanceState, WasmtimeInstance,
///     create_runtime,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = create_runtime(&RuntimeConfig { fuel_metering: true, ..RuntimeConfig::default() })?;
/// # let wasm = wat::parse_str(
/// #     r#"(module (memory (export "memory") 1) (func (export "add") (param i32 i32) (result i32)
/// #         (i32.add (local.get 0) (local.get 1))))"#,
/// # )?;
/// # let module = runtime.load_module(&wasm)?;
/// let limits = ResourceLimits { fuel: Some(1_000), ..ResourceLimits::default() };
/// let instance = runtime.create_instance(module.as_ref(), limits, Capabilities::minimal())?;
/// assert_eq!(instance.call_simple_function("add", &[5, 7])?, 12);
/// assert!(instance.function_caller().function("add").is_ok());
/// assert_eq!((instance.state(), instance.memory_usage()), (WasmInstanceState::Ready, 65536));
///
/// // Fuel is used up by calls, and can be given.
/// assert!(instance.fuel_usage().is_some_and(|used| used > 0));
/// instance.add_fuel(500)?;
/// instance.reset_fuel()?;
/// assert_eq!(instance.fuel_usage(), Some(0));
///
/// // The exported memory, safely and by its address.
/// instance.guest_session().await?.bytes()[0] = 7;
/// assert_eq!(instance.memory_size(), 65536);
/// // SAFETY: the memory has bytes, and nobody else uses the instance.
/// assert_eq!(unsafe { *instance.memory_ptr()? }, 7);
/// assert_eq!(instance.refused_growth(), None);
///
/// // It has neither written anything nor given out a resource.
/// assert!(instance.output().stdout.is_empty());
/// assert!(instance.methods_of(ResourceHandle(1)).is_err());
/// assert!(instance.drop_resource(ResourceHandle(1)).is_err());
///
/// instance.set_deadline(Some(Duration::from_secs(1)))?;
/// // From any thread, also while a call executes.
/// instance.terminate();
/// assert!(instance.call_simple_function("add", &[5, 7]).is_err());
/// assert!(instance.as_any().is::<WasmtimeInstance>());
/// # Ok(())
/// # }
/// ```
pub trait WasmInstance: Send + Sync {
    /// What the instance is doing.
    fn state(&self) -> WasmInstanceState;

    /// Bytes of linear memory in use, all memories together.
    fn memory_usage(&self) -> usize;

    /// Fuel used since the last [`reset_fuel`](Self::reset_fuel); [`None`] when it is not measured.
    fn fuel_usage(&self) -> Option<u64>;

    /// Sets the fuel back to the limit the instance was created with.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when fuel is not measured.
    fn reset_fuel(&self) -> Result<()>;

    /// Adds fuel.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when fuel is not measured.
    fn add_fuel(&self, fuel: u64) -> Result<()>;

    /// The address of the exported memory.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`].
    ///
    /// # Safety
    ///
    /// The pointer is valid for [`memory_size`](Self::memory_size) bytes until the instance is called,
    /// its memory grows or it is dropped; the caller must not use it while anything else does.
    /// [`guest_session`](Self::guest_session) reaches the same bytes safely.
    unsafe fn memory_ptr(&self) -> Result<*mut u8>;

    /// The size of the exported memory in bytes; 0 when there is none.
    fn memory_size(&self) -> usize;

    /// A handle that calls functions and may outlive this reference.
    fn function_caller(&self) -> Box<dyn WasmFunctionCaller>;

    /// Calls a function of integers, blocking. Missing results are 0.
    ///
    /// # Errors
    ///
    /// When there is no such function, its type is another, or the guest fails.
    fn call_simple_function(&self, function_name: &str, params: &[i32]) -> Result<i32>;

    /// Reaches the exported memory and the memory ABI, exclusively, for as long as the session lives.
    fn guest_session(&self) -> BoxFuture<'_, Result<Box<dyn GuestSession + '_>>>;

    /// What the guest wrote to captured streams so far.
    fn output(&self) -> Output;

    /// Sets the wall-clock time that each of the following calls may take, in place of
    /// [`ResourceLimits::deadline`]. The default refuses.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] and [`Error::LimitUnsupported`].
    fn set_deadline(&self, deadline: Option<Duration>) -> Result<()> {
        let _ = deadline;
        Err(Error::Unsupported {
            runtime: "custom",
            operation: "changing the deadline of an instance",
        })
    }

    /// The limit that last refused a memory or table growth, if one has. A guest's allocator is told
    /// so and usually aborts: then this is the cause behind the trap. The default does not know.
    fn refused_growth(&self) -> Option<Limit> {
        None
    }

    /// The exported methods of a resource that the guest gave out. The default refuses.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownResource`], or [`Error::Unsupported`] without components.
    fn methods_of(&self, handle: ResourceHandle) -> Result<Vec<Arc<str>>> {
        let _ = handle;
        Err(Error::Unsupported {
            runtime: "custom",
            operation: "methods of resources",
        })
    }

    /// Drops a resource that the guest gave out.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownResource`], or what the resource's destructor failed with.
    fn drop_resource(&self, handle: ResourceHandle) -> Result<()>;

    /// Stops the call in progress, if any, at the next tick, and refuses all later ones.
    fn terminate(&self);

    /// The concrete instance, for downcasting.
    fn as_any(&self) -> &dyn Any;
}

/// Calls an instance's functions by name.
///
/// ```
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, Value, WasmtimeInstance, create_runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// # let wasm = wat::parse_str(
/// #     r#"(module (memory (export "memory") 1) (func (export "add") (param i32 i32) (result i32)
/// #         (i32.add (local.get 0) (local.get 1))))"#,
/// # )?;
/// # let module = runtime.load_module(&wasm)?;
/// # let instance =
/// #     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// let caller = instance.function_caller();
/// let params = [Value::S32(5), Value::S32(7)];
/// assert_eq!(caller.call_blocking("add", &params)?, [Value::S32(12)]);
/// assert_eq!(caller.call("add", &params).await?, [Value::S32(12)]);
/// assert_eq!(caller.call_with("add", params.into())?, [Value::S32(12)]);
/// assert!(caller.function("subtract").is_err());
/// assert!(caller.as_any().is::<WasmtimeInstance>());
/// # Ok(())
/// # }
/// ```
pub trait WasmFunctionCaller: Send + Sync {
    /// What the instance exports under this name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`].
    fn function(&self, name: &str) -> Result<FunctionInfo>;

    /// Calls, blocking the thread.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit, or the guest fails.
    fn call_blocking(&self, name: &str, params: &[Value]) -> Result<Vec<Value>>;

    /// Calls with values that are given away, blocking the thread: large ones need not be copied. The
    /// default copies them.
    ///
    /// # Errors
    ///
    /// As [`call_blocking`](Self::call_blocking).
    fn call_with(&self, name: &str, params: Vec<Value>) -> Result<Vec<Value>> {
        self.call_blocking(name, &params)
    }

    /// Calls. Dropping the future stops the guest and poisons the instance.
    fn call<'a>(&'a self, name: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Value>>>;

    /// The concrete caller, for downcasting.
    fn as_any(&self) -> &dyn Any;
}

/// Exclusive access to an instance's memory and memory ABI.
///
/// Wrap it in [`wasm_memory::host::HostController`] for checked allocation.
///
/// ```
/// use wasm_memory::host::{GuestMemory, HostController};
/// use wasm_memory::message;
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, create_runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// # let wasm = wat::parse_str(
/// #     r#"(module (memory (export "memory") 1) (func (export "where") (param i32 i32) (result i64)
/// #         (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#,
/// # )?;
/// # let module = runtime.load_module(&wasm)?;
/// # let instance =
/// #     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// let mut memory = HostController::new(instance.guest_session().await?);
/// memory.peek(16, 5)?.copy_from_slice(b"hello");
/// assert_eq!(memory.guest().bytes()[16..21], *b"hello");
/// assert!(memory.peek(65535, 2).is_err());
///
/// let session = memory.guest();
/// let answer = message::unpack(session.call_packed("where", 16, 5).await?);
/// assert_eq!((answer.ptr, answer.len), (16, 5));
/// assert!(session.value_bytes() >= 5);
/// // It exports no `__alloc`; nothing went wrong in the guest itself.
/// assert!(session.call_alloc(8, 8).await.is_err());
/// assert!(session.take_error().is_none());
/// # Ok(())
/// # }
/// ```
pub trait GuestSession: GuestMemory {
    /// Calls a message function of type `(i32, i32) -> i64` and returns its packed answer unchecked.
    fn call_packed<'a>(
        &'a mut self,
        name: &'a str,
        ptr: u32,
        len: u32,
    ) -> BoxFuture<'a, Result<u64>>;

    /// The most bytes that an answer may have.
    fn value_bytes(&self) -> usize;

    /// The full error behind the last [`GuestFailed`](wasm_memory::MemoryError::GuestFailed).
    fn take_error(&mut self) -> Option<Error>;
}
