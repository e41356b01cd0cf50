//! The sandbox's types and values as WAVE's library sees them.
//!
//! The sandbox's values are positional: names of fields and cases stand in the type alone. WAVE's library asks a value for its names,
//! so here a value carries its type. A value that is printed is borrowed all the way down; one that is parsed owns its parts.

use std::borrow::Cow;

use wasm_sandbox::{Type, Value};
use wasm_wave::wasm::{WasmType, WasmTypeKind, WasmValue, WasmValueError};

/// A type of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaveType(pub(super) Type);

/// A value of the sandbox with its type.
#[derive(Debug, Clone)]
pub(super) struct WaveValue<'a> {
    value: Cow<'a, Value>,
    ty: WaveType,
}

impl<'a> WaveValue<'a> {
    /// A value to be printed.
    pub(super) fn new(value: &'a Value, ty: &Type) -> Self {
        WaveValue {
            value: Cow::Borrowed(value),
            ty: WaveType(ty.clone()),
        }
    }

    /// A value that was parsed.
    pub(super) fn into_value(self) -> Value {
        self.value.into_owned()
    }

    fn made(value: Value, ty: &WaveType) -> Self {
        WaveValue {
            value: Cow::Owned(value),
            ty: ty.clone(),
        }
    }

    /// A part of this value that `pick` finds, as a value of type `ty`.
    fn part(&self, ty: &Type, pick: impl FnOnce(&Value) -> Option<&Value>) -> Option<Self> {
        let value = match &self.value {
            Cow::Borrowed(value) => Cow::Borrowed(pick(value)?),
            Cow::Owned(value) => Cow::Owned(pick(value)?.clone()),
        };
        let ty = WaveType(ty.clone());
        Some(WaveValue { value, ty })
    }

    /// The parts of a list, record or tuple, of these types.
    fn parts<'t>(
        &self,
        types: impl Iterator<Item = &'t Type>,
    ) -> impl Iterator<Item = Cow<'_, Self>> {
        types
            .enumerate()
            .map_while(|(index, ty)| self.part(ty, |value| children(value).get(index)))
            .map(Cow::Owned)
    }

    /// What an option, variant or result holds.
    fn payload(&self, ty: Option<&Type>) -> Option<Cow<'_, Self>> {
        self.part(ty?, payload).map(Cow::Owned)
    }
}

fn children(value: &Value) -> &[Value] {
    match value {
        Value::List(values) | Value::Record(values) | Value::Tuple(values) => values,
        _ => &[],
    }
}

fn payload(value: &Value) -> Option<&Value> {
    match value {
        Value::Variant(_, payload)
        | Value::Option(payload)
        | Value::Result(Ok(payload) | Err(payload)) => payload.as_deref(),
        _ => None,
    }
}

/// The kind of a type.
pub(super) fn kind(ty: &Type) -> WasmTypeKind {
    match ty {
        Type::Bool => WasmTypeKind::Bool,
        Type::S8 => WasmTypeKind::S8,
        Type::U8 => WasmTypeKind::U8,
        Type::S16 => WasmTypeKind::S16,
        Type::U16 => WasmTypeKind::U16,
        Type::S32 => WasmTypeKind::S32,
        Type::U32 => WasmTypeKind::U32,
        Type::S64 => WasmTypeKind::S64,
        Type::U64 => WasmTypeKind::U64,
        Type::F32 => WasmTypeKind::F32,
        Type::F64 => WasmTypeKind::F64,
        Type::Char => WasmTypeKind::Char,
        Type::String => WasmTypeKind::String,
        Type::List(_) => WasmTypeKind::List,
        Type::Record(_) => WasmTypeKind::Record,
        Type::Tuple(_) => WasmTypeKind::Tuple,
        Type::Variant(_) => WasmTypeKind::Variant,
        Type::Enum(_) => WasmTypeKind::Enum,
        Type::Option(_) => WasmTypeKind::Option,
        Type::Result(..) => WasmTypeKind::Result,
        Type::Flags(_) => WasmTypeKind::Flags,
        _ => WasmTypeKind::Unsupported,
    }
}

impl WasmType for WaveType {
    fn kind(&self) -> WasmTypeKind {
        kind(&self.0)
    }

    fn list_element_type(&self) -> Option<Self> {
        match &self.0 {
            Type::List(element) => Some(WaveType((**element).clone())),
            _ => None,
        }
    }

