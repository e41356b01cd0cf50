//! The extension traits: generic and asynchronous, for every core type.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_memory::message::Codec;

use super::{FunctionInfo, WasmInstance, WasmModule, WasmRuntime, call_message};
use crate::value::{Any, TypedResults, arguments, result};
use crate::{Capabilities, Error, ResourceLimits, Result, WasmtimeInstance};

/// One instance of a batch.
///
/// ```
/// use wasm_sandbox::{Capabilities, InstanceSpec, ResourceLimits, RuntimeConfig, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let spec = InstanceSpec {
///     module: runtime.load_module(&wat::parse_str("(module)")?)?.into(),
///     resources: ResourceLimits::default(),
///     capabilities: Capabilities::minimal(),
/// };
/// // A copy refers to the same module.
/// let copies = [spec.clone(), spec];
/// assert_eq!(copies[0].module.id(), copies[1].module.id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct InstanceSpec {
    /// The module.
    pub module: Arc<dyn WasmModule>,
    /// The limits.
    pub resources: ResourceLimits,
    /// The capabilities.
    pub capabilities: Capabilities,
}

/// What every [`WasmRuntime`] can also do.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, WasmRuntimeExt, create_runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let module = runtime.load_module_async(&wat::parse_str("(module)")?).await?;
/// assert!(module.exports().is_empty());
/// # Ok(())
/// # }
/// ```
pub trait WasmRuntimeExt: WasmRuntime {
    /// Compiles a module without blocking the executor.
    ///
    /// # Errors
    ///
    /// As [`WasmRuntime::load_module`].
    fn load_module_async(
        &self,
        wasm_bytes: &[u8],
    ) -> impl Future<Output = Result<Box<dyn WasmModule>>> + Send {
        async move { self.load_module_boxed(wasm_bytes).await }
    }

    /// Makes instances in order: all of them, or none and the first error.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wasm_sandbox::{
    ///     Capabilities, InstanceSpec, ResourceLimits, RuntimeConfig, WasmModule, WasmRuntimeExt, create_runtime,
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = create_runtime(&RuntimeConfig::default())?;
    /// let module: Arc<dyn WasmModule> = runtime.load_module_async(&wat::parse_str("(module)")?).await?.into();
    /// let spec = InstanceSpec {
    ///     module,
    ///     resources: ResourceLimits::default(),
    ///     capabilities: Capabilities::minimal(),
    /// };
    /// let instances = runtime.create_instances_batch(std::iter::repeat_n(spec, 10)).await?;
    /// assert_eq!(instances.len(), 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`WasmRuntime::create_instance`].
    fn create_instances_batch<I>(
        &self,
        specs: I,
    ) -> impl Future<Output = Result<Vec<Box<dyn WasmInstance>>>> + Send
    where
        I: IntoIterator<Item = InstanceSpec> + Send,
        I::IntoIter: Send,
    {
        async move {
            let mut instances = Vec::new();
            for InstanceSpec {
                module,
                resources,
                capabilities,
            } in specs
            {
                instances.push(
                    self.create_instance_boxed(&*module, resources, capabilities)
                        .await?,
                );
            }
            Ok(instances)
        }
    }
}

impl<T: WasmRuntime + ?Sized> WasmRuntimeExt for T {}

