//! Serialising onto a tape, guided by types.
//!
//! One serialiser, [`ToTape`], is made per value and knows the type wanted. A compound value becomes a
//! frame that writes its parts as they come ([`Elements`] in order, [`Entries`] by name); the options and the
//! case around it are written before it.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::{ValueError, ValueErrorKind};
use super::tape::Tape;
use super::{Field, Type, Value, names};

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
    let mut tape = Tape::new();
    let serializer = ToTape {
        ty,
        tape: &mut tape,
    };
    value.serialize(serializer)?;
    tape.reader().value(ty)
}

/// The serialiser of one value of type `ty`.
pub(super) struct ToTape<'t, 'p> {
    pub(super) ty: &'t Type,
    pub(super) tape: &'p mut Tape,
}

/// The text that a map's key is.
pub(super) fn text_of<T: Serialize + ?Sized>(key: &T) -> Result<String> {
    match to_value(key, &Type::String)? {
        Value::String(text) => Ok(text),
        _ => Err(ValueError::mismatch(&Type::String, "another key")),
    }
}

/// A case: its index, and the type of its payload.
type Case<'t> = (u64, Option<&'t Type>);

impl<'t, 'p> ToTape<'t, 'p> {
    /// The type beneath the options around it, which are written: a plain value is an option's content, as
    /// in JSON.
    #[inline]
    fn peel(&mut self) -> &'t Type {
        while let Type::Option(inner) = self.ty {
            self.tape.word(1);
            self.ty = inner;
        }
        self.ty
    }

    #[inline]
    fn part<'q>(tape: &'q mut Tape, ty: &'t Type) -> ToTape<'t, 'q> {
        ToTape { ty, tape }
    }

    fn wrong<T>(ty: &Type, found: impl std::fmt::Display) -> Result<T> {
        Err(match ty {
            Type::Unsupported(name) => {
                ValueError::new(ValueErrorKind::Unsupported { ty: (*name).into() })
            }
            _ => ValueError::mismatch(ty, found),
        })
    }

    fn integer(mut self, number: i128) -> Result<()> {
        let ty = self.peel();
        let range = || ValueError::range(ty, number);
        macro_rules! fit {
            ($int:ty) => {{
                <$int>::try_from(number).map_err(|_| range())?;
                // Two's complement: negative numbers are sign-extended.
                number as u64
            }};
        }
        let word = match ty {
            Type::S8 => fit!(i8),
            Type::U8 => fit!(u8),
            Type::S16 => fit!(i16),
            Type::U16 => fit!(u16),
            Type::S32 => fit!(i32),
            Type::U32 => fit!(u32),
            Type::S64 => fit!(i64),
            Type::U64 | Type::Own | Type::Borrow => fit!(u64),
            // A float takes an integer that it represents exactly: JSON writes 1.0 as 1.
            Type::F32 if (number as f32) as i128 == number => (number as f32).to_bits().into(),
            Type::F64 if (number as f64) as i128 == number => (number as f64).to_bits(),
            Type::F32 | Type::F64 => return Err(range()),
            Type::Flags(_) => u64::try_from(number)
                .ok()
                .filter(|bits| Value::Flags(*bits).is(ty))
                .ok_or_else(range)?,
            _ => return Self::wrong(ty, format_args!("the integer {number}")),
        };
        self.tape.word(word);
        Ok(())
    }

    /// The case `name`, whose number is not yet written; the options around it are.
    fn case(&mut self, name: &str) -> Result<Case<'t>> {
        let ty = self.peel();
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
                Ok((index as u64, cases[index].ty.as_ref()))
            }
            Type::Enum(cases) => {
                let all = cases.iter().map(|case| &**case);
                let index =
                    names::find(all.clone(), name, 0).ok_or_else(|| unknown(names::list(all)))?;
                Ok((index as u64, None))
            }
            Type::Result(ok, err) => match name {
                "Ok" | "ok" => Ok((0, ok.as_deref())),
                "Err" | "err" => Ok((1, err.as_deref())),
                _ => Err(unknown("`ok`, `err`".into())),
            },
            _ => Self::wrong(ty, format_args!("the case `{name}`")),
        }
    }

    fn unit_case(mut self, name: &str) -> Result<()> {
        let (case, payload) = self.case(name)?;
        self.tape.word(case);
        match payload {
            None => Ok(()),
            Some(ty) => Self::part(self.tape, ty)
                .serialize_unit()
                .map_err(|error| error.within(format_args!("({name})"))),
        }
    }

    fn newtype_case<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Result<()> {
        let (case, payload) = self.case(name)?;
        self.tape.word(case);
        let step = |error: ValueError| error.within(format_args!("({name})"));
        match payload {
            Some(ty) => value.serialize(Self::part(self.tape, ty)).map_err(step),
            // `Ok(())` for a `result<_, E>`: a unit payload is no payload.
            None => value
                .serialize(ToTape {
                    ty: &Type::Tuple([].into()),
                    tape: self.tape,
                })
                .map_err(|_| step(ValueError::mismatch(&"no payload", "a payload"))),
        }
    }

    fn elements(self) -> Result<Elements<'t, 'p>> {
        let types = match self.ty {
            Type::List(element) => ElementTypes::List(element, self.tape.later()),
            Type::Tuple(types) => ElementTypes::Tuple(types),
            Type::Flags(flags) => ElementTypes::Flags(Type::Enum(flags.clone()), 0),
            ty => return Self::wrong(ty, "a sequence"),
        };
        Ok(Elements {
            types,
            tape: self.tape,
            count: 0,
        })
    }

    fn entries(self) -> Result<Entries<'t, 'p>> {
        let kind = match self.ty {
            Type::Record(fields) => EntryKind::Record(Record::new(fields, self.tape)),
            Type::List(element) => match &**element {
                Type::Tuple(pair) if pair.len() == 2 => EntryKind::Pairs {
                    pair: (&pair[0], &pair[1]),
                    length: self.tape.later(),
                    count: 0,
                },
                _ => return Self::wrong(self.ty, "a map"),
            },
            Type::Flags(flags) => EntryKind::Flags(flags, 0),
            Type::Variant(_) | Type::Result(..) => EntryKind::Case(self.ty, false),
            ty => return Self::wrong(ty, "a struct or map"),
        };
        Ok(Entries {
            kind,
            tape: self.tape,
            key: Key::None,
            next: 0,
        })
    }
}

