//! A message of any self-describing format, kept as it was written.
//!
//! JSON's own tree cannot hold what MessagePack can: bytes, NaN and the infinities, keys that are not
//! text. Integers stay integers and floats stay floats, so nothing is rounded on the way to the types of
//! the function that is called.
//!
//! # Cost
//!
//! One node per value. A length that the message claims reserves no more than [`RESERVED`] nodes before
//! the elements are there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Elements that are reserved on a message's word alone.
const RESERVED: usize = 1024;

/// A value of a self-describing format.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Any {
    Unit,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Any>),
    Map(Vec<(Any, Any)>),
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unit => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::F32(value) => serializer.serialize_f32(*value),
            Self::F64(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

macro_rules! visit {
    ($($method:ident: $from:ty => $variant:ident),* $(,)?) => {
        $(fn $method<E>(self, value: $from) -> Result<Any, E> {
            Ok(Any::$variant(value.into()))
        })*
    };
}

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit!(
        visit_bool: bool => Bool,
        visit_u64: u64 => Unsigned,
        visit_i64: i64 => Signed,
        visit_f32: f32 => F32,
        visit_f64: f64 => F64,
        visit_str: &str => Text,
        visit_string: String => Text,
        visit_bytes: &[u8] => Bytes,
        visit_byte_buf: Vec<u8> => Bytes,
    );

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Unit)
    }

    fn visit_none<E>(self) -> Result<Any, E> {
        Ok(Any::Unit)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Any, D::Error> {
        Any::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Any, A::Error> {
        let mut values = Vec::with_capacity(elements.size_hint().unwrap_or(0).min(RESERVED));
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        Ok(Any::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Any, A::Error> {
        let mut values = Vec::with_capacity(entries.size_hint().unwrap_or(0).min(RESERVED));
        while let Some(entry) = entries.next_entry()? {
            values.push(entry);
        }
        Ok(Any::Map(values))
    }
}