    fn record_fields(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, Self)> + '_> {
        let fields = match &self.0 {
            Type::Record(fields) => &fields[..],
            _ => &[],
        };
        let named = |name, ty: &Type| (Cow::Borrowed(name), WaveType(ty.clone()));
        Box::new(
            fields
                .iter()
                .map(move |field| named(&*field.name, &field.ty)),
        )
    }

    fn tuple_element_types(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        let types = match &self.0 {
            Type::Tuple(types) => &types[..],
            _ => &[],
        };
        Box::new(types.iter().cloned().map(WaveType))
    }

    fn variant_cases(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, Option<Self>)> + '_> {
        let cases = match &self.0 {
            Type::Variant(cases) => &cases[..],
            _ => &[],
        };
        Box::new(cases.iter().map(|case| {
            let payload = case.ty.clone().map(WaveType);
            (Cow::Borrowed(&*case.name), payload)
        }))
    }

    fn enum_cases(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        let names = match &self.0 {
            Type::Enum(names) => &names[..],
            _ => &[],
        };
        Box::new(names.iter().map(|name| Cow::Borrowed(&**name)))
    }

    fn option_some_type(&self) -> Option<Self> {
        match &self.0 {
            Type::Option(some) => Some(WaveType((**some).clone())),
            _ => None,
        }
    }

    fn result_types(&self) -> Option<(Option<Self>, Option<Self>)> {
        let part = |ty: &Option<std::sync::Arc<Type>>| ty.as_deref().cloned().map(WaveType);
        match &self.0 {
            Type::Result(ok, err) => Some((part(ok), part(err))),
            _ => None,
        }
    }

    fn flags_names(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        let names = match &self.0 {
            Type::Flags(names) => &names[..],
            _ => &[],
        };
        Box::new(names.iter().map(|name| Cow::Borrowed(&**name)))
    }
}

/// A constructor and an accessor per type without parts.
macro_rules! simple {
    ($($make:ident $unwrap:ident $case:ident: $rust:ty),* $(,)?) => {
        $(
            fn $make(value: $rust) -> Self {
                WaveValue::made(Value::$case(value), &WaveType(Type::$case))
            }

            fn $unwrap(&self) -> $rust {
                match *self.value {
                    Value::$case(value) => value,
                    _ => mismatch(self),
                }
            }
        )*
    };
}

/// The library asks only for what [`WasmValue::kind`] has promised.
fn mismatch(value: &WaveValue<'_>) -> ! {
    unreachable!("a value of the kind {} is another", value.kind())
}

