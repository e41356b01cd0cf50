//! Serialising into values, guided by their types.
//!
//! One serialiser, [`ToValue`], is made per value and knows the type wanted. A compound value becomes a
//! frame that collects its parts ([`Elements`] in order, [`Entries`] by name) and is then wrapped in
//! the options and the variant case around it.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::{ValueError, ValueErrorKind};
use super::{Field, ResourceHandle, Type, Value, names};

type Result<T, E = ValueError> = std::result::Result<T, E>;

/// Serialises `value` into a [`Value`] of type `ty`.
///
/// ```
/// use wasm_sandbox::value::{Type, Value, to_value};
///
/// assert_eq!(to_value(&7u8, &Type::S64)?, Value::S64(7));
/// assert!(to_value(&300, &Type::U8).is_err());
/// # Ok::<(), wasm_sandbox::ValueError>(())
/// ```
///
/// # Errors
///
/// When the value does not fit the type.
pub fn to_value<T: Serialize + ?Sized>(value: &T, ty: &Type) -> Result<Value> {
    value.serialize(ToValue { ty })
}

/// What remains to be put around a value: a case, then options.
#[derive(Clone, Copy)]
struct Wrap {
    choice: Option<Choice>,
    options: usize,
}

#[derive(Clone, Copy)]
enum Choice {
    Variant(u32),
    Enum(u32),
    Ok,
    Err,
}

impl Choice {
    fn with(self, payload: Option<Box<Value>>) -> Value {
        match self {
            Self::Variant(index) => Value::Variant(index, payload),
            Self::Enum(index) => Value::Enum(index),
            Self::Ok => Value::Result(Ok(payload)),
            Self::Err => Value::Result(Err(payload)),
        }
    }
}

impl Wrap {
    #[inline]
    fn around(self, value: Value) -> Value {
        let value = match self.choice {
            None => value,
            Some(choice) => choice.with(Some(Box::new(value))),
        };
        self.options_around(value)
    }

    #[inline]
    fn options_around(self, value: Value) -> Value {
        (0..self.options).fold(value, |value, _| Value::Option(Some(Box::new(value))))
    }
}

/// The serialiser of one value of type `ty`.
#[derive(Clone, Copy)]
pub(super) struct ToValue<'t> {
    pub(super) ty: &'t Type,
}

impl<'t> ToValue<'t> {
    /// The type beneath the options around it: a plain value is an option's content, as in JSON.
    fn peel(self) -> (&'t Type, Wrap) {
        let (mut ty, mut options) = (self.ty, 0);
        while let Type::Option(inner) = ty {
            (ty, options) = (inner, options + 1);
        }
        (
            ty,
            Wrap {
                choice: None,
                options,
            },
        )
    }

    fn wrong<T>(ty: &Type, found: impl std::fmt::Display) -> Result<T> {
        Err(match ty {
            Type::Unsupported(name) => {
                ValueError::new(ValueErrorKind::Unsupported { ty: (*name).into() })
            }
            _ => ValueError::mismatch(ty, found),
        })
    }

    fn integer(self, number: i128) -> Result<Value> {
        let (ty, wrap) = self.peel();
        let range = || ValueError::range(ty, number);
        macro_rules! fit {
            ($variant:ident, $int:ty) => {
                <$int>::try_from(number)
                    .map(Value::$variant)
                    .map_err(|_| range())?
            };
        }
        let value = match ty {
            Type::S8 => fit!(S8, i8),
            Type::U8 => fit!(U8, u8),
            Type::S16 => fit!(S16, i16),
            Type::U16 => fit!(U16, u16),
            Type::S32 => fit!(S32, i32),
            Type::U32 => fit!(U32, u32),
            Type::S64 => fit!(S64, i64),
            Type::U64 => fit!(U64, u64),
            // A float takes an integer that it represents exactly: JSON writes 1.0 as 1.
            Type::F32 if (number as f32) as i128 == number => Value::F32(number as f32),
            Type::F64 if (number as f64) as i128 == number => Value::F64(number as f64),
            Type::F32 | Type::F64 => return Err(range()),
            Type::Own | Type::Borrow => {
                Value::Resource(ResourceHandle(u64::try_from(number).map_err(|_| range())?))
            }
            Type::Flags(_) => u64::try_from(number)
                .ok()
                .map(Value::Flags)
                .filter(|value| value.is(ty))
                .ok_or_else(range)?,
            _ => return Self::wrong(ty, format_args!("the integer {number}")),
        };
        Ok(wrap.around(value))
    }