/// What every [`WasmInstance`] can also do.
///
/// Functions of components, and core functions of numbers, are called with values of their own types.
/// A core function listed in the module's `wasm-memory.messages` section is called with one message in
/// the encoding listed there.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmInstanceExt, create_runtime};
///
/// /// The arguments by name.
/// #[derive(Serialize)]
/// struct Range { from: u32, to: u32 }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let wasm = wat::parse_str(r#"(component
///     (core module $m (func (export "len") (param i32 i32) (result i32)
///       (i32.sub (local.get 1) (local.get 0))))
///     (core instance $i (instantiate $m))
///     (func (export "len") (param "from" u32) (param "to" u32) (result u32)
///       (canon lift (core func $i "len"))))"#)?;
/// let module = runtime.load_module(&wasm)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// let len: u32 = instance.call_function("len", &Range { from: 5, to: 12 }).await?;
/// assert_eq!(len, 7);
/// # Ok(())
/// # }
/// ```
pub trait WasmInstanceExt: WasmInstance {
    /// Calls a function with Rust values.
    ///
    /// ```
    /// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmInstanceExt, create_runtime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = create_runtime(&RuntimeConfig::default())?;
    /// let wasm = wat::parse_str(r#"(module (func (export "half") (param f64) (result f64)
    ///     (f64.div (local.get 0) (f64.const 2))))"#)?;
    /// let module = runtime.load_module(&wasm)?;
    /// let instance =
    ///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
    /// let half: f64 = instance.call_function("half", &5.0).await?;
    /// assert_eq!(half, 2.5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When there is no such function, the values do not fit its type, or the guest fails.
    fn call_function<P, R>(
        &self,
        function_name: &str,
        params: &P,
    ) -> impl Future<Output = Result<R>> + Send
    where
        P: Serialize + Sync + ?Sized,
        R: DeserializeOwned + Send,
    {
        async move {
            // The same thing without boxes, for the backend whose calls are short enough to notice.
            if let Some(instance) = self.as_any().downcast_ref::<WasmtimeInstance>()
                && let Some(answer) = instance.call_typed(function_name, params).await?
            {
                return Ok(answer);
            }
            let caller = self.function_caller();
            let FunctionInfo {
                signature, codec, ..
            } = caller.function(function_name)?;
            match codec {
                None => {
                    let values = arguments(&signature, params)?;
                    let results = caller.call(function_name, &values).await?;
                    Ok(result(&signature, results)?)
                }
                Some(codec) => {
                    let payload = encode(codec, params)?;
                    decode(codec, &call_message(self, function_name, &payload).await?)
                }
            }
        }
    }

    /// Calls a function with JSON and answers with JSON.
    ///
    /// JSON has no bytes, no NaN and no infinities: a `list<u8>` is a list of numbers, and a float that
    /// is not finite is answered as `null`.
    ///
    /// ```
    /// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmInstanceExt, create_runtime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = create_runtime(&RuntimeConfig::default())?;
    /// let wasm = wat::parse_str(r#"(module (func (export "half") (param f64) (result f64)
    ///     (f64.div (local.get 0) (f64.const 2))))"#)?;
    /// let module = runtime.load_module(&wasm)?;
    /// let instance =
    ///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
    /// assert_eq!(instance.call_function_json_async("half", "[5]").await?, "2.5");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`call_function`](Self::call_function), and when the JSON is malformed.
    fn call_function_json_async(
        &self,
        function_name: &str,
        params_json: &str,
    ) -> impl Future<Output = Result<String>> + Send {
        async move {
            let answer =
                call_encoded(self, Codec::Json, function_name, params_json.as_bytes()).await?;
            String::from_utf8(answer).map_err(|error| codec_error(Codec::Json, error))
        }
    }

