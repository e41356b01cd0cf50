//! Argument lists and results of whole calls.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{
    Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct,
    Serializer,
};

use super::de::FromValue;
use super::error::{ValueError, ValueErrorKind};
use super::ser::{Entries, ToValue};
use super::{Signature, Type, Value, names};

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
    params.serialize(ToArguments { signature })
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
pub fn result<R: DeserializeOwned>(signature: &Signature, mut values: Vec<Value>) -> Result<R> {
    if let ([ty], 1) = (signature.results.as_slice(), values.len())
        && let Some(value) = values.pop()
    {
        return R::deserialize(FromValue { value, ty });
    }
    let ty = Type::Tuple(signature.results.as_slice().into());
    R::deserialize(FromValue {
        value: Value::Tuple(values),
        ty: &ty,
    })
}

struct ToArguments<'s> {
    signature: &'s Signature,
}

impl<'s> ToArguments<'s> {
    fn length<T>(&self, found: usize) -> Result<T> {
        Err(ValueError::new(ValueErrorKind::Length {
            expected: self.signature.params.len(),
            found,
        }))
    }

    fn single<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<Value>> {
        match self.signature.params.as_slice() {
            [only] => Ok(vec![value.serialize(ToValue { ty: &only.ty })?]),
            _ => self.length(1),
        }
    }

    fn list(self) -> Arguments<'s> {
        Arguments {
            signature: self.signature,
            values: Vec::with_capacity(self.signature.params.len()),
        }
    }
}

macro_rules! single {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, value: $ty) -> Result<Vec<Value>> {
            self.single(&value)
        })*
    };
}

impl<'s> Serializer for ToArguments<'s> {
    type Ok = Vec<Value>;
    type Error = ValueError;
    type SerializeSeq = Arguments<'s>;
    type SerializeTuple = Arguments<'s>;
    type SerializeTupleStruct = Arguments<'s>;
    type SerializeTupleVariant = Impossible<Vec<Value>, ValueError>;
    type SerializeMap = NamedArguments<'s>;
    type SerializeStruct = NamedArguments<'s>;
    type SerializeStructVariant = Impossible<Vec<Value>, ValueError>;

    single!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_str: &str
    );

    fn serialize_bytes(self, value: &[u8]) -> Result<Vec<Value>> {
        match self.signature.params.as_slice() {
            [only] => Ok(vec![ToValue { ty: &only.ty }.serialize_bytes(value)?]),
            _ => self.length(1),
        }
    }

    fn serialize_none(self) -> Result<Vec<Value>> {
        self.single(&None::<()>)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<Value>> {
        self.single(&Some(value))
    }

    fn serialize_unit(self) -> Result<Vec<Value>> {
        match self.signature.params.len() {
            0 => Ok(Vec::new()),
            _ => self.length(0),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Vec<Value>> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<Vec<Value>> {
        self.single(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Vec<Value>> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Vec<Value>> {
        match self.signature.params.as_slice() {
            [only] => Ok(vec![
                ToValue { ty: &only.ty }.serialize_newtype_variant(name, index, variant, value)?,
            ]),
            _ => self.length(1),
        }
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Arguments<'s>> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<Arguments<'s>> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Arguments<'s>> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        Err(ValueError::mismatch(
            &"arguments",
            format_args!("the case `{name}`; wrap it in a tuple"),
        ))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<NamedArguments<'s>> {
        Ok(NamedArguments {
            signature: self.signature,
            state: Named::Undecided(None),
        })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<NamedArguments<'s>> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant> {
        Err(ValueError::mismatch(
            &"arguments",
            format_args!("the case `{name}`; wrap it in a tuple"),
        ))
    }
}

/// Arguments in order.
struct Arguments<'s> {
    signature: &'s Signature,
    values: Vec<Value>,
}

impl Arguments<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let index = self.values.len();
        let params = &self.signature.params;
        let Some(param) = params.get(index) else {
            return Err(ValueError::new(ValueErrorKind::Length {
                expected: params.len(),
                found: index + 1,
            }));
        };
        let value = value
            .serialize(ToValue { ty: &param.ty })
            .map_err(|error| match &*param.name {
                "" => error.within(format_args!("[{index}]")),
                name => error.within(format_args!(".{name}")),
            })?;
        self.values.push(value);
        Ok(())
    }

    fn finish(self) -> Result<Vec<Value>> {
        let (expected, found) = (self.signature.params.len(), self.values.len());
        if expected != found {
            return Err(ValueError::new(ValueErrorKind::Length { expected, found }));
        }
        Ok(self.values)
    }
}

