//! Values written down one after another: how they travel between serde and the guest.
//!
//! A [`Value`] is a tree, made and taken apart node by node. A call needs neither: it writes its arguments once,
//! in the order of the parameters' types, and reads its results once. A tape is that writing: one buffer, which
//! is meaningless without the types.
//!
//! # Format
//!
//! | type | on the tape |
//! |---|---|
//! | integers, `bool`, `char`, handles | a word of eight bytes, little-endian; signed ones sign-extended |
//! | floats | a word: their bits |
//! | `enum`, `flags` | a word: the case, or bit n for the n-th name |
//! | `string`, `list<u8>` | a word: the length in bytes; the bytes |
//! | other lists | a word: the number of elements; the elements |
//! | records, tuples | their parts |
//! | variants, options, results | a word: the case; its payload, if the case has one |
//!
//! # Invariants
//!
//! - Whoever writes a tape checks what it writes against the types: text is UTF-8, cases exist. So readers
//!   trust it, and what cannot be is an error that names no place.
//!
//! # Cost
//!
//! One buffer per direction of a call, growing as buffers do; every value is written once and read once. Two
//! small buffers per thread are kept for the next call, which then allocates nothing.

use std::cell::Cell;

use super::error::{ValueError, ValueErrorKind};
use super::{Field, ResourceHandle, Type, Value};

type Result<T, E = ValueError> = std::result::Result<T, E>;

/// The size of a word.
const WORD: usize = size_of::<u64>();

/// Room that a tape has from the start: enough for the usual call.
const USUAL: usize = 128;

/// The largest buffer that is kept for the next call.
const KEPT: usize = 4096;

thread_local! {
    /// Buffers of tapes that were read: one for arguments, one for results. Those without capacity are none.
    static SPARE: [Cell<Vec<u8>>; 2] = const { [const { Cell::new(Vec::new()) }; 2] };
}

/// Values written down in the order of their types.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    bytes: Vec<u8>,
}

impl Drop for Tape {
    #[inline]
    fn drop(&mut self) {
        if !(USUAL..=KEPT).contains(&self.bytes.capacity()) {
            return;
        }
        let mut spare = std::mem::take(&mut self.bytes);
        spare.clear();
        // A thread that ends keeps nothing.
        let _ = SPARE.try_with(|slots| {
            for slot in slots {
                spare = slot.replace(std::mem::take(&mut spare));
                if spare.capacity() == 0 {
                    break;
                }
            }
        });
    }
}

impl Tape {
    /// An empty tape.
    #[inline]
    pub(crate) fn new() -> Self {
        let spare = SPARE.try_with(|[first, second]| {
            let bytes = first.take();
            match bytes.capacity() {
                0 => second.take(),
                _ => bytes,
            }
        });
        match spare {
            Ok(bytes) if bytes.capacity() > 0 => Self { bytes },
            _ => Self {
                bytes: Vec::with_capacity(USUAL),
            },
        }
    }

    /// Where the next value will be written.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Writes a word.
    #[inline]
    pub(crate) fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    /// Writes a length, and so many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Reserves a word for a number that is not known yet.
    #[inline]
    pub(super) fn later(&mut self) -> usize {
        let at = self.position();
        self.word(0);
        at
    }

    /// Fills a word that was [reserved](Self::later).
    #[inline]
    pub(super) fn fill(&mut self, at: usize, word: u64) {
        if let Some(slot) = self.bytes.get_mut(at..at + WORD) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// Takes the word written last off the tape again.
    #[inline]
    pub(super) fn take_word(&mut self) -> u64 {
        let at = self.position().saturating_sub(WORD);
        let word = self.reader_at(at).word().unwrap_or_default();
        self.bytes.truncate(at);
        word
    }

    /// Shortens the word written last to its first byte: an element of a `list<u8>`.
    #[inline]
    pub(super) fn shorten_to_byte(&mut self) {
        self.bytes
            .truncate(self.position().saturating_sub(WORD - 1));
    }

    /// Puts the pieces of the tape from `start` on into this order; [`None`] is an absent option.
    pub(super) fn rearrange(&mut self, start: usize, pieces: &[Option<std::ops::Range<usize>>]) {
        let mut ordered = Self::new();
        for piece in pieces {
            match piece.clone().and_then(|piece| self.bytes.get(piece)) {
                Some(bytes) => ordered.bytes.extend_from_slice(bytes),
                None => ordered.word(0),
            }
        }
        self.bytes.truncate(start);
        self.bytes.append(&mut ordered.bytes);
    }

    /// Reads from the beginning.
    #[inline]
    pub(crate) fn reader(&self) -> Reader<'_> {
        self.reader_at(0)
    }