macro_rules! integers {
    ($($method:ident: $int:ty),*) => {
        $(fn $method(self, number: $int) -> Result<()> {
            self.integer(i128::from(number))
        })*
    };
}

impl<'t, 'p> Serializer for ToTape<'t, 'p> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Elements<'t, 'p>;
    type SerializeTuple = Elements<'t, 'p>;
    type SerializeTupleStruct = Elements<'t, 'p>;
    type SerializeTupleVariant = Elements<'t, 'p>;
    type SerializeMap = Entries<'t, 'p>;
    type SerializeStruct = Entries<'t, 'p>;
    type SerializeStructVariant = Entries<'t, 'p>;

    integers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_u128(self, number: u128) -> Result<()> {
        match i128::try_from(number) {
            Ok(number) => self.integer(number),
            Err(_) => Err(ValueError::range(self.ty, number)),
        }
    }

    fn serialize_bool(mut self, value: bool) -> Result<()> {
        match self.peel() {
            Type::Bool => self.tape.word(value.into()),
            ty => return Self::wrong(ty, format_args!("the boolean {value}")),
        }
        Ok(())
    }

    fn serialize_f32(mut self, value: f32) -> Result<()> {
        match self.peel() {
            Type::F32 => self.tape.word(value.to_bits().into()),
            Type::F64 => self.tape.word(f64::from(value).to_bits()),
            ty => return Self::wrong(ty, format_args!("the float {value}")),
        }
        Ok(())
    }

    #[inline]
    fn serialize_f64(mut self, value: f64) -> Result<()> {
        match self.peel() {
            Type::F64 => self.tape.word(value.to_bits()),
            // Rounded to the nearest, since JSON has no other floats; only what becomes infinite does not fit.
            Type::F32 if (value as f32).is_finite() || !value.is_finite() => {
                self.tape.word((value as f32).to_bits().into());
            }
            ty @ Type::F32 => return Err(ValueError::range(ty, value)),
            ty => return Self::wrong(ty, format_args!("the float {value}")),
        }
        Ok(())
    }

    fn serialize_char(mut self, value: char) -> Result<()> {
        match self.peel() {
            Type::Char => self.tape.word(value.into()),
            Type::String => self.tape.bytes(value.encode_utf8(&mut [0; 4]).as_bytes()),
            ty => return Self::wrong(ty, format_args!("the character {value:?}")),
        }
        Ok(())
    }

    #[inline]
    fn serialize_str(mut self, value: &str) -> Result<()> {
        match self.peel() {
            Type::String => self.tape.bytes(value.as_bytes()),
            Type::Char => {
                let mut chars = value.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => self.tape.word(one.into()),
                    _ => return Self::wrong(&Type::Char, "a string that is not one character"),
                }
            }
            Type::Variant(_) | Type::Enum(_) | Type::Result(..) => return self.unit_case(value),
            ty => return Self::wrong(ty, "a string"),
        }
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<()> {
        match self.peel() {
            Type::List(element) if **element == Type::U8 => {
                self.tape.bytes(value);
                Ok(())
            }
            ty => Self::wrong(ty, "bytes"),
        }
    }

    fn serialize_none(self) -> Result<()> {
        match self.ty {
            Type::Option(_) => {
                self.tape.word(0);
                Ok(())
            }
            ty => Self::wrong(ty, "nothing"),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        match self.ty {
            Type::Option(inner) => {
                self.tape.word(1);
                value.serialize(Self::part(self.tape, inner))
            }
            _ => value.serialize(self),
        }
    }

    fn serialize_unit(self) -> Result<()> {
        match self.ty {
            // JSON's `null`.
            Type::Option(_) => {
                self.tape.word(0);
                Ok(())
            }
            Type::Tuple(types) if types.is_empty() => Ok(()),
            ty => Self::wrong(ty, "nothing"),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<()> {
        self.unit_case(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.newtype_case(name, value)
    }

    fn serialize_seq(mut self, _: Option<usize>) -> Result<Elements<'t, 'p>> {
        self.peel();
        self.elements()
    }

    fn serialize_tuple(self, len: usize) -> Result<Elements<'t, 'p>> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Elements<'t, 'p>> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Elements<'t, 'p>> {
        let (case, payload) = self.case(name)?;
        let payload = payload.ok_or_else(|| ValueError::mismatch(&"no payload", "a tuple"))?;
        self.tape.word(case);
        Self::part(self.tape, payload).elements()
    }

    fn serialize_map(mut self, _: Option<usize>) -> Result<Entries<'t, 'p>> {
        self.peel();
        self.entries()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries<'t, 'p>> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Entries<'t, 'p>> {
        let (case, payload) = self.case(name)?;
        let payload = payload.ok_or_else(|| ValueError::mismatch(&"no payload", "a struct"))?;
        self.tape.word(case);
        Self::part(self.tape, payload).entries()
    }
}

enum ElementTypes<'t> {
    /// With the place of its length.
    List(&'t Type, usize),
    Tuple(&'t [Type]),
    /// The names, as an enum, and those that were set so far.
    Flags(Type, u64),
}

/// A list, a tuple or flags in the making.
pub(super) struct Elements<'t, 'p> {
    types: ElementTypes<'t>,
    tape: &'p mut Tape,
    count: usize,
}

impl Elements<'_, '_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let index = self.count;
        self.count += 1;
        let tape = &mut *self.tape;
        let ty = match &mut self.types {
            ElementTypes::List(ty, _) => *ty,
            ElementTypes::Tuple(types) => types.get(index).ok_or_else(|| {
                ValueError::new(ValueErrorKind::Length {
                    expected: types.len(),
                    found: index + 1,
                })
            })?,
            ElementTypes::Flags(names, bits) => {
                value.serialize(ToTape { ty: names, tape })?;
                let flag = self.tape.take_word() as u32;
                *bits |= 1u64.checked_shl(flag).unwrap_or(0);
                return Ok(());
            }
        };
        value
            .serialize(ToTape { ty, tape })
            .map_err(|error| error.within(format_args!("[{index}]")))?;
        if let ElementTypes::List(Type::U8, _) = self.types {
            self.tape.shorten_to_byte();
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self.types {
            ElementTypes::List(_, length) => self.tape.fill(length, self.count as u64),
            ElementTypes::Tuple(types) if types.len() != self.count => {
                let (expected, found) = (types.len(), self.count);
                return Err(ValueError::new(ValueErrorKind::Length { expected, found }));
            }
            ElementTypes::Tuple(_) => {}
            ElementTypes::Flags(_, bits) => self.tape.word(bits),
        }
        Ok(())
    }
}

macro_rules! element_frames {
    ($($trait:ident: $method:ident),*) => {
        $(impl $trait for Elements<'_, '_> {
            type Ok = ();
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.push(value)
            }

            fn end(self) -> Result<()> {
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
    Pairs {
        pair: (&'t Type, &'t Type),
        /// The place of the list's length.
        length: usize,
        count: u64,
    },
    Flags(&'t [Arc<str>], u64),
    /// A variant written as JSON does: one entry whose key is the case; whether it has come.
    Case(&'t Type, bool),
}

/// A record's fields so far. As a rule they come in the order of the type and are complete, so that
/// nothing has to be moved.
pub(super) struct Record<'t> {
    fields: &'t [Field],
    /// Where the first one begins.
    start: usize,
    /// How many came in order.
    in_order: usize,
    /// All fields by index, from the first one on that came out of order.
    pieces: Vec<Option<std::ops::Range<usize>>>,
}

impl<'t> Record<'t> {
    pub(super) fn new(fields: &'t [Field], tape: &Tape) -> Self {
        Self {
            fields,
            start: tape.position(),
            in_order: 0,
            pieces: Vec::new(),
        }
    }

    /// Writes the field `name`, which is likely the one of index `hint`; its index.
    #[inline]
    pub(super) fn field<T: Serialize + ?Sized>(
        &mut self,
        tape: &mut Tape,
        name: &str,
        hint: usize,
        value: &T,
    ) -> Result<usize> {
        let fields = self.fields;
        let all = fields.iter().map(|field| &*field.name);
        let index = names::find(all.clone(), name, hint).ok_or_else(|| {
            ValueError::new(ValueErrorKind::UnknownField {
                name: name.into(),
                expected: names::list(all),
            })
        })?;
        let field = &fields[index];
        let at = tape.position();
        value
            .serialize(ToTape {
                ty: &field.ty,
                tape,
            })
            .map_err(|error| error.within(format_args!(".{}", field.name)))?;
        if self.pieces.is_empty() && index == self.in_order {
            self.in_order += 1;
        } else {
            self.find_pieces(tape)?;
            self.pieces[index] = Some(at..tape.position());
        }
        Ok(index)
    }

    /// Where the fields are that came in order.
    #[cold]
    fn find_pieces(&mut self, tape: &Tape) -> Result<()> {
        if self.pieces.is_empty() {
            let mut at = self.start;
            for field in &self.fields[..self.in_order] {
                let mut reader = tape.reader_at(at);
                let before = reader.left();
                reader.skip(&field.ty)?;
                let end = at + (before - reader.left());
                self.pieces.push(Some(at..end));
                at = end;
            }
            self.pieces.resize(self.fields.len(), None);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn finish(mut self, tape: &mut Tape) -> Result<()> {
        if self.pieces.is_empty() && self.in_order == self.fields.len() {
            return Ok(());
        }
        self.find_pieces(tape)?;
        for (piece, field) in self.pieces.iter().zip(self.fields) {
            if piece.is_none() && !matches!(field.ty, Type::Option(_)) {
                return Err(ValueError::new(ValueErrorKind::MissingField {
                    name: field.name.to_string(),
                }));
            }
        }
        tape.rearrange(self.start, &self.pieces);
        Ok(())
    }
}

enum Key {
    None,
    Name(String),
    /// A pair's, which is on the tape.
    Written,
}

/// A record, a list of pairs, flags or a variant in the making, entry by entry.
pub(super) struct Entries<'t, 'p> {
    kind: EntryKind<'t>,
    tape: &'p mut Tape,
    key: Key,
    next: usize,
}

impl Entries<'_, '_> {
    #[inline]
    pub(super) fn named<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        match &mut self.kind {
            EntryKind::Record(record) => {
                self.next = record.field(self.tape, name, self.next, value)? + 1;
            }
            EntryKind::Pairs { pair, count, .. } => {
                name.serialize(ToTape {
                    ty: pair.0,
                    tape: self.tape,
                })?;
                value
                    .serialize(ToTape {
                        ty: pair.1,
                        tape: self.tape,
                    })
                    .map_err(|error| error.within(format_args!("[{name:?}]")))?;
                *count += 1;
            }
            EntryKind::Flags(flags, bits) => {
                let all = flags.iter().map(|flag| &**flag);
                let index = names::find(all.clone(), name, self.next).ok_or_else(|| {
                    ValueError::new(ValueErrorKind::UnknownCase {
                        name: name.into(),
                        expected: names::list(all),
                    })
                })?;
                value.serialize(ToTape {
                    ty: &Type::Bool,
                    tape: self.tape,
                })?;
                if self.tape.take_word() == 1 {
                    *bits |= 1u64.checked_shl(index as u32).unwrap_or(0);
                }
                self.next = index + 1;
            }
            EntryKind::Case(_, true) => {
                return Err(ValueError::mismatch(
                    &"one case",
                    "another case in the same map",
                ));
            }
            EntryKind::Case(ty, written) => {
                // A case without a payload is written `{"case": null}`.
                let serializer = ToTape {
                    ty,
                    tape: self.tape,
                };
                serializer.newtype_case(name, value)?;
                *written = true;
            }
        }
        Ok(())
    }

    #[inline]
    fn finish(self) -> Result<()> {
        if !matches!(self.key, Key::None) {
            return Err(out_of_turn());
        }
        match self.kind {
            EntryKind::Record(record) => record.finish(self.tape),
            EntryKind::Pairs { length, count, .. } => {
                self.tape.fill(length, count);
                Ok(())
            }
            EntryKind::Flags(_, bits) => {
                self.tape.word(bits);
                Ok(())
            }
            EntryKind::Case(_, true) => Ok(()),
            EntryKind::Case(ty, false) => Err(ValueError::mismatch(ty, "an empty map")),
        }
    }
}

/// A `Serialize` that breaks serde's own rules.
#[cold]
pub(super) fn out_of_turn() -> ValueError {
    serde::ser::Error::custom("a map's keys and values do not take turns")
}

impl SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        if !matches!(self.key, Key::None) {
            return Err(out_of_turn());
        }
        self.key = match &self.kind {
            EntryKind::Pairs { pair, .. } => {
                key.serialize(ToTape {
                    ty: pair.0,
                    tape: self.tape,
                })?;
                Key::Written
            }
            _ => Key::Name(text_of(key)?),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        match (std::mem::replace(&mut self.key, Key::None), &mut self.kind) {
            (Key::Name(name), _) => self.named(&name, value),
            (Key::Written, EntryKind::Pairs { pair, count, .. }) => {
                value
                    .serialize(ToTape {
                        ty: pair.1,
                        tape: self.tape,
                    })
                    .map_err(|error| error.within(format_args!("[{count}]")))?;
                *count += 1;
                Ok(())
            }
            _ => Err(out_of_turn()),
        }
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}

macro_rules! entry_frames {
    ($($trait:ident),*) => {
        $(impl $trait for Entries<'_, '_> {
            type Ok = ();
            type Error = ValueError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.named(name, value)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.finish()
            }
        })*
    };
}

entry_frames!(SerializeStruct, SerializeStructVariant);
