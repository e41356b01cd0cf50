//! Properties of the way between Rust values and WIT types.

use std::sync::Arc;

use wasm_sandbox::value::{Case, Field, from_value, to_value};
use wasm_sandbox::{ResourceHandle, Signature, Type, Value};

/// A small generator, the same for everybody.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn name(random: &mut Random, index: usize) -> Arc<str> {
    let words = ["value", "max-size", "a", "is-it-done", "x1"];
    format!("{}-n{index}", words[random.below(words.len())]).into()
}

pub(crate) fn any_type(random: &mut Random, depth: usize) -> Type {
    let count = |random: &mut Random| 1 + random.below(4);
    match random.below(if depth == 0 { 14 } else { 21 }) {
        0 => Type::Bool,
        1 => Type::S8,
        2 => Type::U8,
        3 => Type::S16,
        4 => Type::U16,
        5 => Type::S32,
        6 => Type::U32,
        7 => Type::S64,
        8 => Type::U64,
        9 => Type::F32,
        10 => Type::F64,
        11 => Type::Char,
        12 => Type::String,
        13 => Type::Own,
        14 => Type::List(any_type(random, depth - 1).into()),
        15 => Type::Record(
            (0..count(random))
                .map(|index| Field {
                    name: name(random, index),
                    ty: any_type(random, depth - 1),
                })
                .collect(),
        ),
        16 => Type::Tuple(
            (0..count(random))
                .map(|_| any_type(random, depth - 1))
                .collect(),
        ),
        17 => Type::Variant(
            (0..count(random))
                .map(|index| {
                    let ty = (random.below(3) > 0).then(|| any_type(random, depth - 1));
                    Case {
                        name: name(random, index),
                        ty,
                    }
                })
                .collect(),
        ),
        18 => Type::Enum(
            (0..count(random))
                .map(|index| name(random, index))
                .collect(),
        ),
        19 => {
            // An option of an option cannot be written in JSON, whose `null` is one thing only.
            let inner = std::iter::repeat_with(|| any_type(random, depth - 1));
            let inner = inner
                .filter(|ty| !matches!(ty, Type::Option(_)))
                .find(|_| true);
            Type::Option(inner.unwrap_or(Type::Bool).into())
        }
        _ => match random.below(2) {
            0 => Type::Flags(
                (0..count(random))
                    .map(|index| name(random, index))
                    .collect(),
            ),
            _ => {
                let mut part = || (random.below(3) > 0).then(|| any_type(random, depth - 1).into());
                Type::Result(part(), part())
            }
        },
    }
}

pub(crate) fn any_value(random: &mut Random, ty: &Type) -> Value {
    let boxed =
        |random: &mut Random, ty: Option<&Type>| ty.map(|ty| Box::new(any_value(random, ty)));
    let bits = random.next();
    match ty {
        Type::Bool => Value::Bool(bits & 1 == 1),
        Type::S8 => Value::S8(bits as i8),
        Type::U8 => Value::U8(bits as u8),
        Type::S16 => Value::S16(bits as i16),
        Type::U16 => Value::U16(bits as u16),
        Type::S32 => Value::S32(bits as i32),
        Type::U32 => Value::U32(bits as u32),
        Type::S64 => Value::S64(bits as i64),
        Type::U64 => Value::U64(bits),
        Type::F32 => Value::F32(f32::from_bits(bits as u32 & 0xbf7f_ffff)),
        Type::F64 => Value::F64(f64::from_bits(bits & 0xbfef_ffff_ffff_ffff)),
        Type::Char => Value::Char(char::from_u32(bits as u32 % 0xd800).unwrap_or('?')),
        Type::String => {
            let len = random.below(6);
            Value::String(
                (0..len)
                    .filter_map(|_| char::from_u32(random.next() as u32 % 0x1_0000))
                    .collect(),
            )
        }
        Type::Own | Type::Borrow => Value::Resource(ResourceHandle(bits)),
        Type::List(ty) => Value::List(
            (0..random.below(4))
                .map(|_| any_value(random, ty))
                .collect(),
        ),
        Type::Record(fields) => Value::Record(
            fields
                .iter()
                .map(|field| any_value(random, &field.ty))
                .collect(),
        ),
        Type::Tuple(types) => Value::Tuple(types.iter().map(|ty| any_value(random, ty)).collect()),
        Type::Variant(cases) => {
            let index = random.below(cases.len());
            Value::Variant(index as u32, boxed(random, cases[index].ty.as_ref()))
        }
        Type::Enum(names) => Value::Enum(random.below(names.len()) as u32),
        Type::Option(ty) => Value::Option(if bits & 1 == 1 {
            boxed(random, Some(ty))
        } else {
            None
        }),
        Type::Result(ok, err) => Value::Result(match bits & 1 {
            0 => Ok(boxed(random, ok.as_deref())),
            _ => Err(boxed(random, err.as_deref())),
        }),
        Type::Flags(names) => Value::Flags(bits & ((1 << names.len()) - 1)),
        other => panic!("the generator does not make `{other}`"),
    }
}