    /// Reads from a place where a value begins.
    #[inline]
    pub(super) fn reader_at(&self, at: usize) -> Reader<'_> {
        Reader {
            rest: self.bytes.get(at..).unwrap_or_default(),
        }
    }

    /// Writes the arguments of a call.
    ///
    /// # Errors
    ///
    /// When they are not of these types.
    pub(crate) fn of_arguments(values: &[Value], params: &[Field]) -> Result<Self> {
        let mut tape = Self::new();
        if values.len() != params.len() {
            let (expected, found) = (params.len(), values.len());
            return Err(ValueError::new(ValueErrorKind::Length { expected, found }));
        }
        for (value, param) in values.iter().zip(params) {
            tape.value(value, &param.ty)?;
        }
        Ok(tape)
    }

    /// Writes a value.
    ///
    /// # Errors
    ///
    /// When it is not of type `ty`.
    pub(crate) fn value(&mut self, value: &Value, ty: &Type) -> Result<()> {
        let wrong = || Err(ValueError::mismatch(ty, "a value of another type"));
        match (value, ty) {
            (Value::Bool(value), Type::Bool) => self.word((*value).into()),
            (Value::S8(value), Type::S8) => self.word(i64::from(*value).cast_unsigned()),
            (Value::U8(value), Type::U8) => self.word((*value).into()),
            (Value::S16(value), Type::S16) => self.word(i64::from(*value).cast_unsigned()),
            (Value::U16(value), Type::U16) => self.word((*value).into()),
            (Value::S32(value), Type::S32) => self.word(i64::from(*value).cast_unsigned()),
            (Value::U32(value), Type::U32) => self.word((*value).into()),
            (Value::S64(value), Type::S64) => self.word(value.cast_unsigned()),
            (Value::U64(value), Type::U64) => self.word(*value),
            (Value::F32(value), Type::F32) => self.word(value.to_bits().into()),
            (Value::F64(value), Type::F64) => self.word(value.to_bits()),
            (Value::Char(value), Type::Char) => self.word((*value).into()),
            (Value::String(text), Type::String) => self.bytes(text.as_bytes()),
            (Value::Resource(handle), Type::Own | Type::Borrow) => self.word(handle.0),
            (Value::List(values), Type::List(ty)) => {
                self.word(values.len() as u64);
                for (index, value) in values.iter().enumerate() {
                    match (value, &**ty) {
                        (Value::U8(byte), Type::U8) => self.bytes.push(*byte),
                        _ => self
                            .value(value, ty)
                            .map_err(|error| error.within(format_args!("[{index}]")))?,
                    }
                }
            }
            (Value::Record(values), Type::Record(fields)) if values.len() == fields.len() => {
                for (value, field) in values.iter().zip(fields.iter()) {
                    self.value(value, &field.ty)
                        .map_err(|error| error.within(format_args!(".{}", field.name)))?;
                }
            }
            (Value::Tuple(values), Type::Tuple(types)) if values.len() == types.len() => {
                for (index, (value, ty)) in values.iter().zip(types.iter()).enumerate() {
                    self.value(value, ty)
                        .map_err(|error| error.within(format_args!("[{index}]")))?;
                }
            }
            (Value::Variant(case, payload), Type::Variant(cases)) => {
                let Some(found) = cases.get(*case as usize) else {
                    return wrong();
                };
                self.word((*case).into());
                self.payload(payload.as_deref(), found.ty.as_ref(), ty)
                    .map_err(|error| error.within(format_args!("({})", found.name)))?;
            }
            (Value::Enum(case), Type::Enum(names)) if (*case as usize) < names.len() => {
                self.word((*case).into());
            }
            (Value::Option(value), Type::Option(inner)) => {
                self.word(value.is_some().into());
                if let Some(value) = value {
                    self.value(value, inner)?;
                }
            }
            (Value::Result(value), Type::Result(ok, err)) => {
                let (case, payload, payload_ty) = match value {
                    Ok(payload) => (0, payload, ok),
                    Err(payload) => (1, payload, err),
                };
                self.word(case);
                self.payload(payload.as_deref(), payload_ty.as_deref(), ty)?;
            }
            (Value::Flags(bits), Type::Flags(_)) if value.is(ty) => self.word(*bits),
            _ => return wrong(),
        }
        Ok(())
    }

    fn payload(&mut self, payload: Option<&Value>, ty: Option<&Type>, of: &Type) -> Result<()> {
        match (payload, ty) {
            (None, None) => Ok(()),
            (Some(value), Some(ty)) => self.value(value, ty),
            _ => Err(ValueError::mismatch(of, "a value of another type")),
        }
    }
}

/// A tape as it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

#[cold]
fn ended() -> ValueError {
    ValueError::new(ValueErrorKind::Custom("the tape ended too early".into()))
}

impl<'a> Reader<'a> {
    /// One word, apart from any tape.
    #[inline]
    pub(super) fn of_word(word: &'a [u8; WORD]) -> Self {
        Self { rest: word }
    }