    /// The case `name`, the type of its payload, and what stands around it.
    fn case(self, name: &str) -> Result<(Choice, Option<&'t Type>, Wrap)> {
        let (ty, wrap) = self.peel();
        let unknown = |expected| {
            ValueError::new(ValueErrorKind::UnknownCase {
                name: name.into(),
                expected,
            })
        };
        match ty {
            Type::Variant(cases) => {
                let all = cases.iter().map(|case| &*case.name);
                let index =
                    names::find(all.clone(), name, 0).ok_or_else(|| unknown(names::list(all)))?;
                Ok((
                    Choice::Variant(index as u32),
                    cases[index].ty.as_ref(),
                    wrap,
                ))
            }
            Type::Enum(cases) => {
                let all = cases.iter().map(|case| &**case);
                let index =
                    names::find(all.clone(), name, 0).ok_or_else(|| unknown(names::list(all)))?;
                Ok((Choice::Enum(index as u32), None, wrap))
            }
            Type::Result(ok, err) => match name {
                "Ok" | "ok" => Ok((Choice::Ok, ok.as_deref(), wrap)),
                "Err" | "err" => Ok((Choice::Err, err.as_deref(), wrap)),
                _ => Err(unknown("`ok`, `err`".into())),
            },
            _ => Self::wrong(ty, format_args!("the case `{name}`")),
        }
    }

    fn unit_case(self, name: &str) -> Result<Value> {
        let (choice, payload, wrap) = self.case(name)?;
        let payload = match payload {
            None => None,
            Some(ty) => Some(Box::new(
                ToValue { ty }
                    .serialize_unit()
                    .map_err(|error| error.within(format_args!("({name})")))?,
            )),
        };
        Ok(wrap.options_around(choice.with(payload)))
    }

    fn newtype_case<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Result<Value> {
        let (choice, payload, wrap) = self.case(name)?;
        let step = |error: ValueError| error.within(format_args!("({name})"));
        let payload = match payload {
            Some(ty) => Some(Box::new(value.serialize(ToValue { ty }).map_err(step)?)),
            // `Ok(())` for a `result<_, E>`: a unit payload is no payload.
            None => {
                value
                    .serialize(ToValue {
                        ty: &Type::Tuple([].into()),
                    })
                    .map_err(|_| step(ValueError::mismatch(&"no payload", "a payload")))?;
                None
            }
        };
        Ok(wrap.options_around(choice.with(payload)))
    }

