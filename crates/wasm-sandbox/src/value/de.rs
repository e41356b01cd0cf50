//! Deserialising from values, guided by their types.

use std::sync::Arc;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{ValueError, ValueErrorKind};
use super::{Field, Type, Value, names};

type Result<T, E = ValueError> = std::result::Result<T, E>;

/// Deserialises a [`Value`] of type `ty`.
///
/// ```
/// use wasm_sandbox::value::{Type, Value, from_value};
///
/// let name: String = from_value(Value::String("wasm".into()), &Type::String)?;
/// assert_eq!(name, "wasm");
/// # Ok::<(), wasm_sandbox::ValueError>(())
/// ```
///
/// # Errors
///
/// When the value does not fit the Rust type, or is not of type `ty`.
pub fn from_value<T: DeserializeOwned>(value: Value, ty: &Type) -> Result<T> {
    T::deserialize(FromValue { value, ty })
}

/// The deserialiser of one value of type `ty`.
pub(super) struct FromValue<'t> {
    pub(super) value: Value,
    pub(super) ty: &'t Type,
}

const NO_NAMES: &[&str] = &[];

impl<'t> FromValue<'t> {
    fn wrong<T>(&self) -> Result<T> {
        Err(ValueError::mismatch(self.ty, "a value of another type"))
    }

    /// The names of the flags that are set.
    fn set_flags(bits: u64, flags: &'t [Arc<str>]) -> impl Iterator<Item = (usize, &'t str)> {
        flags
            .iter()
            .enumerate()
            .take(64)
            .filter(move |(index, _)| bits >> index & 1 == 1)
            .map(|(index, name)| (index, &**name))
    }

    /// The case of a variant, an enum or a result: its name, its payload and the payload's type.
    fn case(self) -> Result<(&'t str, Option<(Value, &'t Type)>)> {
        let pair = |value: Option<Box<Value>>, ty: Option<&'t Type>| match (value, ty) {
            (Some(value), Some(ty)) => Some((*value, ty)),
            _ => None,
        };
        match (self.value, self.ty) {
            (Value::Variant(index, payload), Type::Variant(cases)) => {
                match cases.get(index as usize) {
                    Some(case) => Ok((&case.name, pair(payload, case.ty.as_ref()))),
                    None => Err(ValueError::mismatch(self.ty, "a case out of range")),
                }
            }
            (Value::Enum(index), Type::Enum(cases)) => match cases.get(index as usize) {
                Some(case) => Ok((case, None)),
                None => Err(ValueError::mismatch(self.ty, "a case out of range")),
            },
            (Value::Result(Ok(payload)), Type::Result(ty, _)) => {
                Ok(("ok", pair(payload, ty.as_deref())))
            }
            (Value::Result(Err(payload)), Type::Result(_, ty)) => {
                Ok(("err", pair(payload, ty.as_deref())))
            }
            _ => Err(ValueError::mismatch(self.ty, "a value of another type")),
        }
    }
}