    /// How much is left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads a word.
    #[inline]
    pub(crate) fn word(&mut self) -> Result<u64> {
        let (word, rest) = self.rest.split_first_chunk().ok_or_else(ended)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*word))
    }

    /// Reads a length, and so many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = usize::try_from(self.word()?).map_err(|_| ended())?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(ended)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Reads text.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        str::from_utf8(self.bytes()?).map_err(|_| ended())
    }

    /// Reads a case of `count` ones.
    #[inline]
    pub(crate) fn case(&mut self, count: usize) -> Result<u32> {
        let case = u32::try_from(self.word()?).map_err(|_| ended())?;
        if (case as usize) < count {
            Ok(case)
        } else {
            Err(ended())
        }
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, ty: &Type) -> Result<()> {
        let payload = match ty {
            Type::String => return self.bytes().map(drop),
            Type::List(element) if **element == Type::U8 => return self.bytes().map(drop),
            Type::List(element) => {
                return (0..self.word()?).try_for_each(|_| self.skip(element));
            }
            Type::Record(fields) => {
                return fields.iter().try_for_each(|field| self.skip(&field.ty));
            }
            Type::Tuple(types) => return types.iter().try_for_each(|ty| self.skip(ty)),
            Type::Variant(cases) => {
                let case = self.case(cases.len())?;
                cases[case as usize].ty.as_ref()
            }
            Type::Option(inner) => (self.case(2)? == 1).then_some(&**inner),
            Type::Result(ok, err) => match self.case(2)? {
                0 => ok.as_deref(),
                _ => err.as_deref(),
            },
            _ => return self.word().map(drop),
        };
        payload.map_or(Ok(()), |ty| self.skip(ty))
    }

    /// Reads a value as a tree.
    ///
    /// # Errors
    ///
    /// When the tape was written for other types.
    pub(crate) fn value(&mut self, ty: &Type) -> Result<Value> {
        macro_rules! word {
            ($variant:ident, $int:ty) => {
                Value::$variant(self.word()? as $int)
            };
        }
        Ok(match ty {
            Type::Bool => Value::Bool(self.word()? != 0),
            Type::S8 => word!(S8, i8),
            Type::U8 => word!(U8, u8),
            Type::S16 => word!(S16, i16),
            Type::U16 => word!(U16, u16),
            Type::S32 => word!(S32, i32),
            Type::U32 => word!(U32, u32),
            Type::S64 => word!(S64, i64),
            Type::U64 => word!(U64, u64),
            Type::F32 => Value::F32(f32::from_bits(self.word()? as u32)),
            Type::F64 => Value::F64(f64::from_bits(self.word()?)),
            Type::Char => Value::Char(char::from_u32(self.word()? as u32).ok_or_else(ended)?),
            Type::String => Value::String(self.text()?.into()),
            Type::Own | Type::Borrow => Value::Resource(ResourceHandle(self.word()?)),
            Type::List(element) if **element == Type::U8 => {
                Value::List(self.bytes()?.iter().map(|byte| Value::U8(*byte)).collect())
            }
            Type::List(element) => {
                let count = usize::try_from(self.word()?).map_err(|_| ended())?;
                // Elements without bytes are possible only in types that no component has.
                let mut values = Vec::with_capacity(count.min(self.left()));
                for _ in 0..count {
                    values.push(self.value(element)?);
                }
                Value::List(values)
            }
            Type::Record(fields) => {
                let values = fields.iter().map(|field| self.value(&field.ty));
                Value::Record(values.collect::<Result<_>>()?)
            }
            Type::Tuple(types) => {
                let values = types.iter().map(|ty| self.value(ty));
                Value::Tuple(values.collect::<Result<_>>()?)
            }
            Type::Variant(cases) => {
                let case = self.case(cases.len())?;
                Value::Variant(case, self.payload(cases[case as usize].ty.as_ref())?)
            }
            Type::Enum(names) => Value::Enum(self.case(names.len())?),
            Type::Option(inner) => {
                let inner = (self.case(2)? == 1).then_some(&**inner);
                Value::Option(self.payload(inner)?)
            }
            Type::Result(ok, err) => Value::Result(match self.case(2)? {
                0 => Ok(self.payload(ok.as_deref())?),
                _ => Err(self.payload(err.as_deref())?),
            }),
            Type::Flags(_) => Value::Flags(self.word()?),
            Type::Unsupported(name) => {
                let ty = (*name).into();
                return Err(ValueError::new(ValueErrorKind::Unsupported { ty }));
            }
        })
    }

    fn payload(&mut self, ty: Option<&Type>) -> Result<Option<Box<Value>>> {
        ty.map(|ty| self.value(ty).map(Box::new)).transpose()
    }
}
