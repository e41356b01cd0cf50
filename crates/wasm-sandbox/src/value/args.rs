//! Argument lists and results of whole calls.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{
    Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct,
    Serializer,
};

use super::de::FromTape;
use super::error::{ValueError, ValueErrorKind};
use super::ser::{Entries, Record, ToTape, out_of_turn, text_of};
use super::tape::Tape;
use super::{Field, Signature, Type, Value, names};

type Result<T, E = ValueError> = std::result::Result<T, E>;

/// Serialises the arguments of a call; see the [module](super) for what stands for what.
///
/// ```
/// use wasm_sandbox::value::{Signature, Type, Value, arguments};
///
/// let signature = Signature::new([Type::S32, Type::String], []);
/// let values = arguments(&signature, &(5, "five"))?;
/// assert_eq!(values, [Value::S32(5), Value::String("five".into())]);
/// # Ok::<(), wasm_sandbox::ValueError>(())
/// ```
///
/// # Errors
///
/// When they do not fit the parameters.
pub fn arguments<P: Serialize + ?Sized>(signature: &Signature, params: &P) -> Result<Vec<Value>> {
    values(&write_arguments(signature, params)?, signature)
}

/// The arguments on a tape as values.
pub(crate) fn values(tape: &Tape, signature: &Signature) -> Result<Vec<Value>> {
    let mut reader = tape.reader();
    let params = signature.params.iter();
    params.map(|param| reader.value(&param.ty)).collect()
}

/// [Serialises](arguments) the arguments of a call onto a tape.
pub(crate) fn write_arguments<P: Serialize + ?Sized>(
    signature: &Signature,
    params: &P,
) -> Result<Tape> {
    let mut tape = Tape::new();
    params.serialize(ToArguments {
        params: &signature.params,
        tape: &mut tape,
    })?;
    Ok(tape)
}

/// Deserialises the results of a call: none as `()`, one as itself, several as a tuple.
///
/// ```
/// use wasm_sandbox::value::{Signature, Type, Value, result};
///
/// let signature = Signature::new([], [Type::Option(Type::U8.into())]);
/// let value = Value::Option(Some(Box::new(Value::U8(3))));
/// assert_eq!(result::<Option<u8>>(&signature, vec![value])?, Some(3));
/// # Ok::<(), wasm_sandbox::ValueError>(())
/// ```
///
/// # Errors
///
/// When they do not fit the Rust type.
pub fn result<R: DeserializeOwned>(signature: &Signature, values: Vec<Value>) -> Result<R> {
    let mut tape = Tape::new();
    if values.len() != signature.results.len() {
        let (expected, found) = (signature.results.len(), values.len());
        return Err(ValueError::new(ValueErrorKind::Length { expected, found }));
    }
    for (value, ty) in values.iter().zip(&signature.results) {
        tape.value(value, ty)?;
    }
    read_result(signature, &tape)
}

/// [Deserialises](result) the results of a call, in the order in which they stand on the tape.
pub(crate) fn read_result<R: DeserializeOwned>(signature: &Signature, tape: &Tape) -> Result<R> {
    let mut tape = tape.reader();
    let tape = &mut tape;
    if let [ty] = signature.results.as_slice() {
        return R::deserialize(FromTape { tape, ty });
    }
    let ty = &Type::Tuple(signature.results.as_slice().into());
    R::deserialize(FromTape { tape, ty })
}

struct ToArguments<'s, 'p> {
    params: &'s [Field],
    tape: &'p mut Tape,
}

impl<'s, 'p> ToArguments<'s, 'p> {
    /// The serialiser of the only argument.
    fn only(self) -> Result<ToTape<'s, 'p>> {
        match self.params {
            [only] => Ok(ToTape {
                ty: &only.ty,
                tape: self.tape,
            }),
            _ => Err(wrong_count(self.params, 1)),
        }
    }

    fn single<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self.only()?)
    }

    fn list(self) -> Arguments<'s, 'p> {
        Arguments {
            params: self.params,
            tape: self.tape,
            count: 0,
        }
    }
}

fn wrong_count(params: &[Field], found: usize) -> ValueError {
    ValueError::new(ValueErrorKind::Length {
        expected: params.len(),
        found,
    })
}

fn one_case<T>(name: &str) -> Result<T> {
    Err(ValueError::mismatch(
        &"arguments",
        format_args!("the case `{name}`; wrap it in a tuple"),
    ))
}

macro_rules! single {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, value: $ty) -> Result<()> {
            self.single(&value)
        })*
    };
}