impl WasmValue for WaveValue<'_> {
    type Type = WaveType;

    fn kind(&self) -> WasmTypeKind {
        match *self.value {
            Value::Resource(_) => WasmTypeKind::Unsupported,
            _ => self.ty.kind(),
        }
    }

    simple! {
        make_bool unwrap_bool Bool: bool,
        make_s8 unwrap_s8 S8: i8,
        make_u8 unwrap_u8 U8: u8,
        make_s16 unwrap_s16 S16: i16,
        make_u16 unwrap_u16 U16: u16,
        make_s32 unwrap_s32 S32: i32,
        make_u32 unwrap_u32 U32: u32,
        make_s64 unwrap_s64 S64: i64,
        make_u64 unwrap_u64 U64: u64,
        make_f32 unwrap_f32 F32: f32,
        make_f64 unwrap_f64 F64: f64,
        make_char unwrap_char Char: char,
    }

    fn make_string(value: Cow<'_, str>) -> Self {
        WaveValue::made(Value::String(value.into_owned()), &WaveType(Type::String))
    }

    fn make_list(
        ty: &WaveType,
        values: impl IntoIterator<Item = Self>,
    ) -> Result<Self, WasmValueError> {
        let values = values.into_iter().map(WaveValue::into_value).collect();
        Ok(WaveValue::made(Value::List(values), ty))
    }

    fn make_record<'f>(
        ty: &WaveType,
        fields: impl IntoIterator<Item = (&'f str, Self)>,
    ) -> Result<Self, WasmValueError> {
        let mut given: std::collections::BTreeMap<&str, Self> = fields.into_iter().collect();
        let values = ty
            .record_fields()
            .map(|(name, _)| match given.remove(&*name) {
                Some(value) => Ok(value.into_value()),
                None => Err(WasmValueError::MissingField(name.into_owned())),
            })
            .collect::<Result<_, _>>()?;
        match given.pop_first() {
            Some((name, _)) => Err(WasmValueError::UnknownField(name.to_owned())),
            None => Ok(WaveValue::made(Value::Record(values), ty)),
        }
    }

    fn make_tuple(
        ty: &WaveType,
        values: impl IntoIterator<Item = Self>,
    ) -> Result<Self, WasmValueError> {
        let values: Vec<Value> = values.into_iter().map(WaveValue::into_value).collect();
        let (want, got) = (ty.tuple_element_types().count(), values.len());
        if want != got {
            return Err(WasmValueError::WrongNumberOfTupleValues { want, got });
        }
        Ok(WaveValue::made(Value::Tuple(values), ty))
    }

    fn make_variant(
        ty: &WaveType,
        case: &str,
        payload: Option<Self>,
    ) -> Result<Self, WasmValueError> {
        let mut cases = ty.variant_cases().zip(0..);
        let Some(((_, wanted), index)) = cases.find(|((name, _), _)| name == case) else {
            return Err(WasmValueError::UnknownCase(case.to_owned()));
        };
        let payload = fitting(case, wanted.is_some(), payload)?;
        Ok(WaveValue::made(Value::Variant(index, payload), ty))
    }

    fn make_enum(ty: &WaveType, case: &str) -> Result<Self, WasmValueError> {
        match ty.enum_cases().zip(0..).find(|(name, _)| name == case) {
            Some((_, index)) => Ok(WaveValue::made(Value::Enum(index), ty)),
            None => Err(WasmValueError::UnknownCase(case.to_owned())),
        }
    }

    fn make_option(ty: &WaveType, some: Option<Self>) -> Result<Self, WasmValueError> {
        let some = some.map(|value| Box::new(value.into_value()));
        Ok(WaveValue::made(Value::Option(some), ty))
    }

    fn make_result(
        ty: &WaveType,
        result: Result<Option<Self>, Option<Self>>,
    ) -> Result<Self, WasmValueError> {
        let (ok, err) = ty.result_types().unwrap_or_default();
        let result = match result {
            Ok(payload) => Ok(fitting("ok", ok.is_some(), payload)?),
            Err(payload) => Err(fitting("err", err.is_some(), payload)?),
        };
        Ok(WaveValue::made(Value::Result(result), ty))
    }

    fn make_flags<'f>(
        ty: &WaveType,
        names: impl IntoIterator<Item = &'f str>,
    ) -> Result<Self, WasmValueError> {
        let mut bits = 0_u64;
        for flag in names {
            let Some(index) = ty.flags_names().position(|name| name == flag) else {
                return Err(WasmValueError::UnknownCase(flag.to_owned()));
            };
            // The sandbox has no flags of more than 64 names.
            bits |= 1 << (index & 63);
        }
        Ok(WaveValue::made(Value::Flags(bits), ty))
    }

    fn unwrap_string(&self) -> Cow<'_, str> {
        match &*self.value {
            Value::String(text) => Cow::Borrowed(text),
            _ => mismatch(self),
        }
    }

    fn unwrap_list(&self) -> Box<dyn Iterator<Item = Cow<'_, Self>> + '_> {
        match &self.ty.0 {
            Type::List(element) => Box::new(self.parts(std::iter::repeat(&**element))),
            _ => mismatch(self),
        }
    }

    fn unwrap_record(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, Cow<'_, Self>)> + '_> {
        match &self.ty.0 {
            Type::Record(fields) => {
                let names = fields.iter().map(|field| Cow::Borrowed(&*field.name));
                Box::new(names.zip(self.parts(fields.iter().map(|field| &field.ty))))
            }
            _ => mismatch(self),
        }
    }

    fn unwrap_tuple(&self) -> Box<dyn Iterator<Item = Cow<'_, Self>> + '_> {
        match &self.ty.0 {
            Type::Tuple(types) => Box::new(self.parts(types.iter())),
            _ => mismatch(self),
        }
    }

    fn unwrap_variant(&self) -> (Cow<'_, str>, Option<Cow<'_, Self>>) {
        match (&*self.value, &self.ty.0) {
            (Value::Variant(index, _), Type::Variant(cases)) => {
                let case = &cases[*index as usize];
                (Cow::Borrowed(&case.name), self.payload(case.ty.as_ref()))
            }
            _ => mismatch(self),
        }
    }

    fn unwrap_enum(&self) -> Cow<'_, str> {
        match (&*self.value, &self.ty.0) {
            (Value::Enum(index), Type::Enum(names)) => Cow::Borrowed(&names[*index as usize]),
            _ => mismatch(self),
        }
    }

    fn unwrap_option(&self) -> Option<Cow<'_, Self>> {
        match &self.ty.0 {
            Type::Option(some) => self.payload(Some(some)),
            _ => mismatch(self),
        }
    }

    fn unwrap_result(&self) -> Result<Option<Cow<'_, Self>>, Option<Cow<'_, Self>>> {
        match (&*self.value, &self.ty.0) {
            (Value::Result(Ok(_)), Type::Result(ok, _)) => Ok(self.payload(ok.as_deref())),
            (Value::Result(Err(_)), Type::Result(_, err)) => Err(self.payload(err.as_deref())),
            _ => mismatch(self),
        }
    }

    fn unwrap_flags(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        match (&*self.value, &self.ty.0) {
            (Value::Flags(bits), Type::Flags(names)) => {
                let bits = *bits;
                let set = (0_u32..)
                    .zip(names.iter())
                    .filter(move |(index, _)| bits >> (index & 63) & 1 == 1);
                Box::new(set.map(|(_, name)| Cow::Borrowed(&**name)))
            }
            _ => mismatch(self),
        }
    }
}

