//! Values of Cranelift as the parameters and results that WebAssembly has for them: what runs a function of
//! [`crate::standalone`] passes and takes these.
//!
//! Narrow integers travel in `i32`, unsigned as Cranelift leaves upper bits to the callee; an `i128` travels as two `i64`, the lower
//! half first.

use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{Type, types};
use std::fmt;

/// A value of WebAssembly; floats are their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`
    F32(u32),
    /// `f64`
    F64(u64),
    /// `v128`
    V128(u128),
}

/// Why values cannot be passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// WebAssembly has no value for one of Cranelift's.
    None {
        /// The value.
        value: String,
    },
    /// There are fewer results than the types ask for.
    Missing {
        /// The type without a value.
        ty: Type,
    },
    /// A result is of another type.
    Mismatch {
        /// The type.
        ty: Type,
        /// The result.
        value: Value,
    },
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::None { value } => write!(f, "there is no wasm value for `{value}`"),
            ValueError::Missing { ty } => write!(f, "there is no result for the type `{ty}`"),
            ValueError::Mismatch { ty, value } => {
                write!(f, "`{value:?}` is no value of the type `{ty}`")
            }
        }
    }
}

impl std::error::Error for ValueError {}

/// What is passed for `values`.
///
/// ```
/// use codegen_cranelift::values::{Value, flatten};
/// use cranelift_codegen::data_value::DataValue;
/// let flat = flatten(&[DataValue::I8(-1), DataValue::I128(1 << 64)])?;
/// assert_eq!(flat, [Value::I32(255), Value::I64(0), Value::I64(1)]);
/// # Ok::<(), codegen_cranelift::values::ValueError>(())
/// ```
///
/// # Errors
/// If WebAssembly has no value for one of them.
pub fn flatten(values: &[DataValue]) -> Result<Vec<Value>, ValueError> {
    let mut flat = Vec::with_capacity(values.len());
    for value in values {
        match value {
            DataValue::I8(v) => flat.push(Value::I32(i32::from(*v as u8))),
            DataValue::I16(v) => flat.push(Value::I32(i32::from(*v as u16))),
            DataValue::I32(v) => flat.push(Value::I32(*v)),
            DataValue::I64(v) => flat.push(Value::I64(*v)),
            DataValue::I128(v) => {
                flat.push(Value::I64(*v as i64));
                flat.push(Value::I64((*v >> 64) as i64));
            }
            DataValue::F32(v) => flat.push(Value::F32(v.bits())),
            DataValue::F64(v) => flat.push(Value::F64(v.bits())),
            DataValue::V128(v) => flat.push(Value::V128(u128::from_le_bytes(*v))),
            other => {
                let value = other.to_string();
                return Err(ValueError::None { value });
            }
        }
    }
    Ok(flat)
}

/// The values of these types that `results` stand for.
///
/// # Errors
/// If number or types of the results are not those that the types ask for.
pub fn unflatten(
    types: impl IntoIterator<Item = Type>,
    results: impl IntoIterator<Item = Value>,
) -> Result<Vec<DataValue>, ValueError> {
    let mut results = results.into_iter();
    let value = |ty: Type| {
        let mut next = || results.next().ok_or(ValueError::Missing { ty });
        Ok(match (ty, next()?) {
            (types::I8, Value::I32(v)) => DataValue::I8(v as i8),
            (types::I16, Value::I32(v)) => DataValue::I16(v as i16),
            (types::I32, Value::I32(v)) => DataValue::I32(v),
            (types::I64, Value::I64(v)) => DataValue::I64(v),
            (types::I128, Value::I64(low)) => match next()? {
                Value::I64(high) => {
                    DataValue::I128(i128::from(low as u64) | i128::from(high) << 64)
                }
                value => return Err(ValueError::Mismatch { ty, value }),
            },
            (types::F32, Value::F32(v)) => DataValue::F32(Ieee32::with_bits(v)),
            (types::F64, Value::F64(v)) => DataValue::F64(Ieee64::with_bits(v)),
            (ty, Value::V128(v)) if ty.bits() == 128 && ty.is_vector() => {
                DataValue::V128(v.to_le_bytes())
            }
            (ty, value) => return Err(ValueError::Mismatch { ty, value }),
        })
    };
    types.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_comes_back() {
        let values = [
            DataValue::I8(-3),
            DataValue::I16(-300),
            DataValue::I32(i32::MIN),
            DataValue::I64(i64::MIN),
            DataValue::I128(i128::MIN + 5),
            DataValue::F32(Ieee32::with_bits(0xffc0_0001)),
            DataValue::F64(Ieee64::with_bits(1)),
            DataValue::V128(*b"0123456789abcdef"),
        ];
        let types = values.iter().map(DataValue::ty);
        let flat = flatten(&values).expect("wasm has them all");
        assert_eq!(flat.len(), values.len() + 1);
        let back = unflatten(types, flat).expect("they are of these types");
        for (back, value) in back.iter().zip(&values) {
            assert!(back.bitwise_eq(value), "{back} for {value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let missing = Err(ValueError::Missing { ty: types::I128 });
        assert_eq!(unflatten([types::I128], [Value::I64(1)]), missing);
        let mismatch = unflatten([types::I32], [Value::I64(1)]);
        assert!(
            matches!(mismatch, Err(ValueError::Mismatch { .. })),
            "{mismatch:?}"
        );
        let scalar = unflatten([types::I128], [Value::V128(1)]);
        assert!(
            matches!(scalar, Err(ValueError::Mismatch { .. })),
            "{scalar:?}"
        );
    }
}
