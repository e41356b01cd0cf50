//! What can go wrong, as types: who is at fault, and what may still be used afterwards.

use std::fmt;
use std::time::Duration;

use wasm_memory::MemoryError;

// Under another name, since `thiserror` takes a field of a type called `Backtrace` for the standard
// library's.
use crate::{Backtrace as GuestBacktrace, Frame, ImportInfo};

/// The result of a sandbox operation.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, WasmRuntime, create_runtime};
///
/// fn small() -> wasm_sandbox::Result<Box<dyn WasmRuntime>> {
///     create_runtime(&RuntimeConfig { max_instances: 4, ..RuntimeConfig::default() })
/// }
/// assert_eq!(small()?.runtime_type(), "wasmtime");
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A budget of [`ResourceLimits`](crate::ResourceLimits) or [`RuntimeConfig`](crate::RuntimeConfig).
///
/// ```
/// use wasm_sandbox::{Capabilities, Limit, ResourceLimits, RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let module = runtime.load_module(&wat::parse_str(r#"(module (memory 2))"#)?)?;
/// let limits = ResourceLimits { memory_bytes: 64 << 10, ..ResourceLimits::default() };
/// let refused = runtime.create_instance(module.as_ref(), limits, Capabilities::minimal());
/// assert_eq!(refused.err().and_then(|error| error.limit()), Some(Limit::Memory));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Instructions, as the engine counts them.
    Fuel,
    /// Wall-clock time of one call.
    Deadline,
    /// Bytes of linear memory.
    Memory,
    /// Elements of tables.
    Tables,
    /// Depth of the guest's stack.
    Stack,
    /// Bytes written to captured output.
    Output,
    /// Calls of host functions.
    HostCalls,
    /// Bytes of one call's result, or of the values it passes to the host.
    ValueBytes,
    /// Live instances of a runtime.
    Instances,
    /// Loaded modules of a runtime.
    Modules,
    /// Size of a module's bytes.
    ModuleBytes,
    /// Live resource handles of an instance.
    Resources,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Tables => "table",
            Self::Stack => "stack",
            Self::Output => "output",
            Self::HostCalls => "host-call",
            Self::ValueBytes => "value-size",
            Self::Instances => "instance",
            Self::Modules => "module",
            Self::ModuleBytes => "module-size",
            Self::Resources => "resource",
        })
    }
}

/// Why a guest stopped executing.
///
/// The names follow the specification's traps; engines differ in the words they use.
///
/// ```
/// use wasm_sandbox::{Capabilities, Error, ResourceLimits, RuntimeConfig, Trap, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(module (func (export "divide") (param i32) (result i32)
///     (i32.div_u (i32.const 1) (local.get 0))))"#)?;
/// let module = runtime.load_module(&wasm)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// let outcome = instance.call_simple_function("divide", &[0]);
/// assert!(matches!(outcome, Err(Error::Trap { trap: Trap::DivisionByZero, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trap {
    /// `unreachable` was executed; a guest's panic ends so.
    Unreachable,
    /// A load or store left the memory.
    MemoryOutOfBounds,
    /// A table access left the table, or a null element was called.
    TableOutOfBounds,
    /// An indirect call met a function of another type.
    BadSignature,
    /// A division by zero.
    DivisionByZero,
    /// An integer did not fit its type.
    IntegerOverflow,
    /// The guest broke the canonical ABI: a bad pointer, a bad discriminant, invalid UTF-8.
    InvalidValue,
    /// Any other trap.
    Other,
}

