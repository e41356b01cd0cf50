//! Deserialising from a tape, guided by types.
//!
//! # Invariants
//!
//! - A value is passed over to its end, whatever its visitor leaves unread, so that the next one is found.

use std::sync::Arc;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{ValueError, ValueErrorKind};
use super::tape::{Reader, Tape};
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
    let mut tape = Tape::new();
    tape.value(&value, ty)?;
    T::deserialize(FromTape {
        tape: &mut tape.reader(),
        ty,
    })
}

/// The deserialiser of one value of type `ty`.
pub(super) struct FromTape<'p, 'a, 't> {
    pub(super) tape: &'p mut Reader<'a>,
    pub(super) ty: &'t Type,
}

const NO_NAMES: &[&str] = &[];

impl<'p, 'a, 't> FromTape<'p, 'a, 't> {
    fn wrong<T>(&self) -> Result<T> {
        Err(ValueError::mismatch(self.ty, "a value of another type"))
    }

    /// The names of the flags that are set.
    fn set_flags(bits: u64, flags: &'t [Arc<str>]) -> impl Iterator<Item = &'t str> {
        flags
            .iter()
            .enumerate()
            .take(64)
            .filter(move |(index, _)| bits >> index & 1 == 1)
            .map(|(_, name)| &**name)
    }

    /// Reads the case of a variant, an enum or a result: its name, and the type of its payload, which
    /// comes next.
    fn case(&mut self) -> Result<(&'t str, Option<&'t Type>)> {
        Ok(match self.ty {
            Type::Variant(cases) => {
                let case = &cases[self.tape.case(cases.len())? as usize];
                (&*case.name, case.ty.as_ref())
            }
            Type::Enum(names) => (&*names[self.tape.case(names.len())? as usize], None),
            Type::Result(ok, err) => match self.tape.case(2)? {
                0 => ("ok", ok.as_deref()),
                _ => ("err", err.as_deref()),
            },
            _ => return self.wrong(),
        })
    }

    /// Lets `visit` have the payload, and passes over it if it was not touched.
    fn payload<T>(
        tape: &mut Reader<'a>,
        ty: Option<&'t Type>,
        visit: impl FnOnce(Option<FromTape<'_, 'a, 't>>) -> Result<T>,
    ) -> Result<T> {
        let Some(ty) = ty else {
            return visit(None);
        };
        let before = tape.left();
        let value = visit(Some(FromTape { tape, ty }))?;
        if tape.left() == before {
            tape.skip(ty)?;
        }
        Ok(value)
    }

    fn sequence<'de, V: Visitor<'de>>(
        tape: &'p mut Reader<'a>,
        types: ElementTypes<'a, 't>,
        count: u64,
        visitor: V,
    ) -> Result<V::Value> {
        let mut elements = Elements {
            tape,
            types,
            index: 0,
            count: usize::try_from(count).unwrap_or(usize::MAX),
        };
        let value = visitor.visit_seq(&mut elements)?;
        elements.finish()?;
        Ok(value)
    }

    #[inline]
    fn record<'de, V: Visitor<'de>>(
        tape: &'p mut Reader<'a>,
        fields: &'t [Field],
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let mut fields = Fields {
            tape,
            fields,
            wanted,
            index: 0,
            has_key: false,
        };
        let value = visitor.visit_map(&mut fields)?;
        fields.finish()?;
        Ok(value)
    }

    fn flags<'de, V: Visitor<'de>>(
        self,
        flags: &'t [Arc<str>],
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_map(FlagMap {
            bits: self.tape.word()?,
            flags,
            index: 0,
            wanted,
        })
    }
}

impl<'de> Deserializer<'de> for FromTape<'_, '_, '_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        macro_rules! word {
            ($visit:ident, $int:ty) => {
                visitor.$visit(self.tape.word()? as $int)
            };
        }
        match self.ty {
            Type::Bool => visitor.visit_bool(self.tape.word()? != 0),
            Type::S8 => word!(visit_i8, i8),
            Type::U8 => word!(visit_u8, u8),
            Type::S16 => word!(visit_i16, i16),
            Type::U16 => word!(visit_u16, u16),
            Type::S32 => word!(visit_i32, i32),
            Type::U32 => word!(visit_u32, u32),
            Type::S64 => word!(visit_i64, i64),
            Type::U64 | Type::Own | Type::Borrow => word!(visit_u64, u64),
            Type::F32 => visitor.visit_f32(f32::from_bits(self.tape.word()? as u32)),
            Type::F64 => visitor.visit_f64(f64::from_bits(self.tape.word()?)),
            Type::Char => match char::from_u32(self.tape.word()? as u32) {
                Some(char) => visitor.visit_char(char),
                None => self.wrong(),
            },
            Type::String => visitor.visit_str(self.tape.text()?),
            Type::Option(ty) => {
                let ty = (self.tape.case(2)? == 1).then_some(&**ty);
                Self::payload(self.tape, ty, |payload| match payload {
                    None => visitor.visit_none(),
                    Some(payload) => visitor.visit_some(payload),
                })
            }
            Type::List(ty) if **ty == Type::U8 => {
                let bytes = self.tape.bytes()?;
                let count = bytes.len() as u64;
                Self::sequence(self.tape, ElementTypes::Bytes(bytes), count, visitor)
            }
            Type::List(ty) => {
                let count = self.tape.word()?;
                Self::sequence(self.tape, ElementTypes::Same(ty), count, visitor)
            }
            Type::Tuple(types) if types.is_empty() => visitor.visit_unit(),
            Type::Tuple(types) => {
                let count = types.len() as u64;
                Self::sequence(self.tape, ElementTypes::Each(types), count, visitor)
            }
            Type::Record(fields) => Self::record(self.tape, fields, NO_NAMES, visitor),
            Type::Flags(flags) => {
                let names = Self::set_flags(self.tape.word()?, flags).map(str::to_owned);
                visitor.visit_seq(serde::de::value::SeqDeserializer::new(names))
            }
            Type::Variant(_) | Type::Enum(_) | Type::Result(..) => {
                // A case: its name alone, or a map of one entry, as JSON writes it.
                let is_result = matches!(self.ty, Type::Result(..));
                let (name, ty) = self.case()?;
                Self::payload(self.tape, ty, |payload| match payload {
                    None if !is_result => visitor.visit_str(name),
                    payload => visitor.visit_map(OneCase {
                        name: Some(name),
                        payload,
                    }),
                })
            }
            Type::Unsupported(name) => {
                let ty = (*name).into();
                Err(ValueError::new(ValueErrorKind::Unsupported { ty }))
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
        match self.ty {
            Type::Tuple(types) if types.is_empty() => visitor.visit_unit(),
            Type::Option(_) if self.tape.case(2)? == 0 => visitor.visit_unit(),
            _ => self.wrong(),
        }
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty {
            Type::F64 => visitor.visit_f64(f64::from_bits(self.tape.word()?)),
            _ => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty {
            Type::String => visitor.visit_str(self.tape.text()?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty {
            Type::List(ty) if **ty == Type::U8 => visitor.visit_bytes(self.tape.bytes()?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty {
            Type::List(ty) if **ty == Type::U8 => {
                visitor.visit_byte_buf(self.tape.bytes()?.to_vec())
            }
            _ => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.ty {
            Type::Record(fields) => Self::record(self.tape, fields, wanted, visitor),
            Type::Flags(flags) => self.flags(flags, wanted, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty {
            Type::Flags(flags) => self.flags(flags, NO_NAMES, visitor),
            Type::List(ty) => match &**ty {
                Type::Tuple(pair) if pair.len() == 2 => {
                    let mut pairs = Pairs {
                        left: self.tape.word()?,
                        tape: self.tape,
                        pair,
                        has_key: false,
                    };
                    let value = visitor.visit_map(&mut pairs)?;
                    pairs.finish()?;
                    Ok(value)
                }
                _ => Err(ValueError::mismatch(self.ty, "a map")),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty {
            Type::Flags(_) => visitor.visit_u64(self.tape.word()?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let (name, ty) = self.case()?;
        let rust = names::find(wanted.iter().copied(), name, 0)
            .map(|index| wanted[index])
            .ok_or_else(|| {
                let expected = names::list(wanted.iter().copied());
                ValueError::new(ValueErrorKind::UnknownCase {
                    name: name.into(),
                    expected,
                })
            })?;
        Self::payload(self.tape, ty, |payload| {
            visitor.visit_enum(CaseAccess {
                name: rust,
                payload,
            })
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u128 f32 char str unit_struct seq tuple tuple_struct identifier
        ignored_any
    }
}

enum ElementTypes<'a, 't> {
    Same(&'t Type),
    Each(&'t [Type]),
    Bytes(&'a [u8]),
}

struct Elements<'p, 'a, 't> {
    tape: &'p mut Reader<'a>,
    types: ElementTypes<'a, 't>,
    index: usize,
    count: usize,
}

impl Elements<'_, '_, '_> {
    fn next<'de, T: DeserializeSeed<'de>>(&mut self, index: usize, seed: T) -> Result<T::Value> {
        let ty = match self.types {
            ElementTypes::Same(ty) => ty,
            ElementTypes::Each(types) => &types[index],
            ElementTypes::Bytes(bytes) => {
                let word = u64::from(bytes[index]).to_le_bytes();
                return seed.deserialize(FromTape {
                    tape: &mut Reader::of_word(&word),
                    ty: &Type::U8,
                });
            }
        };
        seed.deserialize(FromTape {
            tape: self.tape,
            ty,
        })
    }

    /// Passes over what was not asked for.
    fn finish(self) -> Result<()> {
        (self.index..self.count).try_for_each(|index| match self.types {
            ElementTypes::Same(ty) => self.tape.skip(ty),
            ElementTypes::Each(types) => self.tape.skip(&types[index]),
            ElementTypes::Bytes(_) => Ok(()),
        })
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, '_, '_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let index = self.index;
        if index >= self.count {
            return Ok(None);
        }
        self.index += 1;
        self.next(index, seed)
            .map(Some)
            .map_err(|error| error.within(format_args!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.count - self.index)
    }
}

/// A record's fields, under the names that the Rust struct has for them.
struct Fields<'p, 'a, 't> {
    tape: &'p mut Reader<'a>,
    fields: &'t [Field],
    wanted: &'static [&'static str],
    index: usize,
    /// Whether the key of `index` was asked for, and its value not yet.
    has_key: bool,
}

impl Fields<'_, '_, '_> {
    fn skip_value(&mut self) -> Result<()> {
        let field = &self.fields[self.index];
        self.index += 1;
        self.tape.skip(&field.ty)
    }

    /// Passes over what was not asked for.
    #[inline]
    fn finish(mut self) -> Result<()> {
        while self.index < self.fields.len() {
            self.skip_value()?;
        }
        Ok(())
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_, '_> {
    type Error = ValueError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if std::mem::replace(&mut self.has_key, true) {
            self.skip_value()?;
        }
        let Some(field) = self.fields.get(self.index) else {
            self.has_key = false;
            return Ok(None);
        };
        match names::find(self.wanted.iter().copied(), &field.name, self.index) {
            Some(index) => seed
                .deserialize(BorrowedStrDeserializer::new(self.wanted[index]))
                .map(Some),
            None => seed
                .deserialize((&*field.name).into_deserializer())
                .map(Some),
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        if !std::mem::take(&mut self.has_key) {
            return Err(out_of_turn());
        }
        let field = &self.fields[self.index];
        self.index += 1;
        seed.deserialize(FromTape {
            tape: self.tape,
            ty: &field.ty,
        })
        .map_err(|error| error.within(format_args!(".{}", field.name)))
    }
}

/// A visitor that breaks serde's own rules.
#[cold]
fn out_of_turn() -> ValueError {
    serde::de::Error::custom("a map's value was asked for before its key")
}

struct Pairs<'p, 'a, 't> {
    tape: &'p mut Reader<'a>,
    pair: &'t [Type],
    left: u64,
    has_key: bool,
}

impl Pairs<'_, '_, '_> {
    fn skip_value(&mut self) -> Result<()> {
        match std::mem::take(&mut self.has_key) {
            true => self.tape.skip(&self.pair[1]),
            false => Ok(()),
        }
    }

    fn finish(mut self) -> Result<()> {
        self.skip_value()?;
        (0..self.left).try_for_each(|_| self.pair.iter().try_for_each(|ty| self.tape.skip(ty)))
    }
}

impl<'de> MapAccess<'de> for Pairs<'_, '_, '_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.skip_value()?;
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.has_key = true;
        seed.deserialize(FromTape {
            tape: self.tape,
            ty: &self.pair[0],
        })
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        if !std::mem::take(&mut self.has_key) {
            return Err(out_of_turn());
        }
        seed.deserialize(FromTape {
            tape: self.tape,
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
struct OneCase<'p, 'a, 't> {
    name: Option<&'t str>,
    payload: Option<FromTape<'p, 'a, 't>>,
}

impl<'de> MapAccess<'de> for OneCase<'_, '_, '_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.name
            .take()
            .map(|name| seed.deserialize(name.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        match self.payload.take() {
            Some(payload) => seed.deserialize(payload),
            None => seed.deserialize(().into_deserializer()),
        }
    }
}

/// A case as a Rust enum.
struct CaseAccess<'p, 'a, 't> {
    name: &'static str,
    payload: Option<FromTape<'p, 'a, 't>>,
}

impl<'de> EnumAccess<'de> for CaseAccess<'_, '_, '_> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name = seed.deserialize(BorrowedStrDeserializer::<ValueError>::new(self.name))?;
        Ok((name, self))
    }
}

impl<'p, 'a, 't> CaseAccess<'p, 'a, 't> {
    fn required(self) -> Result<FromTape<'p, 'a, 't>> {
        self.payload.ok_or_else(|| {
            ValueError::mismatch(&"a payload", format_args!("the bare case `{}`", self.name))
        })
    }
}

impl<'de> VariantAccess<'de> for CaseAccess<'_, '_, '_> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<()> {
        match self.payload {
            None => Ok(()),
            Some(payload) => Err(ValueError::mismatch(
                &"a case without a payload",
                format_args!("a `{}`", payload.ty),
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let name = self.name;
        match self.payload {
            Some(payload) => seed
                .deserialize(payload)
                .map_err(|error| error.within(format_args!("({name})"))),
            // `Result<(), E>`: no payload is a unit payload.
            None => seed.deserialize(().into_deserializer()),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.required()?.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        wanted: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.required()?.deserialize_struct("", wanted, visitor)
    }
}
