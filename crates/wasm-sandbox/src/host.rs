//! Functions that the host offers to its guests.
//!
//! A function is named as the guest imports it: `module` and `name` for a core module, interface and
//! name for a component (an empty interface is the world itself). Its types are those of the import;
//! a closure over Rust types is connected to them by serde, as calls into the guest are.
//!
//! A panic in a host function is caught at the border and ends the call with
//! [`Error::HostFunctionPanicked`]; it never unwinds through guest code.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::value::{Signature, Type, Value, from_value, to_value};
use crate::{Error, Result};

/// What a host function may fail with.
///
/// ```
/// use wasm_sandbox::HostFunctions;
/// use wasm_sandbox::host::HostError;
///
/// fn parse((text,): (String,)) -> Result<u32, HostError> {
///     Ok(text.parse()?)
/// }
/// HostFunctions::default().add("text", "parse", parse);
/// ```
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

type Body = dyn Fn(&Signature, Vec<Value>) -> Result<Vec<Value>, HostError> + Send + Sync;

/// A function of the host, callable by guests.
///
/// ```
/// use wasm_sandbox::HostFunctions;
///
/// let mut functions = HostFunctions::default();
/// functions.add("env", "double", |(number,): (i32,)| Ok(number * 2));
/// // The same function under another name.
/// let double = functions.get("env", "double").expect("it was added").clone();
/// assert_eq!(format!("{double:?}"), "HostFunction");
/// ```
#[derive(Clone)]
pub struct HostFunction {
    body: Arc<Body>,
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostFunction")
    }
}

/// The functions that a runtime's modules may import.
///
/// ```
/// use wasm_sandbox::{Capabilities, HostFunctions, ResourceLimits, RuntimeConfig, create_runtime};
///
/// let mut functions = HostFunctions::default();
/// functions.add("env", "double", |(number,): (i32,)| Ok(number * 2));
/// assert!(functions.get("env", "double").is_some());
/// let config = RuntimeConfig { host_functions: functions, ..RuntimeConfig::default() };
/// let runtime = create_runtime(&config)?;
/// let module = runtime.load_module(&wat::parse_str(r#"(module
///     (import "env" "double" (func $double (param i32) (result i32)))
///     (func (export "quadruple") (param i32) (result i32) (call $double (call $double (local.get 0)))))"#)?)?;
/// let instance =
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), Capabilities::minimal())?;
/// assert_eq!(instance.call_simple_function("quadruple", &[3])?, 12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct HostFunctions {
    functions: BTreeMap<(String, String), HostFunction>,
}

impl HostFunctions {
    /// Adds a function over Rust types: `P` is the tuple of its parameters, `R` its result.
    ///
    /// Replaces a function of the same name.
    pub fn add<P, R>(
        &mut self,
        interface: &str,
        name: &str,
        function: impl Fn(P) -> Result<R, HostError> + Send + Sync + 'static,
    ) -> &mut Self
    where
        P: DeserializeOwned,
        R: Serialize,
    {
        self.add_raw(interface, name, move |signature, values| {
            let types: Vec<Type> = signature
                .params
                .iter()
                .map(|param| param.ty.clone())
                .collect();
            let params: P = from_value(Value::Tuple(values), &Type::Tuple(types.into()))?;
            let result = function(params)?;
            Ok(match signature.results.as_slice() {
                [] => {
                    to_value(&result, &Type::Tuple([].into()))?;
                    Vec::new()
                }
                [one] => vec![to_value(&result, one)?],
                many => match to_value(&result, &Type::Tuple(many.into()))? {
                    Value::Tuple(values) => values,
                    other => vec![other],
                },
            })
        })
    }