impl<'de> Deserializer<'de> for FromValue<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match (self.value, self.ty) {
            (Value::Bool(value), _) => visitor.visit_bool(value),
            (Value::S8(value), _) => visitor.visit_i8(value),
            (Value::U8(value), _) => visitor.visit_u8(value),
            (Value::S16(value), _) => visitor.visit_i16(value),
            (Value::U16(value), _) => visitor.visit_u16(value),
            (Value::S32(value), _) => visitor.visit_i32(value),
            (Value::U32(value), _) => visitor.visit_u32(value),
            (Value::S64(value), _) => visitor.visit_i64(value),
            (Value::U64(value), _) => visitor.visit_u64(value),
            (Value::F32(value), _) => visitor.visit_f32(value),
            (Value::F64(value), _) => visitor.visit_f64(value),
            (Value::Char(value), _) => visitor.visit_char(value),
            (Value::String(value), _) => visitor.visit_string(value),
            (Value::Resource(handle), _) => visitor.visit_u64(handle.0),
            (Value::Option(None), _) => visitor.visit_none(),
            (Value::Option(Some(value)), Type::Option(ty)) => {
                visitor.visit_some(FromValue { value: *value, ty })
            }
            (Value::List(values), Type::List(ty)) => visitor.visit_seq(Elements {
                values: values.into_iter(),
                ty: ElementTypes::Same(ty),
                index: 0,
            }),
            (Value::Tuple(values), Type::Tuple(types)) if types.is_empty() && values.is_empty() => {
                visitor.visit_unit()
            }
            (Value::Tuple(values), Type::Tuple(types)) => visitor.visit_seq(Elements {
                values: values.into_iter(),
                ty: ElementTypes::Each(types),
                index: 0,
            }),
            (Value::Record(values), Type::Record(fields)) => {
                visitor.visit_map(Fields::new(values, fields, NO_NAMES))
            }
            (Value::Flags(bits), Type::Flags(flags)) => {
                let names = Self::set_flags(bits, flags).map(|(_, name)| name.to_owned());
                visitor.visit_seq(serde::de::value::SeqDeserializer::new(names))
            }
            (value, ty) => {
                // A case: its name alone, or a map of one entry, as JSON writes it.
                let (name, payload) = FromValue { value, ty }.case()?;
                match payload {
                    None if !matches!(ty, Type::Result(..)) => visitor.visit_str(name),
                    payload => visitor.visit_map(OneCase {
                        name: Some(name),
                        payload,
                    }),
                }
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty {
            Type::Option(_) => self.deserialize_any(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Value::Tuple(values) if values.is_empty() => visitor.visit_unit(),
            Value::Option(None) => visitor.visit_unit(),
            _ => self.wrong(),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match (self.value, self.ty) {
            (Value::List(values), Type::List(ty)) if **ty == Type::U8 => {
                let byte = |value| match value {
                    Value::U8(byte) => Ok(byte),
                    _ => Err(ValueError::mismatch(&Type::U8, "a value of another type")),
                };
                visitor.visit_byte_buf(values.into_iter().map(byte).collect::<Result<_>>()?)
            }
            (value, ty) => FromValue { value, ty }.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match (self.value, self.ty) {
            (Value::Record(values), Type::Record(fields)) => {
                visitor.visit_map(Fields::new(values, fields, wanted))
            }
            (Value::Flags(bits), Type::Flags(flags)) => visitor.visit_map(FlagMap {
                bits,
                flags,
                index: 0,
                wanted,
            }),
            (value, ty) => FromValue { value, ty }.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match (self.value, self.ty) {
            (Value::Flags(bits), Type::Flags(flags)) => visitor.visit_map(FlagMap {
                bits,
                flags,
                index: 0,
                wanted: NO_NAMES,
            }),
            (Value::List(values), Type::List(ty)) => match &**ty {
                Type::Tuple(pair) if pair.len() == 2 => visitor.visit_map(Pairs {
                    values: values.into_iter(),
                    pair,
                    pending: None,
                }),
                _ => Err(ValueError::mismatch(self.ty, "a map")),
            },
            (value, ty) => FromValue { value, ty }.deserialize_any(visitor),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Value::Flags(bits) => visitor.visit_u64(bits),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let (name, payload) = self.case()?;
        let rust = names::find(wanted.iter().copied(), name, 0)
            .map(|index| wanted[index])
            .ok_or_else(|| {
                let expected = names::list(wanted.iter().copied());
                ValueError::new(ValueErrorKind::UnknownCase {
                    name: name.into(),
                    expected,
                })
            })?;
        visitor.visit_enum(CaseAccess {
            name: rust,
            payload,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char str string unit_struct seq tuple tuple_struct
        identifier ignored_any
    }
}

enum ElementTypes<'t> {
    Same(&'t Type),
    Each(&'t [Type]),
}

struct Elements<'t> {
    values: std::vec::IntoIter<Value>,
    ty: ElementTypes<'t>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(value) = self.values.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        let ty = match self.ty {
            ElementTypes::Same(ty) => ty,
            ElementTypes::Each(types) => types.get(index).ok_or_else(|| {
                ValueError::new(ValueErrorKind::Length {
                    expected: types.len(),
                    found: index + 1,
                })
            })?,
        };
        seed.deserialize(FromValue { value, ty })
            .map(Some)
            .map_err(|error| error.within(format_args!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

/// A record's fields, under the names that the Rust struct has for them.
struct Fields<'t> {
    values: std::vec::IntoIter<Value>,
    fields: &'t [Field],
    index: usize,
    pending: Option<Value>,
    wanted: &'static [&'static str],
}

impl<'t> Fields<'t> {
    fn new(values: Vec<Value>, fields: &'t [Field], wanted: &'static [&'static str]) -> Self {
        Self {
            values: values.into_iter(),
            fields,
            index: 0,
            pending: None,
            wanted,
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.pending = self.values.next();
        if self.pending.is_none() {
            return Ok(None);
        }
        let field = self.fields.get(self.index).ok_or_else(|| {
            ValueError::new(ValueErrorKind::Length {
                expected: self.fields.len(),
                found: self.index + 1,
            })
        })?;
        match names::find(self.wanted.iter().copied(), &field.name, self.index) {
            Some(index) => seed
                .deserialize(BorrowedStrDeserializer::new(self.wanted[index]))
                .map(Some),
            None => seed
                .deserialize((&*field.name).into_deserializer())
                .map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let (Some(value), Some(field)) = (self.pending.take(), self.fields.get(self.index)) else {
            return Err(serde::de::Error::custom(
                "a map's value was asked for before its key",
            ));
        };
        self.index += 1;
        seed.deserialize(FromValue {
            value,
            ty: &field.ty,
        })
        .map_err(|error| error.within(format_args!(".{}", field.name)))
    }
}

struct Pairs<'t> {
    values: std::vec::IntoIter<Value>,
    pair: &'t [Type],
    pending: Option<Value>,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(value) = self.values.next() else {
            return Ok(None);
        };
        let Value::Tuple(parts) = value else {
            return Err(ValueError::mismatch(&"a pair", "a value of another type"));
        };
        let Ok([key, item]) = <[Value; 2]>::try_from(parts) else {
            return Err(ValueError::mismatch(&"a pair", "a tuple of another length"));
        };
        self.pending = Some(item);
        seed.deserialize(FromValue {
            value: key,
            ty: &self.pair[0],
        })
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let value = self.pending.take().ok_or_else(|| {
            serde::de::Error::custom("a map's value was asked for before its key")
        })?;
        seed.deserialize(FromValue {
            value,
            ty: &self.pair[1],
        })
    }
}

/// Flags as a struct of booleans.
struct FlagMap<'t> {
    bits: u64,
    flags: &'t [Arc<str>],
    index: usize,
    wanted: &'static [&'static str],
}

impl<'de> MapAccess<'de> for FlagMap<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(name) = self.flags.get(self.index) else {
            return Ok(None);
        };
        match names::find(self.wanted.iter().copied(), name, self.index) {
            Some(index) => seed
                .deserialize(BorrowedStrDeserializer::new(self.wanted[index]))
                .map(Some),
            None => seed.deserialize((&**name).into_deserializer()).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let set = self.index < 64 && self.bits >> self.index & 1 == 1;
        self.index += 1;
        seed.deserialize(set.into_deserializer())
    }
}

/// A case as a map of one entry.
struct OneCase<'t> {
    name: Option<&'t str>,
    payload: Option<(Value, &'t Type)>,
}

impl<'de> MapAccess<'de> for OneCase<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.name
            .take()
            .map(|name| seed.deserialize(name.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        match self.payload.take() {
            Some((value, ty)) => seed.deserialize(FromValue { value, ty }),
            None => seed.deserialize(().into_deserializer()),
        }
    }
}

/// A case as a Rust enum.
struct CaseAccess<'t> {
    name: &'static str,
    payload: Option<(Value, &'t Type)>,
}

impl<'de, 't> EnumAccess<'de> for CaseAccess<'t> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name = seed.deserialize(BorrowedStrDeserializer::<ValueError>::new(self.name))?;
        Ok((name, self))
    }
}

impl CaseAccess<'_> {
    fn required(&mut self) -> Result<FromValue<'_>> {
        match self.payload.take() {
            Some((value, ty)) => Ok(FromValue { value, ty }),
            None => Err(ValueError::mismatch(
                &"a payload",
                format_args!("the bare case `{}`", self.name),
            )),
        }
    }
}

impl<'de> VariantAccess<'de> for CaseAccess<'_> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<()> {
        match self.payload {
            None => Ok(()),
            Some((_, ty)) => Err(ValueError::mismatch(
                &"a case without a payload",
                format_args!("a `{ty}`"),
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value> {
        let name = self.name;
        match self.payload.take() {
            Some((value, ty)) => seed
                .deserialize(FromValue { value, ty })
                .map_err(|error| error.within(format_args!("({name})"))),
            // `Result<(), E>`: no payload is a unit payload.
            None => seed.deserialize(().into_deserializer()),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value> {
        self.required()?.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.required()?.deserialize_struct("", wanted, visitor)
    }
}