/// Why an operation failed.
///
/// After [`Trap`](Self::Trap), [`LimitExceeded`](Self::LimitExceeded) while the guest executes,
/// [`HostFunctionFailed`](Self::HostFunctionFailed), [`HostFunctionPanicked`](Self::HostFunctionPanicked)
/// and [`Cancelled`](Self::Cancelled) the instance is poisoned and answers
/// [`Poisoned`](Self::Poisoned) from then on; everything else leaves it as it was. Nothing ever harms
/// another instance.
///
/// ```
/// use wasm_sandbox::{Error, RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(module (import "env" "missing" (func)))"#)?;
/// match runtime.load_module(&wasm) {
///     Err(Error::MissingImports { imports }) => assert_eq!(imports[0].to_string(), "env#missing"),
///     Err(other) => return Err(other.into()),
///     Ok(_) => unreachable!("nobody provides it"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a module this runtime accepts.
    #[error("invalid module: {reason}")]
    InvalidModule {
        /// What the engine found.
        reason: String,
    },

    /// The module belongs to another runtime.
    #[error("the module was loaded by another runtime; load it into the `{runtime}` runtime first")]
    ForeignModule {
        /// The runtime that was asked.
        runtime: &'static str,
    },

    /// No module of this id is loaded.
    #[error("no module {id} is loaded")]
    UnknownModule {
        /// The id.
        id: crate::ModuleId,
    },

    /// The module imports what nobody provides.
    #[error(
        "the module imports {}, not provided; register in `RuntimeConfig::host_functions` what the host has",
        listed(imports)
    )]
    MissingImports {
        /// All of it; of an interface, each function and resource.
        imports: Vec<ImportInfo>,
    },

    /// An import is provided, but not as what the module wants.
    #[error("an import does not fit what is provided: {reason}")]
    ImportMismatch {
        /// What the engine found.
        reason: String,
    },

    /// The module could not be instantiated.
    #[error("instantiation failed: {reason}")]
    Instantiation {
        /// What the engine reported.
        reason: String,
    },

    /// The capability cannot be enforced by this runtime, so it is not granted at all.
    #[error("the `{runtime}` runtime cannot grant {capability}; {help}")]
    CapabilityUnsupported {
        /// The runtime.
        runtime: &'static str,
        /// The capability.
        capability: String,
        /// What to do.
        help: &'static str,
    },

    /// The capability is malformed, or names something that does not exist.
    #[error("invalid capability {capability}: {reason}")]
    InvalidCapability {
        /// The capability.
        capability: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The limit cannot be enforced by this runtime as it is configured.
    #[error("the `{runtime}` runtime cannot keep the {limit} limit; {help}")]
    LimitUnsupported {
        /// The runtime.
        runtime: &'static str,
        /// The limit.
        limit: Limit,
        /// What to do.
        help: &'static str,
    },

    /// The configuration is contradictory.
    #[error("invalid configuration: {reason}")]
    InvalidConfig {
        /// What is wrong.
        reason: String,
    },

    /// The instance exports no function of this name.
    #[error("no exported function `{name}`")]
    UnknownFunction {
        /// The name.
        name: String,
    },

    /// The function's type does not fit the call.
    #[error("function `{name}`: {reason}")]
    Signature {
        /// The function.
        name: String,
        /// What does not fit.
        reason: String,
    },

    /// A value does not fit its type.
    #[error("{0}")]
    Value(#[from] crate::ValueError),

    /// A message could not be encoded or decoded.
    #[error("malformed {codec}: {reason}")]
    Codec {
        /// The encoding.
        codec: &'static str,
        /// What the decoder found.
        reason: String,
    },

    /// The instance has no linear memory that the host may reach.
    #[error("the instance exports no memory; components keep theirs to themselves")]
    NoMemory,

    /// The memory ABI was broken.
    #[error("memory: {0}")]
    Memory(#[from] MemoryError),

    /// The handle names no live resource of this instance.
    #[error("resource handle {handle} is not alive")]
    UnknownResource {
        /// The handle.
        handle: u64,
    },

    /// The guest trapped.
    #[error("guest trapped: {message}")]
    Trap {
        /// The kind of trap.
        trap: Trap,
        /// The engine's message.
        message: String,
        /// Where the guest was.
        backtrace: GuestBacktrace,
    },

    /// The guest ended itself with an exit status.
    #[error("guest exited with status {status}")]
    Exit {
        /// The status.
        status: i32,
    },

    /// A limit was reached.
    #[error("the {limit} limit was exceeded")]
    LimitExceeded {
        /// The limit.
        limit: Limit,
        /// Where the guest was; empty when it was not executing.
        backtrace: GuestBacktrace,
    },

    /// A host function returned an error.
    #[error("host function `{name}` failed: {reason}")]
    HostFunctionFailed {
        /// The function.
        name: String,
        /// Its error.
        reason: String,
    },

    /// A host function panicked; the panic was caught.
    #[error("host function `{name}` panicked: {reason}")]
    HostFunctionPanicked {
        /// The function.
        name: String,
        /// The panic's message.
        reason: String,
    },

    /// A host function called back into the instance that was calling it.
    #[error(
        "the instance is already executing on this thread; a host function cannot call back into its caller"
    )]
    Reentrant,

    /// The call's future was dropped, or the instance was terminated, while it executed.
    #[error("the call was cancelled")]
    Cancelled,

    /// The instance cannot be used any more.
    #[error("the instance is poisoned: {reason}")]
    Poisoned {
        /// What poisoned it.
        reason: String,
    },

    /// The runtime does not offer this operation.
    #[error("the `{runtime}` runtime does not support {operation}")]
    Unsupported {
        /// The runtime.
        runtime: &'static str,
        /// The operation.
        operation: &'static str,
    },

    /// The channel was closed on this side.
    #[error("the channel is closed")]
    ChannelClosed,

    /// The other side of the channel is gone.
    #[error("the peer is gone")]
    PeerGone,

    /// A message is larger than the channel accepts.
    #[error("a message of {size} bytes exceeds the channel's limit of {limit}")]
    MessageTooLarge {
        /// The message's size.
        size: usize,
        /// The channel's limit.
        limit: usize,
    },

    /// The other side answered a call with an error.
    #[error("remote call of `{method}` failed: {reason}")]
    Remote {
        /// The method.
        method: String,
        /// The other side's words.
        reason: String,
    },

    /// Nothing happened in time.
    #[error("timed out after {0:?}")]
    Timeout(Duration),

    /// The operating system refused.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The most imports that a message names.
const MAX_LISTED: usize = 5;

fn listed(imports: &[ImportInfo]) -> String {
    let mut text: Vec<String> = imports
        .iter()
        .take(MAX_LISTED)
        .map(|import| format!("`{import}`"))
        .collect();
    if imports.len() > MAX_LISTED {
        text.push(format!("and {} more", imports.len() - MAX_LISTED));
    }
    text.join(", ")
}

impl Error {
    /// Whether an instance that answered this is poisoned.
    ///
    /// ```
    /// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmInstanceState, create_runtime};
    ///
    /// let runtime = create_runtime(&RuntimeConfig::default())?;
    /// let module = runtime.load_module(&wat::parse_str(r#"(module (func (export "die") unreachable))"#)?)?;
    /// let instance =
    ///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
    /// // What was asked is wrong: the instance is as it was.
    /// assert!(!instance.call_simple_function("dye", &[]).unwrap_err().is_fatal());
    /// // What happened in the guest is: nobody knows what it left behind.
    /// assert!(instance.call_simple_function("die", &[]).unwrap_err().is_fatal());
    /// assert_eq!(instance.state(), WasmInstanceState::Poisoned);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Trap { .. }
                | Self::Exit { .. }
                | Self::HostFunctionFailed { .. }
                | Self::HostFunctionPanicked { .. }
                | Self::Cancelled
                | Self::Poisoned { .. }
        ) || matches!(self, Self::LimitExceeded { limit, .. } if !matches!(limit, Limit::Instances | Limit::Modules | Limit::ModuleBytes | Limit::Resources))
    }

    /// The limit that was exceeded, if that is what happened.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasm_sandbox::{Capabilities, Limit, ResourceLimits, RuntimeConfig, create_runtime};
    ///
    /// let runtime = create_runtime(&RuntimeConfig::default())?;
    /// let module = runtime.load_module(&wat::parse_str(r#"(module (func (export "spin") (loop (br 0))))"#)?)?;
    /// let limits = ResourceLimits { deadline: Some(Duration::from_millis(20)), ..ResourceLimits::default() };
    /// let instance = runtime.create_instance(module.as_ref(), limits, Capabilities::minimal())?;
    /// let error = instance.call_simple_function("spin", &[]).unwrap_err();
    /// assert_eq!(error.limit(), Some(Limit::Deadline));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::LimitExceeded { limit, .. } => Some(*limit),
            _ => None,
        }
    }

    /// The guest's call stack when it was stopped; empty when it was not executing, or the runtime
    /// does not know.
    ///
    /// ```
    /// use wasm_sandbox::{Error, Limit};
    ///
    /// assert!(Error::exceeded(Limit::Instances).backtrace().is_empty(), "no guest was executing");
    /// ```
    #[must_use]
    pub fn backtrace(&self) -> &[Frame] {
        match self {
            Self::Trap { backtrace, .. } | Self::LimitExceeded { backtrace, .. } => {
                backtrace.frames()
            }
            _ => &[],
        }
    }

    /// A limit that was exceeded while no guest was executing, or where nobody knows.
    ///
    /// ```
    /// use wasm_sandbox::{Error, Limit};
    ///
    /// assert_eq!(Error::exceeded(Limit::Modules).limit(), Some(Limit::Modules));
    /// ```
    #[must_use]
    pub fn exceeded(limit: Limit) -> Self {
        Self::LimitExceeded {
            limit,
            backtrace: GuestBacktrace::default(),
        }
    }

    pub(crate) fn io(context: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io {
            context: context.into(),
            source,
        }
    }
}
