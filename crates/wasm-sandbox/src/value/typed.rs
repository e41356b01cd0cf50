//! Values written out in a self-describing format, guided by their types.

use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Type, Value};

/// A value together with its type: what serde needs to write it.
///
/// Records and cases are named as in WIT. In formats for humans a `list<u8>` is a list of numbers, in
/// the others it is bytes.
///
/// ```
/// use wasm_sandbox::value::{Type, Typed, Value};
///
/// let ty = Type::List(Type::U8.into());
/// let value = Value::List(vec![Value::U8(1), Value::U8(255)]);
/// assert_eq!(serde_json::to_string(&Typed { value: &value, ty: &ty })?, "[1,255]");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Typed<'v> {
    /// The value.
    pub value: &'v Value,
    /// Its type.
    pub ty: &'v Type,
}

fn typed<'v>(value: &'v Value, ty: &'v Type) -> Typed<'v> {
    Typed { value, ty }
}

impl Typed<'_> {
    fn mismatch<E: Error>(self) -> E {
        E::custom(format_args!("the value is not one of `{}`", self.ty))
    }
}

/// A case: its name alone, or a map of one entry.
fn case<S: Serializer>(
    serializer: S,
    name: &str,
    payload: Option<(&Value, &Type)>,
) -> Result<S::Ok, S::Error> {
    match payload {
        None => serializer.serialize_str(name),
        Some((value, ty)) => {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(name, &typed(value, ty))?;
            map.end()
        }
    }
}

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.ty) {
            (Value::Bool(value), Type::Bool) => serializer.serialize_bool(*value),
            (Value::S8(value), Type::S8) => serializer.serialize_i8(*value),
            (Value::U8(value), Type::U8) => serializer.serialize_u8(*value),
            (Value::S16(value), Type::S16) => serializer.serialize_i16(*value),
            (Value::U16(value), Type::U16) => serializer.serialize_u16(*value),
            (Value::S32(value), Type::S32) => serializer.serialize_i32(*value),
            (Value::U32(value), Type::U32) => serializer.serialize_u32(*value),
            (Value::S64(value), Type::S64) => serializer.serialize_i64(*value),
            (Value::U64(value), Type::U64) => serializer.serialize_u64(*value),
            (Value::F32(value), Type::F32) => serializer.serialize_f32(*value),
            (Value::F64(value), Type::F64) => serializer.serialize_f64(*value),
            (Value::Char(value), Type::Char) => serializer.serialize_char(*value),
            (Value::String(value), Type::String) => serializer.serialize_str(value),
            (Value::Resource(handle), Type::Own | Type::Borrow) => handle.serialize(serializer),
            (Value::Option(None), Type::Option(_)) => serializer.serialize_none(),
            (Value::Option(Some(value)), Type::Option(ty)) => {
                serializer.serialize_some(&typed(value, ty))
            }
            (Value::List(values), Type::List(ty)) => {
                if **ty == Type::U8 && !serializer.is_human_readable() {
                    let byte = |value: &Value| match value {
                        Value::U8(byte) => Ok(*byte),
                        _ => Err(self.mismatch()),
                    };
                    let bytes: Vec<u8> = values.iter().map(byte).collect::<Result<_, _>>()?;
                    return serializer.serialize_bytes(&bytes);
                }
                serializer.collect_seq(values.iter().map(|value| typed(value, ty)))
            }
            (Value::Tuple(values), Type::Tuple(types)) if values.len() == types.len() => {
                if values.is_empty() {
                    return serializer.serialize_unit();
                }
                let typed_values = values.iter().zip(types.iter());
                serializer.collect_seq(typed_values.map(|(value, ty)| typed(value, ty)))
            }
            (Value::Record(values), Type::Record(fields)) if values.len() == fields.len() => {
                let entries = fields.iter().zip(values);
                serializer.collect_map(
                    entries.map(|(field, value)| (&*field.name, typed(value, &field.ty))),
                )
            }
            (Value::Flags(bits), Type::Flags(names)) => {
                let set = names.iter().take(64).enumerate();
                let set = set.filter(|(index, _)| bits >> index & 1 == 1);
                let set: Vec<&str> = set.map(|(_, name)| &**name).collect();
                let mut list = serializer.serialize_seq(Some(set.len()))?;
                for name in set {
                    list.serialize_element(name)?;
                }
                list.end()
            }
            (Value::Enum(index), Type::Enum(names)) => match names.get(*index as usize) {
                Some(name) => serializer.serialize_str(name),
                None => Err(self.mismatch()),
            },
            (Value::Variant(index, payload), Type::Variant(cases)) => {
                let found = cases.get(*index as usize).ok_or_else(|| self.mismatch())?;
                case(
                    serializer,
                    &found.name,
                    payload.as_deref().zip(found.ty.as_ref()),
                )
            }
            (Value::Result(value), Type::Result(ok, err)) => {
                let (name, value, ty) = match value {
                    Ok(value) => ("ok", value, ok),
                    Err(value) => ("err", value, err),
                };
                let mut map = serializer.serialize_map(Some(1))?;
                match value.as_deref().zip(ty.as_deref()) {
                    Some((value, ty)) => map.serialize_entry(name, &typed(value, ty))?,
                    None => map.serialize_entry(name, &())?,
                }
                map.end()
            }
            _ => Err(self.mismatch()),
        }
    }
}

/// The results of a call as one value: none as unit, one as itself, several as a list.
pub(crate) struct TypedResults<'v> {
    pub(crate) values: &'v [Value],
    pub(crate) types: &'v [Type],
}

impl Serialize for TypedResults<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.values, self.types) {
            ([], []) => serializer.serialize_unit(),
            ([value], [ty]) => typed(value, ty).serialize(serializer),
            (values, types) if values.len() == types.len() => {
                let typed_values = values.iter().zip(types);
                serializer.collect_seq(typed_values.map(|(value, ty)| typed(value, ty)))
            }
            _ => Err(S::Error::custom("results of another number than the types")),
        }
    }
}