    fn elements(ty: &'t Type, wrap: Wrap, len: Option<usize>) -> Result<Elements<'t>> {
        let types = match ty {
            Type::List(element) => ElementTypes::List(element),
            Type::Tuple(types) => ElementTypes::Tuple(types),
            Type::Flags(flags) => ElementTypes::Flags(flags, 0),
            _ => return Self::wrong(ty, "a sequence"),
        };
        // A hint is only a hint: a lying `Serialize` must not make us reserve memory.
        let values = Vec::with_capacity(len.unwrap_or(0).min(4096));
        Ok(Elements {
            types,
            values,
            wrap,
        })
    }

    fn entries(ty: &'t Type, wrap: Wrap) -> Result<Entries<'t>> {
        let kind = match ty {
            Type::Record(fields) => EntryKind::Record(Record::new(fields)),
            Type::List(element) => match &**element {
                Type::Tuple(pair) if pair.len() == 2 => {
                    EntryKind::Pairs(&pair[0], &pair[1], Vec::new())
                }
                _ => return Self::wrong(ty, "a map"),
            },
            Type::Flags(flags) => EntryKind::Flags(flags, 0),
            Type::Variant(_) | Type::Result(..) => EntryKind::Case(ty, None),
            _ => return Self::wrong(ty, "a struct or map"),
        };
        Ok(Entries {
            kind,
            key: Key::None,
            next: 0,
            wrap,
        })
    }
}

macro_rules! integers {
    ($($method:ident: $int:ty),*) => {
        $(fn $method(self, number: $int) -> Result<Value> {
            self.integer(i128::from(number))
        })*
    };
}

impl<'t> Serializer for ToValue<'t> {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = Elements<'t>;
    type SerializeTuple = Elements<'t>;
    type SerializeTupleStruct = Elements<'t>;
    type SerializeTupleVariant = Elements<'t>;
    type SerializeMap = Entries<'t>;
    type SerializeStruct = Entries<'t>;
    type SerializeStructVariant = Entries<'t>;

    integers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_u128(self, number: u128) -> Result<Value> {
        self.integer(i128::try_from(number).map_err(|_| ValueError::range(self.ty, number))?)
    }

    fn serialize_bool(self, value: bool) -> Result<Value> {
        match self.peel() {
            (Type::Bool, wrap) => Ok(wrap.around(Value::Bool(value))),
            (ty, _) => Self::wrong(ty, format_args!("the boolean {value}")),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<Value> {
        match self.peel() {
            (Type::F32, wrap) => Ok(wrap.around(Value::F32(value))),
            (Type::F64, wrap) => Ok(wrap.around(Value::F64(value.into()))),
            (ty, _) => Self::wrong(ty, format_args!("the float {value}")),
        }
    }

    fn serialize_f64(self, value: f64) -> Result<Value> {
        match self.peel() {
            (Type::F64, wrap) => Ok(wrap.around(Value::F64(value))),
            // Rounded to the nearest, since JSON has no other floats; only what becomes infinite does not fit.
            (Type::F32, wrap) if (value as f32).is_finite() || !value.is_finite() => {
                Ok(wrap.around(Value::F32(value as f32)))
            }
            (ty @ Type::F32, _) => Err(ValueError::range(ty, value)),
            (ty, _) => Self::wrong(ty, format_args!("the float {value}")),
        }
    }

    fn serialize_char(self, value: char) -> Result<Value> {
        match self.peel() {
            (Type::Char, wrap) => Ok(wrap.around(Value::Char(value))),
            (Type::String, wrap) => Ok(wrap.around(Value::String(value.into()))),
            (ty, _) => Self::wrong(ty, format_args!("the character {value:?}")),
        }
    }

    fn serialize_str(self, value: &str) -> Result<Value> {
        match self.peel() {
            (Type::String, wrap) => Ok(wrap.around(Value::String(value.into()))),
            (Type::Char, wrap) => {
                let mut chars = value.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => Ok(wrap.around(Value::Char(one))),
                    _ => Self::wrong(&Type::Char, "a string that is not one character"),
                }
            }
            (Type::Variant(_) | Type::Enum(_) | Type::Result(..), _) => self.unit_case(value),
            (ty, _) => Self::wrong(ty, "a string"),
        }
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value> {
        match self.peel() {
            (Type::List(element), wrap) if **element == Type::U8 => Ok(wrap.around(Value::List(
                value.iter().map(|&byte| Value::U8(byte)).collect(),
            ))),
            (ty, _) => Self::wrong(ty, "bytes"),
        }
    }

    fn serialize_none(self) -> Result<Value> {
        match self.ty {
            Type::Option(_) => Ok(Value::Option(None)),
            ty => Self::wrong(ty, "nothing"),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value> {
        match self.ty {
            Type::Option(inner) => Ok(Value::Option(Some(Box::new(
                value.serialize(ToValue { ty: inner })?,
            )))),
            _ => value.serialize(self),
        }
    }

    fn serialize_unit(self) -> Result<Value> {
        match self.ty {
            // JSON's `null`.
            Type::Option(_) => Ok(Value::Option(None)),
            Type::Tuple(types) if types.is_empty() => Ok(Value::Tuple(Vec::new())),
            ty => Self::wrong(ty, "nothing"),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<Value> {
        self.unit_case(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Value> {
        self.newtype_case(name, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'t>> {
        let (ty, wrap) = self.peel();
        Self::elements(ty, wrap, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Elements<'t>> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Elements<'t>> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Elements<'t>> {
        let (choice, payload, wrap) = self.case(name)?;
        let payload = payload.ok_or_else(|| ValueError::mismatch(&"no payload", "a tuple"))?;
        Self::elements(
            payload,
            Wrap {
                choice: Some(choice),
                ..wrap
            },
            Some(len),
        )
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'t>> {
        let (ty, wrap) = self.peel();
        Self::entries(ty, wrap)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries<'t>> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Entries<'t>> {
        let (choice, payload, wrap) = self.case(name)?;
        let payload = payload.ok_or_else(|| ValueError::mismatch(&"no payload", "a struct"))?;
        Self::entries(
            payload,
            Wrap {
                choice: Some(choice),
                ..wrap
            },
        )
    }
}

enum ElementTypes<'t> {
    List(&'t Type),
    Tuple(&'t [Type]),
    Flags(&'t [std::sync::Arc<str>], u64),
}

/// A list, a tuple or flags in the making.
pub(super) struct Elements<'t> {
    types: ElementTypes<'t>,
    values: Vec<Value>,
    wrap: Wrap,
}

impl Elements<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let index = self.values.len();
        let ty = match &mut self.types {
            ElementTypes::List(ty) => *ty,
            ElementTypes::Tuple(types) => types.get(index).ok_or_else(|| {
                ValueError::new(ValueErrorKind::Length {
                    expected: types.len(),
                    found: index + 1,
                })
            })?,
            ElementTypes::Flags(flags, bits) => {
                let names = Type::Enum((*flags).into());
                let flag = value.serialize(ToValue { ty: &names })?;
                if let Value::Enum(flag) = flag {
                    *bits |= 1u64.checked_shl(flag).unwrap_or(0);
                }
                return Ok(());
            }
        };
        let value = value
            .serialize(ToValue { ty })
            .map_err(|error| error.within(format_args!("[{index}]")))?;
        self.values.push(value);
        Ok(())
    }

    fn finish(self) -> Result<Value> {
        let value = match self.types {
            ElementTypes::List(_) => Value::List(self.values),
            ElementTypes::Tuple(types) if types.len() != self.values.len() => {
                let (expected, found) = (types.len(), self.values.len());
                return Err(ValueError::new(ValueErrorKind::Length { expected, found }));
            }
            ElementTypes::Tuple(_) => Value::Tuple(self.values),
            ElementTypes::Flags(_, bits) => Value::Flags(bits),
        };
        Ok(self.wrap.around(value))
    }
}

macro_rules! element_frames {
    ($($trait:ident: $method:ident),*) => {
        $(impl $trait for Elements<'_> {
            type Ok = Value;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.push(value)
            }

            fn end(self) -> Result<Value> {
                self.finish()
            }
        })*
    };
}

element_frames!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

enum EntryKind<'t> {
    Record(Record<'t>),
    Pairs(&'t Type, &'t Type, Vec<Value>),
    Flags(&'t [std::sync::Arc<str>], u64),
    /// A variant written as JSON does: one entry whose key is the case.
    Case(&'t Type, Option<Value>),
}

/// A record's fields so far. As a rule they come in the order of the type and are complete, so that
/// nothing has to be sorted.
struct Record<'t> {
    fields: &'t [Field],
    in_order: Vec<Value>,
    /// All fields by index, from the first one on that came out of order.
    by_index: Vec<Option<Value>>,
}

impl<'t> Record<'t> {
    fn new(fields: &'t [Field]) -> Self {
        Self {
            fields,
            in_order: Vec::with_capacity(fields.len()),
            by_index: Vec::new(),
        }
    }

    #[inline]
    fn set(&mut self, index: usize, value: Value) {
        if self.by_index.is_empty() && index == self.in_order.len() {
            self.in_order.push(value);
        } else {
            self.by_index()[index] = Some(value);
        }
    }

    #[cold]
    fn by_index(&mut self) -> &mut [Option<Value>] {
        if self.by_index.is_empty() {
            self.by_index.extend(self.in_order.drain(..).map(Some));
            self.by_index.resize(self.fields.len(), None);
        }
        &mut self.by_index
    }

    fn finish(mut self) -> Result<Vec<Value>> {
        if self.by_index.is_empty() && self.in_order.len() == self.fields.len() {
            return Ok(self.in_order);
        }
        self.by_index();
        let values = self.by_index.into_iter().zip(self.fields);
        values
            .map(|(value, field)| match (value, &field.ty) {
                (Some(value), _) => Ok(value),
                (None, Type::Option(_)) => Ok(Value::Option(None)),
                (None, _) => Err(ValueError::new(ValueErrorKind::MissingField {
                    name: field.name.to_string(),
                })),
            })
            .collect()
    }
}

enum Key {
    None,
    Name(String),
    Value(Value),
}

/// A record, a list of pairs, flags or a variant in the making, entry by entry.
pub(super) struct Entries<'t> {
    kind: EntryKind<'t>,
    key: Key,
    next: usize,
    wrap: Wrap,
}

impl Entries<'_> {
    fn named<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        match &mut self.kind {
            EntryKind::Record(record) => {
                let fields = record.fields;
                let all = fields.iter().map(|field| &*field.name);
                let index = names::find(all.clone(), name, self.next).ok_or_else(|| {
                    ValueError::new(ValueErrorKind::UnknownField {
                        name: name.into(),
                        expected: names::list(all),
                    })
                })?;
                let field = &fields[index];
                let value = value
                    .serialize(ToValue { ty: &field.ty })
                    .map_err(|error| error.within(format_args!(".{}", field.name)))?;
                record.set(index, value);
                self.next = index + 1;
            }
            EntryKind::Pairs(key, item, pairs) => {
                let key = to_value(name, key)?;
                let item = value
                    .serialize(ToValue { ty: item })
                    .map_err(|error| error.within(format_args!("[{name:?}]")))?;
                pairs.push(Value::Tuple(vec![key, item]));
            }
            EntryKind::Flags(flags, bits) => {
                let all = flags.iter().map(|flag| &**flag);
                let index = names::find(all.clone(), name, self.next).ok_or_else(|| {
                    ValueError::new(ValueErrorKind::UnknownCase {
                        name: name.into(),
                        expected: names::list(all),
                    })
                })?;
                let set = value.serialize(ToValue { ty: &Type::Bool })?;
                if set == Value::Bool(true) {
                    *bits |= 1u64.checked_shl(index as u32).unwrap_or(0);
                }
                self.next = index + 1;
            }
            EntryKind::Case(_, Some(_)) => {
                return Err(ValueError::mismatch(
                    &"one case",
                    "another case in the same map",
                ));
            }
            EntryKind::Case(ty, slot @ None) => {
                // A case without a payload is written `{"case": null}`.
                let serializer = ToValue { ty };
                *slot = Some(serializer.newtype_case(name, value)?);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Value> {
        let value = match self.kind {
            EntryKind::Record(record) => Value::Record(record.finish()?),
            EntryKind::Pairs(_, _, pairs) => Value::List(pairs),
            EntryKind::Flags(_, bits) => Value::Flags(bits),
            EntryKind::Case(_, Some(value)) => value,
            EntryKind::Case(ty, None) => return Err(ValueError::mismatch(ty, "an empty map")),
        };
        Ok(self.wrap.around(value))
    }
}

impl SerializeMap for Entries<'_> {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key = match &self.kind {
            EntryKind::Pairs(ty, ..) => Key::Value(key.serialize(ToValue { ty })?),
            _ => match key.serialize(ToValue { ty: &Type::String })? {
                Value::String(name) => Key::Name(name),
                _ => return Err(ValueError::mismatch(&Type::String, "another key")),
            },
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        match std::mem::replace(&mut self.key, Key::None) {
            Key::Name(name) => self.named(&name, value),
            Key::Value(key) => {
                if let EntryKind::Pairs(_, item, pairs) = &mut self.kind {
                    let item = value
                        .serialize(ToValue { ty: item })
                        .map_err(|error| error.within(format_args!("[{}]", pairs.len())))?;
                    pairs.push(Value::Tuple(vec![key, item]));
                }
                Ok(())
            }
            Key::None => Err(serde::ser::Error::custom(
                "a map's value came before its key",
            )),
        }
    }

    fn end(self) -> Result<Value> {
        self.finish()
    }
}

macro_rules! entry_frames {
    ($($trait:ident),*) => {
        $(impl $trait for Entries<'_> {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.named(name, value)
            }

            fn end(self) -> Result<Value> {
                self.finish()
            }
        })*
    };
}

entry_frames!(SerializeStruct, SerializeStructVariant);
