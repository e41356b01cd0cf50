//! The types of exported and imported functions, in the vocabulary of WIT.

use std::fmt;
use std::sync::Arc;

/// The type of a value that crosses the sandbox's border.
///
/// ```
/// use wasm_sandbox::Type;
///
/// let ty = Type::Option(Type::List(Type::U8.into()).into());
/// assert_eq!(ty.to_string(), "option<list<u8>>");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`, and `i32` of a core function.
    S32,
    /// `u32`
    U32,
    /// `s64`, and `i64` of a core function.
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Arc<Type>),
    /// A record's fields in order.
    Record(Arc<[Field]>),
    /// `tuple<…>`, and `v128` of a compiled core function: two `s64` lanes, the low one first.
    Tuple(Arc<[Type]>),
    /// A variant's cases in order.
    Variant(Arc<[Case]>),
    /// An enum's names in order.
    Enum(Arc<[Arc<str>]>),
    /// `option<T>`
    Option(Arc<Type>),
    /// `result<T, E>`; either part may be absent.
    Result(Option<Arc<Type>>, Option<Arc<Type>>),
    /// The names of the flags in order.
    Flags(Arc<[Arc<str>]>),
    /// `own<R>`: passing it hands the resource over.
    Own,
    /// `borrow<R>`
    Borrow,
    /// A type that cannot cross the border, with its name: `reference`, `stream`, ….
    Unsupported(&'static str),
}

/// A field of a record, or a parameter.
///
/// ```
/// use wasm_sandbox::Type;
/// use wasm_sandbox::value::Field;
///
/// let fields = ["x", "y"].map(|name| Field { name: name.into(), ty: Type::F64 });
/// assert_eq!(Type::Record(fields.into()).to_string(), "record { x, y }");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, in kebab case.
    pub name: Arc<str>,
    /// The type.
    pub ty: Type,
}

/// A case of a variant.
///
/// ```
/// use wasm_sandbox::value::{Case, Type, Value};
///
/// let circle = Case { name: "circle".into(), ty: Some(Type::F64) };
/// let point = Case { name: "point".into(), ty: None };
/// let shape = Type::Variant([circle, point].into());
/// assert!(Value::Variant(0, Some(Box::new(Value::F64(1.5)))).is(&shape));
/// assert!(Value::Variant(1, None).is(&shape));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name, in kebab case.
    pub name: Arc<str>,
    /// The payload's type, if there is one.
    pub ty: Option<Type>,
}

/// The type of a function.
///
/// ```
/// use wasm_sandbox::value::{Field, Signature, Type};
///
/// let signature = Signature {
///     params: vec![Field { name: "name".into(), ty: Type::String }],
///     results: vec![Type::Option(Type::U32.into())],
/// };
/// assert_eq!(signature.to_string(), "func(name: string) -> option<u32>");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Signature {
    /// The parameters; those of core functions have empty names.
    pub params: Vec<Field>,
    /// The results: at most one for a component's function.
    pub results: Vec<Type>,
}

impl Signature {
    /// A signature of unnamed parameters.
    ///
    /// ```
    /// use wasm_sandbox::{Signature, Type};
    ///
    /// let add = Signature::new([Type::S32, Type::S32], [Type::S32]);
    /// assert_eq!(add.to_string(), "func(s32, s32) -> s32");
    /// ```
    pub fn new(
        params: impl IntoIterator<Item = Type>,
        results: impl IntoIterator<Item = Type>,
    ) -> Self {
        let params = params
            .into_iter()
            .map(|ty| Field {
                name: "".into(),
                ty,
            })
            .collect();
        Self {
            params,
            results: results.into_iter().collect(),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        for (index, param) in self.params.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let colon = if param.name.is_empty() { "" } else { ": " };
            write!(f, "{separator}{}{colon}{}", param.name, param.ty)?;
        }
        f.write_str(")")?;
        match self.results.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " -> {one}"),
            many => write!(f, " -> {}", Type::Tuple(many.into())),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simple = match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::String => "string",
            Self::Own => "own",
            Self::Borrow => "borrow",
            Self::Unsupported(name) => name,
            Self::List(element) => return write!(f, "list<{element}>"),
            Self::Option(inner) => return write!(f, "option<{inner}>"),
            Self::Result(ok, err) => {
                let part = |part: &Option<Arc<Type>>| {
                    part.as_ref().map_or("_".into(), |ty| ty.to_string())
                };
                return write!(f, "result<{}, {}>", part(ok), part(err));
            }
            Self::Tuple(types) => {
                f.write_str("tuple<")?;
                for (index, ty) in types.iter().enumerate() {
                    write!(f, "{}{ty}", if index == 0 { "" } else { ", " })?;
                }
                return f.write_str(">");
            }
            Self::Record(fields) => {
                return names(f, "record", fields.iter().map(|field| &field.name));
            }
            Self::Variant(cases) => {
                return names(f, "variant", cases.iter().map(|case| &case.name));
            }
            Self::Enum(cases) => return names(f, "enum", cases.iter()),
            Self::Flags(flags) => return names(f, "flags", flags.iter()),
        };
        f.write_str(simple)
    }
}

fn names<'a>(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    names: impl Iterator<Item = &'a Arc<str>>,
) -> fmt::Result {
    write!(f, "{kind} {{")?;
    for (index, name) in names.enumerate() {
        write!(f, "{} {name}", if index == 0 { "" } else { "," })?;
    }
    f.write_str(" }")
}
