//! Calls whose arguments and result are plain integers, for functions whose types are others.

use crate::value::{Signature, Value, to_value};
use crate::{Error, Result};

/// Integers as the values that a function's parameters want.
pub(crate) fn simple_values(
    name: &str,
    signature: &Signature,
    params: &[i32],
) -> Result<Vec<Value>> {
    if signature.params.len() != params.len() {
        let reason = format!("`{signature}` was called with {} integers", params.len());
        return Err(Error::Signature {
            name: name.into(),
            reason,
        });
    }
    let typed = params.iter().zip(&signature.params);
    typed
        .map(|(number, param)| to_value(number, &param.ty).map_err(Error::Value))
        .collect()
}

/// The integer that a function answered, 0 for none; [`None`] when it answered something else.
pub(crate) fn simple_result(results: &[Value]) -> Option<i32> {
    match results {
        [] => Some(0),
        [Value::S32(number)] => Some(*number),
        [Value::U32(number)] => i32::try_from(*number).ok(),
        [Value::S64(number)] => i32::try_from(*number).ok(),
        [Value::U64(number)] => i32::try_from(*number).ok(),
        [Value::S16(number)] => Some((*number).into()),
        [Value::U16(number)] => Some((*number).into()),
        [Value::S8(number)] => Some((*number).into()),
        [Value::U8(number)] => Some((*number).into()),
        [Value::Bool(flag)] => Some((*flag).into()),
        _ => None,
    }
}