/// A payload where there should be one, none where there should be none.
fn fitting(
    case: &str,
    wanted: bool,
    payload: Option<WaveValue<'_>>,
) -> Result<Option<Box<Value>>, WasmValueError> {
    match (wanted, payload) {
        (true, Some(payload)) => Ok(Some(Box::new(payload.into_value()))),
        (false, None) => Ok(None),
        (true, None) => Err(WasmValueError::MissingPayload(case.to_owned())),
        (false, Some(_)) => Err(WasmValueError::UnexpectedPayload(case.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use wasm_sandbox::value::{Case, Field};

    fn record(fields: &[(&str, Type)]) -> Type {
        let fields = fields.iter().map(|(name, ty)| Field {
            name: (*name).into(),
            ty: ty.clone(),
        });
        Type::Record(fields.collect())
    }

    fn names(names: &[&str]) -> Arc<[Arc<str>]> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    fn samples() -> Vec<(Type, &'static [&'static str])> {
        let case = |name: &str, ty| Case {
            name: name.into(),
            ty,
        };
        let shape = Type::Variant(
            [
                case("dot", None),
                case("circle", Some(Type::F32)),
                case("some", Some(Type::String)),
            ]
            .into(),
        );
        vec![
            (Type::Bool, &["true", "false"]),
            (Type::S8, &["-128", "127"]),
            (Type::U64, &["18446744073709551615"]),
            (Type::S64, &["-9223372036854775808"]),
            (Type::F32, &["1.5", "nan", "inf", "-inf", "-0"]),
            (Type::F64, &["0.1", "nan"]),
            (Type::Char, &["'a'", r"'\''", "'👋'"]),
            (Type::String, &[r#""""#, r#""a \"b\" \\ \n""#]),
            (Type::List(Type::U8.into()), &["[]", "[1, 2, 255]"]),
            (
                Type::List(Type::List(Type::String.into()).into()),
                &[r#"[["a"], [], ["b", "c"]]"#],
            ),
            (
                record(&[
                    ("x", Type::S32),
                    ("note", Type::Option(Type::String.into())),
                ]),
                &["{x: 1}", r#"{x: -1, note: some("n")}"#],
            ),
            (Type::Tuple([Type::S64, Type::Char].into()), &["(-1, 'x')"]),
            (shape, &["dot", "circle(2.5)", r#"%some("x")"#]),
            (Type::Enum(names(&["up", "ok"])), &["up", "%ok"]),
            (
                Type::Option(Type::Option(Type::U8.into()).into()),
                &["none", "some(none)", "some(some(3))"],
            ),
            (Type::Result(None, None), &["ok", "err"]),
            (
                Type::Result(Some(Type::U8.into()), Some(Type::String.into())),
                &["ok(1)", r#"err("no")"#],
            ),
            (
                Type::Flags(names(&["r", "w", "x"])),
                &["{}", "{w}", "{r, x}"],
            ),
        ]
    }

    #[test]
    fn text_comes_back_as_it_was() {
        for (ty, texts) in samples() {
            for text in texts {
                let wave = WaveType(ty.clone());
                let value = wasm_wave::from_str::<WaveValue<'_>>(&wave, text)
                    .unwrap_or_else(|error| panic!("{text}: {error}"))
                    .into_value();
                assert!(value.is(&ty), "{text} became {value:?}");
                let printed = wasm_wave::to_string(&WaveValue::new(&value, &ty));
                assert_eq!(printed.as_deref().ok(), Some(*text));
                // What owns its parts prints alike.
                let owned = WaveValue::made(value, &wave);
                assert_eq!(wasm_wave::to_string(&owned).as_deref().ok(), Some(*text));
            }
        }
    }

    #[test]
    fn a_text_of_one_type_is_none_of_another_or_a_value_of_it() {
        let samples = samples();
        let texts: Vec<&str> = samples
            .iter()
            .flat_map(|(_, texts)| *texts)
            .copied()
            .collect();
        for (ty, _) in &samples {
            for text in &texts {
                let wave = WaveType(ty.clone());
                if let Ok(value) = wasm_wave::from_str::<WaveValue<'_>>(&wave, text) {
                    let value = value.into_value();
                    assert!(value.is(ty), "{text} became {value:?}, which is no `{ty}`");
                }
            }
        }
    }
}
