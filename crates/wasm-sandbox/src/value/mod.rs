//! Values that cross the sandbox's border, and how serde reaches them.
//!
//! A call's arguments go from Rust to the guest in two steps: [`arguments`] serialises any
//! `Serialize` type, *guided by the function's own types*, into [`Value`]s, and the runtime lowers those.
//! [`result`] is the way back. (A runtime that can does without the values, and lowers what was serialised as
//! it stands.) Because the types guide, nothing is guessed: a number becomes the
//! integer the function wants or the call fails with the path of the value that did not fit.
//!
//! # How names are matched
//!
//! WIT writes `max-size`, Rust `max_size` and `MaxSize`. A name matches when it is equal with `_` read
//! as `-`; failing that, when it is equal without regard to `-`, `_` and ASCII case, provided that only
//! one name is.
//!
//! # How arguments are matched to parameters
//!
//! | what is serialised | meaning |
//! |---|---|
//! | tuple, array, sequence (JSON array) | the arguments in order |
//! | struct, map (JSON object) whose keys are the parameters' names | the arguments by name |
//! | `()` (JSON `null`) | no arguments |
//! | anything else | the only argument |
//!
//! So a single list argument is written `(list,)`, as in Rust.
//!
//! ```
//! use serde::Serialize;
//! use wasm_sandbox::value::{Case, Field, Signature, Type, Value, arguments};
//!
//! #[derive(Serialize)]
//! struct Point { x: f64, y_axis: f64 }
//!
//! let field = |name: &str, ty| Field { name: name.into(), ty };
//! let point = Type::Record([field("x", Type::F64), field("y-axis", Type::F64)].into());
//! let signature = Signature { params: vec![field("point", point)], results: vec![] };
//! let values = arguments(&signature, &Point { x: 1.0, y_axis: 2.0 })?;
//! assert_eq!(values, [Value::Record(vec![Value::F64(1.0), Value::F64(2.0)])]);
//! # Ok::<(), wasm_sandbox::ValueError>(())
//! ```

mod any;
mod args;
mod de;
mod error;
mod names;
mod ser;
mod tape;
mod typed;
mod types;
mod wit;

pub(crate) use any::Any;
pub use args::{arguments, result};
pub(crate) use args::{read_result, values, write_arguments};
pub use de::from_value;
pub use error::{ValueError, ValueErrorKind};
pub use ser::to_value;
pub(crate) use tape::{Reader, Tape};
pub use typed::Typed;
pub(crate) use typed::TypedResults;
pub use types::{Case, Field, Signature, Type};
pub use wit::{WitFunction, WitType};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A resource of an instance, as an opaque handle.
///
/// A handle means something only to the instance that gave it out, is never reused, and keeps the
/// resource alive until it is passed as `own<…>` or
/// [dropped](crate::WasmInstance::drop_resource). It serialises as a number.
///
/// ```
/// use wasm_sandbox::value::{ResourceHandle, Type, Value, to_value};
///
/// assert_eq!(to_value(&ResourceHandle(7), &Type::Own)?, Value::Resource(ResourceHandle(7)));
/// # Ok::<(), wasm_sandbox::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceHandle(pub u64);

/// A value of some [`Type`].
///
/// Values are positional: names stand in the type only.
///
/// ```
/// use wasm_sandbox::value::{Type, Value, from_value, to_value};
///
/// let ty = Type::Result(Some(Type::U16.into()), Some(Type::String.into()));
/// let value = to_value(&Ok::<u16, String>(7), &ty)?;
/// assert_eq!(value, Value::Result(Ok(Some(Box::new(Value::U16(7))))));
/// assert_eq!(from_value::<Result<u16, String>>(value, &ty)?, Ok(7));
/// # Ok::<(), wasm_sandbox::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A `bool`.
    Bool(bool),
    /// An `s8`.
    S8(i8),
    /// A `u8`.
    U8(u8),
    /// An `s16`.
    S16(i16),
    /// A `u16`.
    U16(u16),
    /// An `s32`.
    S32(i32),
    /// A `u32`.
    U32(u32),
    /// An `s64`.
    S64(i64),
    /// A `u64`.
    U64(u64),
    /// An `f32`.
    F32(f32),
    /// An `f64`.
    F64(f64),
    /// A `char`.
    Char(char),
    /// A `string`.
    String(String),
    /// A list's elements.
    List(Vec<Value>),
    /// A record's fields in the order of its type.
    Record(Vec<Value>),
    /// A tuple's elements.
    Tuple(Vec<Value>),
    /// A variant's case, by index, and its payload.
    Variant(u32, Option<Box<Value>>),
    /// An enum's case, by index.
    Enum(u32),
    /// An option.
    Option(Option<Box<Value>>),
    /// A result.
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    /// The flags that are set: bit n is the type's n-th name.
    Flags(u64),
    /// A resource.
    Resource(ResourceHandle),
}

impl Value {
    /// Whether the value is one of `ty`, all the way down.
    ///
    /// ```
    /// use wasm_sandbox::value::{Type, Value};
    ///
    /// let list = Value::List(vec![Value::U8(1), Value::U8(2)]);
    /// assert!(list.is(&Type::List(Type::U8.into())));
    /// assert!(!list.is(&Type::List(Type::S8.into())));
    /// ```
    #[must_use]
    pub fn is(&self, ty: &Type) -> bool {
        let payload = |value: &Option<Box<Value>>, ty: &Option<Arc<Type>>| match (value, ty) {
            (None, None) => true,
            (Some(value), Some(ty)) => value.is(ty),
            _ => false,
        };
        match (self, ty) {
            (Self::Bool(_), Type::Bool)
            | (Self::S8(_), Type::S8)
            | (Self::U8(_), Type::U8)
            | (Self::S16(_), Type::S16)
            | (Self::U16(_), Type::U16)
            | (Self::S32(_), Type::S32)
            | (Self::U32(_), Type::U32)
            | (Self::S64(_), Type::S64)
            | (Self::U64(_), Type::U64)
            | (Self::F32(_), Type::F32)
            | (Self::F64(_), Type::F64)
            | (Self::Char(_), Type::Char)
            | (Self::String(_), Type::String)
            | (Self::Resource(_), Type::Own | Type::Borrow) => true,
            (Self::List(values), Type::List(ty)) => values.iter().all(|value| value.is(ty)),
            (Self::Record(values), Type::Record(fields)) => {
                values.len() == fields.len()
                    && values
                        .iter()
                        .zip(fields.iter())
                        .all(|(value, field)| value.is(&field.ty))
            }
            (Self::Tuple(values), Type::Tuple(types)) => {
                values.len() == types.len()
                    && values
                        .iter()
                        .zip(types.iter())
                        .all(|(value, ty)| value.is(ty))
            }
            (Self::Variant(case, value), Type::Variant(cases)) => cases
                .get(*case as usize)
                .is_some_and(|case| match (value, &case.ty) {
                    (None, None) => true,
                    (Some(value), Some(ty)) => value.is(ty),
                    _ => false,
                }),
            (Self::Enum(case), Type::Enum(names)) => (*case as usize) < names.len(),
            (Self::Option(value), Type::Option(ty)) => {
                value.as_ref().is_none_or(|value| value.is(ty))
            }
            (Self::Result(Ok(value)), Type::Result(ty, _))
            | (Self::Result(Err(value)), Type::Result(_, ty)) => payload(value, ty),
            (Self::Flags(bits), Type::Flags(names)) => {
                names.len() >= 64 || bits >> names.len() == 0
            }
            _ => false,
        }
    }
}