/// The value of a type that JSON cannot tell from another one: an option of what is itself `null`.
pub(crate) fn is_ambiguous(ty: &Type) -> bool {
    match ty {
        Type::Option(inner) => {
            matches!(&**inner, Type::Option(_))
                || matches!(&**inner, Type::Tuple(types) if types.is_empty())
                || is_ambiguous(inner)
        }
        Type::List(inner) => is_ambiguous(inner),
        Type::Record(fields) => fields.iter().any(|field| is_ambiguous(&field.ty)),
        Type::Tuple(types) => types.iter().any(is_ambiguous),
        Type::Variant(cases) => cases
            .iter()
            .filter_map(|case| case.ty.as_ref())
            .any(is_ambiguous),
        Type::Result(ok, err) => [ok, err].into_iter().flatten().any(|ty| is_ambiguous(ty)),
        _ => false,
    }
}

#[test]
fn json_there_and_back_is_the_same_value() {
    let mut random = Random(0x5eed);
    for round in 0..20_000 {
        let ty = any_type(&mut random, 4);
        if is_ambiguous(&ty) {
            continue;
        }
        let value = any_value(&mut random, &ty);
        assert!(value.is(&ty), "round {round}: {value:?} is not a `{ty}`");
        let json: serde_json::Value =
            from_value(value.clone(), &ty).expect("every value can be written");
        let text = json.to_string();
        let read: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let back = to_value(&read, &ty);
        assert_eq!(back.as_ref(), Ok(&value), "round {round}: {text} as `{ty}`");
    }
}

#[test]
fn any_json_for_any_type_is_a_value_or_an_error() {
    let mut random = Random(0xbad5eed);
    for _ in 0..20_000 {
        let (wanted, given) = (any_type(&mut random, 3), any_type(&mut random, 3));
        let json: serde_json::Value =
            from_value(any_value(&mut random, &given), &given).expect("every value can be written");
        // A value that was accepted is one of the type.
        if let Ok(value) = to_value(&json, &wanted) {
            assert!(value.is(&wanted), "{json} became {value:?} for `{wanted}`");
        }
        let signature = Signature::new([wanted.clone(), given], []);
        let _ = wasm_sandbox::value::arguments(&signature, &json);
    }
}

#[test]
fn integers_at_the_edges() {
    macro_rules! edges {
        ($($ty:ident: $int:ty),*) => {$(
            for number in [<$int>::MIN, <$int>::MAX] {
                let value = to_value(&number, &Type::$ty).expect("it fits");
                assert_eq!(value, Value::$ty(number));
                assert_eq!(from_value::<$int>(value, &Type::$ty), Ok(number));
                let beyond = i128::from(number) + if number == <$int>::MIN { -1 } else { 1 };
                assert!(to_value(&beyond, &Type::$ty).is_err(), "{beyond} fits `{}`", Type::$ty);
            }
        )*};
    }
    edges!(S8: i8, U8: u8, S16: i16, U16: u16, S32: i32, U32: u32, S64: i64, U64: u64);
    assert!(
        to_value(&(1u64 << 60 | 1), &Type::F64).is_err(),
        "it would lose a bit"
    );
    assert!(to_value(&1e300, &Type::F32).is_err());
    assert_eq!(
        to_value(&0.1f64, &Type::F32),
        Ok(Value::F32(0.1)),
        "rounded as a literal is"
    );
    assert!(matches!(to_value(&f64::NAN, &Type::F32), Ok(Value::F32(nan)) if nan.is_nan()));
}

#[test]
fn fields_may_come_in_any_order_more_than_once_or_not_at_all() {
    let field = |name: &str, ty| Field {
        name: name.into(),
        ty,
    };
    let maybe = Type::Option(Type::U8.into());
    let ty = Type::Record(
        [
            field("a", Type::U8),
            field("b", maybe),
            field("c", Type::U8),
        ]
        .into(),
    );
    let read = |entries: &[(&str, u8)]| {
        struct Entries<'a>(&'a [(&'a str, u8)]);
        impl serde::Serialize for Entries<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().copied())
            }
        }
        to_value(&Entries(entries), &ty)
    };
    let record = |a: u8, b: Option<u8>, c: u8| {
        let b = Value::Option(b.map(|b| Box::new(Value::U8(b))));
        Ok(Value::Record(vec![Value::U8(a), b, Value::U8(c)]))
    };
    assert_eq!(read(&[("a", 1), ("b", 2), ("c", 3)]), record(1, Some(2), 3));
    assert_eq!(read(&[("c", 3), ("b", 2), ("a", 1)]), record(1, Some(2), 3));
    assert_eq!(read(&[("a", 1), ("c", 3), ("b", 2)]), record(1, Some(2), 3));
    assert_eq!(read(&[("a", 1), ("c", 3)]), record(1, None, 3));
    assert_eq!(read(&[("c", 3), ("a", 1)]), record(1, None, 3));
    // The last one counts, as everywhere in JSON.
    assert_eq!(read(&[("a", 9), ("a", 1), ("c", 3)]), record(1, None, 3));
    assert_eq!(read(&[("a", 1), ("c", 9), ("c", 3)]), record(1, None, 3));
    for incomplete in [
        &[][..],
        &[("a", 1)],
        &[("a", 1), ("b", 2)],
        &[("b", 2), ("c", 3)],
    ] {
        assert!(read(incomplete).is_err(), "{incomplete:?}");
    }
    assert!(read(&[("a", 1), ("d", 2), ("c", 3)]).is_err());
}