impl<'s, 'p> Serializer for ToArguments<'s, 'p> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Arguments<'s, 'p>;
    type SerializeTuple = Arguments<'s, 'p>;
    type SerializeTupleStruct = Arguments<'s, 'p>;
    type SerializeTupleVariant = Impossible<(), ValueError>;
    type SerializeMap = NamedArguments<'s, 'p>;
    type SerializeStruct = NamedArguments<'s, 'p>;
    type SerializeStructVariant = Impossible<(), ValueError>;

    single!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_str: &str
    );

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.only()?.serialize_bytes(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.only()?.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.only()?.serialize_some(value)
    }

    fn serialize_unit(self) -> Result<()> {
        match self.params {
            [] => Ok(()),
            params => Err(wrong_count(params, 0)),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<()> {
        self.single(name)
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
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.only()?
            .serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Arguments<'s, 'p>> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<Arguments<'s, 'p>> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Arguments<'s, 'p>> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        one_case(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<NamedArguments<'s, 'p>> {
        Ok(NamedArguments {
            params: self.params,
            state: Named::Undecided(self.tape),
            key: None,
        })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<NamedArguments<'s, 'p>> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant> {
        one_case(name)
    }
}

/// Arguments in order.
struct Arguments<'s, 'p> {
    params: &'s [Field],
    tape: &'p mut Tape,
    count: usize,
}

impl Arguments<'_, '_> {
    #[inline]
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let index = self.count;
        self.count += 1;
        let Some(param) = self.params.get(index) else {
            return Err(wrong_count(self.params, self.count));
        };
        value
            .serialize(ToTape {
                ty: &param.ty,
                tape: self.tape,
            })
            .map_err(|error| match &*param.name {
                "" => error.within(format_args!("[{index}]")),
                name => error.within(format_args!(".{name}")),
            })
    }

    fn finish(self) -> Result<()> {
        match self.params.len() == self.count {
            true => Ok(()),
            false => Err(wrong_count(self.params, self.count)),
        }
    }
}

macro_rules! argument_frames {
    ($($trait:ident: $method:ident),*) => {
        $(impl $trait for Arguments<'_, '_> {
            type Ok = ();
            type Error = ValueError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.push(value)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.finish()
            }
        })*
    };
}

argument_frames!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field
);

/// Arguments by name, or the one argument that is itself a record: the first key decides.
struct NamedArguments<'s, 'p> {
    params: &'s [Field],
    state: Named<'s, 'p>,
    /// A map's key that waits for its value, unless it went to the only argument.
    key: Option<String>,
}

enum Named<'s, 'p> {
    /// No key seen that decides.
    Undecided(&'p mut Tape),
    /// By name, likely beginning with the parameter of this index.
    Values(Record<'s>, usize, &'p mut Tape),
    /// The only argument, entry by entry.
    Only(Entries<'s, 'p>),
    /// A decision failed; so does everything after it.
    Failed,
}

impl<'s> NamedArguments<'s, '_> {
    /// Decides, seeing the first key; [`None`] is one that is not text.
    fn decide(&mut self, name: Option<&str>) -> Result<()> {
        let tape = match std::mem::replace(&mut self.state, Named::Failed) {
            Named::Undecided(tape) => tape,
            decided => {
                self.state = decided;
                return Ok(());
            }
        };
        let params = self.params;
        let all = params.iter().map(|param| &*param.name);
        self.state = if name.is_some_and(|name| names::find(all.clone(), name, 0).is_some()) {
            Named::Values(Record::new(params, tape), 0, tape)
        } else if let [only] = params {
            let ty = &only.ty;
            Named::Only(ToTape { ty, tape }.serialize_map(None)?)
        } else {
            return Err(match name {
                Some(name) => ValueError::new(ValueErrorKind::UnknownField {
                    name: name.into(),
                    expected: names::list(all),
                }),
                None => ValueError::mismatch(&"a parameter's name", "a key that is not text"),
            });
        };
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        self.decide(Some(name))?;
        match &mut self.state {
            Named::Only(entries) => entries.named(name, value),
            Named::Values(record, hint, tape) => {
                *hint = record.field(tape, name, *hint, value)? + 1;
                Ok(())
            }
            Named::Undecided(_) | Named::Failed => Err(out_of_turn()),
        }
    }

    fn finish(self) -> Result<()> {
        match (self.state, self.params) {
            (Named::Only(entries), _) => SerializeMap::end(entries),
            (Named::Values(record, _, tape), _) => record.finish(tape),
            (Named::Undecided(_), []) => Ok(()),
            (Named::Undecided(tape), [only]) => {
                let ty = &only.ty;
                SerializeMap::end(ToTape { ty, tape }.serialize_map(None)?)
            }
            (Named::Undecided(_), params) => Err(wrong_count(params, 0)),
            (Named::Failed, _) => Err(out_of_turn()),
        }
    }
}

impl SerializeStruct for NamedArguments<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}

impl SerializeMap for NamedArguments<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        if self.key.is_some() {
            return Err(out_of_turn());
        }
        // Keys that are not text can only belong to a list of pairs, the only argument.
        let name = text_of(key).ok();
        self.decide(name.as_deref())?;
        match &mut self.state {
            Named::Only(entries) => SerializeMap::serialize_key(entries, key),
            _ => match name {
                Some(name) => {
                    self.key = Some(name);
                    Ok(())
                }
                None => Err(ValueError::mismatch(
                    &"a parameter's name",
                    "a key that is not text",
                )),
            },
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        match (&mut self.state, self.key.take()) {
            (Named::Only(entries), _) => SerializeMap::serialize_value(entries, value),
            (_, Some(name)) => self.field(&name, value),
            _ => Err(out_of_turn()),
        }
    }

    fn end(self) -> Result<()> {
        match self.key {
            None => self.finish(),
            Some(_) => Err(out_of_turn()),
        }
    }
}