    /// Adds a function over [`Value`]s, which is told the types of the import.
    ///
    /// ```
    /// use wasm_sandbox::{HostFunctions, Value};
    ///
    /// let mut functions = HostFunctions::default();
    /// functions.add_raw("env", "sum", |signature, values| {
    ///     let sum = values.iter().map(|value| match value {
    ///         Value::S32(number) => Ok(*number),
    ///         other => Err(format!("{other:?} in `{signature}`")),
    ///     });
    ///     Ok(vec![Value::S32(sum.sum::<Result<i32, _>>()?)])
    /// });
    /// assert!(functions.get("env", "sum").is_some());
    /// ```
    pub fn add_raw(
        &mut self,
        interface: &str,
        name: &str,
        function: impl Fn(&Signature, Vec<Value>) -> Result<Vec<Value>, HostError>
        + Send
        + Sync
        + 'static,
    ) -> &mut Self {
        let function = HostFunction {
            body: Arc::new(function),
        };
        self.functions
            .insert((interface.into(), name.into()), function);
        self
    }

    /// The function of this name.
    #[must_use]
    pub fn get(&self, interface: &str, name: &str) -> Option<&HostFunction> {
        self.functions.get(&(interface.to_owned(), name.to_owned()))
    }
}

/// The name of an import as [`HostGrant`](crate::HostGrant)s and errors write it.
///
/// ```
/// use wasm_sandbox::host::import_name;
///
/// assert_eq!(import_name("env", "open_door"), "env#open_door");
/// assert_eq!(import_name("", "open-door"), "open-door");
/// ```
#[must_use]
pub fn import_name(interface: &str, name: &str) -> String {
    if interface.is_empty() {
        name.into()
    } else {
        format!("{interface}#{name}")
    }
}

impl HostFunction {
    /// Calls the function for the instance `caller`: checks its results against the import's types, and
    /// catches its panics. This is what a backend calls.
    ///
    /// ```
    /// use wasm_sandbox::{Error, HostFunctions, Signature, Type, Value};
    ///
    /// let mut functions = HostFunctions::default();
    /// functions.add("env", "half", |(number,): (i32,)| {
    ///     if number % 2 == 0 { Ok(number / 2) } else { Err("it is odd".into()) }
    /// });
    /// let half = functions.get("env", "half").expect("just added");
    /// let signature = Signature::new([Type::S32], [Type::S32]);
    /// assert_eq!(half.call(1, "half", &signature, vec![Value::S32(8)])?, [Value::S32(4)]);
    /// let odd = half.call(1, "half", &signature, vec![Value::S32(7)]);
    /// assert!(matches!(odd, Err(Error::HostFunctionFailed { .. })));
    /// # Ok::<(), wasm_sandbox::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::HostFunctionFailed`] or [`Error::HostFunctionPanicked`].
    pub fn call(
        &self,
        caller: u64,
        name: &str,
        signature: &Signature,
        values: Vec<Value>,
    ) -> Result<Vec<Value>> {
        let _active = Active::enter(caller);
        let failed = |reason: String| Error::HostFunctionFailed {
            name: name.into(),
            reason,
        };
        let results = match catch_unwind(AssertUnwindSafe(|| (self.body)(signature, values))) {
            Ok(Ok(results)) => results,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(panic) => {
                return Err(Error::HostFunctionPanicked {
                    name: name.into(),
                    reason: panic_message(&*panic),
                });
            }
        };
        let fits = results.len() == signature.results.len()
            && results
                .iter()
                .zip(&signature.results)
                .all(|(value, ty)| value.is(ty));
        if fits {
            Ok(results)
        } else {
            Err(failed(format!(
                "its results are not those of `{signature}`"
            )))
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}

thread_local! {
    /// The instances whose host functions are executing on this thread, innermost last.
    static ACTIVE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Marks an instance as calling the host on this thread.
struct Active;

impl Active {
    fn enter(instance: u64) -> Self {
        ACTIVE.with_borrow_mut(|active| active.push(instance));
        Self
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        ACTIVE.with_borrow_mut(|active| active.pop());
    }
}

/// Whether a host function called by `instance` is executing on this thread. A backend asks this
/// before it waits for the instance, which would then never come.
///
/// ```
/// // No instance is calling the host now.
/// assert!(!wasm_sandbox::host::is_calling_host(1));
/// ```
#[must_use]
pub fn is_calling_host(instance: u64) -> bool {
    ACTIVE.with_borrow(|active| active.contains(&instance))
}