    /// Calls a function with MessagePack and answers with MessagePack.
    ///
    /// A `list<u8>` may be passed as bytes or as an array and is answered as bytes; floats keep all their
    /// values, NaN and the infinities included.
    ///
    /// ```
    /// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmInstanceExt, create_runtime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = create_runtime(&RuntimeConfig::default())?;
    /// let wasm = wat::parse_str(r#"(module (func (export "add") (param i32 i32) (result i32)
    ///     (i32.add (local.get 0) (local.get 1))))"#)?;
    /// let module = runtime.load_module(&wasm)?;
    /// let instance =
    ///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
    /// // An array of 5 and 7; the number 12.
    /// assert_eq!(instance.call_function_msgpack_async("add", &[0x92, 5, 7]).await?, [12]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`call_function`](Self::call_function), and when the MessagePack is malformed.
    fn call_function_msgpack_async(
        &self,
        function_name: &str,
        params_msgpack: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>>> + Send {
        call_encoded(self, Codec::MessagePack, function_name, params_msgpack)
    }

    /// Calls a core message function with bytes, whatever their encoding.
    ///
    /// ```
    /// use wasm_sandbox::{Capabilities, ResourceLimits, RuntimeConfig, WasmInstanceExt, create_runtime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = create_runtime(&RuntimeConfig::default())?;
    /// let wasm = wat::parse_str(r#"(module
    ///     (memory (export "memory") 1)
    ///     (func (export "__alloc") (param i32 i32) (result i32) (i32.const 1024))
    ///     (func (export "__free") (param i32 i32) (result i32) (i32.const 0))
    ///     (func (export "echo") (param i32 i32) (result i64)
    ///       (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
    ///     (@custom "wasm-memory.messages" "echo=raw\n"))"#)?;
    /// let module = runtime.load_module(&wasm)?;
    /// let instance =
    ///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
    /// assert_eq!(instance.call_function_bytes_async("echo", b"bytes").await?, b"bytes");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Signature`] when the function does not take messages; else as
    /// [`call_function`](Self::call_function).
    fn call_function_bytes_async(
        &self,
        function_name: &str,
        payload: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>>> + Send {
        async move {
            let info = self.function_caller().function(function_name)?;
            if info.codec.is_none() {
                return Err(Error::Signature {
                    name: function_name.into(),
                    reason: "it is not listed as a message function".into(),
                });
            }
            call_message(self, function_name, payload).await
        }
    }
}

impl<T: WasmInstance + ?Sized> WasmInstanceExt for T {}

/// Calls a function with a message in `codec`, and answers with one.
async fn call_encoded<I: WasmInstance + ?Sized>(
    instance: &I,
    codec: Codec,
    name: &str,
    params: &[u8],
) -> Result<Vec<u8>> {
    let params: Any = decode(codec, params)?;
    let caller = instance.function_caller();
    let info = caller.function(name)?;
    match info.codec {
        None => {
            let values = arguments(&info.signature, &params)?;
            let results = caller.call(name, &values).await?;
            let results = TypedResults {
                values: &results,
                types: &info.signature.results,
            };
            encode(codec, &results)
        }
        Some(guests) => {
            let payload = encode(guests, &params)?;
            let answer: Any = decode(guests, &call_message(instance, name, &payload).await?)?;
            encode(codec, &answer)
        }
    }
}

fn codec_error(codec: Codec, reason: impl std::fmt::Display) -> Error {
    Error::Codec {
        codec: codec.name(),
        reason: reason.to_string(),
    }
}

/// The most containers within containers that a message may have.
const MAX_DEPTH: usize = 128;

fn encode<T: Serialize + ?Sized>(codec: Codec, value: &T) -> Result<Vec<u8>> {
    match codec {
        Codec::Json => serde_json::to_vec(value).map_err(|error| codec_error(codec, error)),
        Codec::MessagePack => {
            rmp_serde::to_vec_named(value).map_err(|error| codec_error(codec, error))
        }
        _ => Err(codec_error(
            codec,
            "only `call_function_bytes_async` calls it",
        )),
    }
}

fn decode<T: DeserializeOwned>(codec: Codec, bytes: &[u8]) -> Result<T> {
    match codec {
        Codec::Json => serde_json::from_slice(bytes).map_err(|error| codec_error(codec, error)),
        Codec::MessagePack => {
            let mut reader = rmp_serde::Deserializer::new(bytes);
            reader.set_max_depth(MAX_DEPTH);
            let value = T::deserialize(&mut reader).map_err(|error| codec_error(codec, error))?;
            if reader.into_inner().is_empty() {
                Ok(value)
            } else {
                Err(codec_error(codec, "bytes after the value"))
            }
        }
        _ => Err(codec_error(
            codec,
            "only `call_function_bytes_async` calls it",
        )),
    }
}