macro_rules! argument_frames {
    ($($trait:ident: $method:ident),*) => {
        $(impl $trait for Arguments<'_> {
            type Ok = Vec<Value>;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.push(value)
            }

            fn end(self) -> Result<Vec<Value>> {
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
struct NamedArguments<'s> {
    signature: &'s Signature,
    state: Named<'s>,
}

enum Named<'s> {
    /// No key seen that decides; a map's key may be waiting.
    Undecided(Option<String>),
    /// By name.
    Values(Vec<Option<Value>>, Option<String>),
    /// The only argument, entry by entry.
    Only(Entries<'s>),
}

impl NamedArguments<'_> {
    fn find(&self, name: &str) -> Option<usize> {
        names::find(
            self.signature.params.iter().map(|param| &*param.name),
            name,
            0,
        )
    }

    fn decide(&mut self, name: &str) -> Result<()> {
        if !matches!(self.state, Named::Undecided(_)) {
            return Ok(());
        }
        let params = &self.signature.params;
        self.state = if self.find(name).is_some() {
            Named::Values(vec![None; params.len()], None)
        } else if let [only] = params.as_slice() {
            Named::Only(ToValue { ty: &only.ty }.serialize_map(None)?)
        } else {
            let expected = names::list(params.iter().map(|param| &*param.name));
            return Err(ValueError::new(ValueErrorKind::UnknownField {
                name: name.into(),
                expected,
            }));
        };
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        self.decide(name)?;
        let index = self.find(name);
        match &mut self.state {
            Named::Only(entries) => {
                SerializeMap::serialize_key(entries, name)?;
                SerializeMap::serialize_value(entries, value)
            }
            Named::Values(values, _) => {
                let params = &self.signature.params;
                let Some(index) = index else {
                    let expected = names::list(params.iter().map(|param| &*param.name));
                    return Err(ValueError::new(ValueErrorKind::UnknownField {
                        name: name.into(),
                        expected,
                    }));
                };
                let param = &params[index];
                let value = value
                    .serialize(ToValue { ty: &param.ty })
                    .map_err(|error| error.within(format_args!(".{}", param.name)))?;
                values[index] = Some(value);
                Ok(())
            }
            Named::Undecided(_) => Ok(()),
        }
    }

    fn finish(self) -> Result<Vec<Value>> {
        let params = &self.signature.params;
        match self.state {
            Named::Only(entries) => Ok(vec![SerializeMap::end(entries)?]),
            Named::Undecided(_) if params.is_empty() => Ok(Vec::new()),
            Named::Undecided(_) => match params.as_slice() {
                [only] => Ok(vec![SerializeMap::end(
                    ToValue { ty: &only.ty }.serialize_map(None)?,
                )?]),
                _ => Err(ValueError::new(ValueErrorKind::Length {
                    expected: params.len(),
                    found: 0,
                })),
            },
            Named::Values(values, _) => params
                .iter()
                .zip(values)
                .map(|(param, value)| match (value, &param.ty) {
                    (Some(value), _) => Ok(value),
                    (None, Type::Option(_)) => Ok(Value::Option(None)),
                    (None, _) => Err(ValueError::new(ValueErrorKind::MissingField {
                        name: param.name.to_string(),
                    })),
                })
                .collect(),
        }
    }
}

impl SerializeStruct for NamedArguments<'_> {
    type Ok = Vec<Value>;
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    fn end(self) -> Result<Vec<Value>> {
        self.finish()
    }
}

impl SerializeMap for NamedArguments<'_> {
    type Ok = Vec<Value>;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        // Keys that are not text can only belong to a list of pairs, the only argument.
        let name = match key.serialize(ToValue { ty: &Type::String }) {
            Ok(Value::String(name)) => name,
            _ => {
                if let (Named::Undecided(None), [only]) =
                    (&self.state, self.signature.params.as_slice())
                {
                    self.state = Named::Only(ToValue { ty: &only.ty }.serialize_map(None)?);
                }
                return match &mut self.state {
                    Named::Only(entries) => SerializeMap::serialize_key(entries, key),
                    _ => Err(ValueError::mismatch(
                        &"a parameter's name",
                        "a key that is not text",
                    )),
                };
            }
        };
        self.decide(&name)?;
        match &mut self.state {
            Named::Only(entries) => SerializeMap::serialize_key(entries, key),
            Named::Undecided(waiting) | Named::Values(_, waiting) => {
                *waiting = Some(name);
                Ok(())
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        match &mut self.state {
            Named::Only(entries) => SerializeMap::serialize_value(entries, value),
            Named::Undecided(waiting) | Named::Values(_, waiting) => match waiting.take() {
                Some(name) => self.field(&name, value),
                None => Err(serde::ser::Error::custom(
                    "a map's value came before its key",
                )),
            },
        }
    }

    fn end(self) -> Result<Vec<Value>> {
        self.finish()
    }
}
