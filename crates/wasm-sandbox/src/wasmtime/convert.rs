//! Values and types of ours and of wasmtime.

use std::sync::Arc;

use wasmtime::component::types::{ComponentFunc, Type as ComponentType};
use wasmtime::component::{ResourceAny, Val};
use wasmtime::{FuncType, Val as CoreVal, ValType};

use crate::value::{Case, Field, Signature, Type, Value};
use crate::{Error, Result, Trap};

/// Types nested deeper than this are refused at loading.
const MAX_DEPTH: usize = 64;

pub(super) fn core_signature(ty: &FuncType) -> Signature {
    Signature::new(
        ty.params().map(|ty| core_type(&ty)),
        ty.results().map(|ty| core_type(&ty)),
    )
}

fn core_type(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => Type::S32,
        ValType::I64 => Type::S64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        // Two lanes, the low one first: what every language can write.
        ValType::V128 => Type::Tuple([Type::S64, Type::S64].into()),
        ValType::Ref(_) => Type::Unsupported("reference"),
    }
}

pub(super) fn component_signature(ty: &ComponentFunc) -> Signature {
    Signature {
        params: ty
            .params()
            .map(|(name, ty)| Field {
                name: name.into(),
                ty: component_type(&ty, 0),
            })
            .collect(),
        results: ty.results().map(|ty| component_type(&ty, 0)).collect(),
    }
}

fn component_type(ty: &ComponentType, depth: usize) -> Type {
    if depth > MAX_DEPTH {
        return Type::Unsupported("type nested too deeply");
    }
    let inner = |ty: ComponentType| component_type(&ty, depth + 1);
    match ty {
        ComponentType::Bool => Type::Bool,
        ComponentType::S8 => Type::S8,
        ComponentType::U8 => Type::U8,
        ComponentType::S16 => Type::S16,
        ComponentType::U16 => Type::U16,
        ComponentType::S32 => Type::S32,
        ComponentType::U32 => Type::U32,
        ComponentType::S64 => Type::S64,
        ComponentType::U64 => Type::U64,
        ComponentType::Float32 => Type::F32,
        ComponentType::Float64 => Type::F64,
        ComponentType::Char => Type::Char,
        ComponentType::String => Type::String,
        ComponentType::List(list) => Type::List(inner(list.ty()).into()),
        ComponentType::Record(record) => Type::Record(
            record
                .fields()
                .map(|field| Field {
                    name: field.name.into(),
                    ty: inner(field.ty),
                })
                .collect(),
        ),
        ComponentType::Tuple(tuple) => Type::Tuple(tuple.types().map(inner).collect()),
        ComponentType::Variant(variant) => Type::Variant(
            variant
                .cases()
                .map(|case| Case {
                    name: case.name.into(),
                    ty: case.ty.map(inner),
                })
                .collect(),
        ),
        ComponentType::Enum(names) => Type::Enum(names.names().map(Arc::from).collect()),
        ComponentType::Option(option) => Type::Option(inner(option.ty()).into()),
        ComponentType::Result(result) => Type::Result(
            result.ok().map(|ty| inner(ty).into()),
            result.err().map(|ty| inner(ty).into()),
        ),
        ComponentType::Flags(flags) if flags.names().len() <= 64 => {
            Type::Flags(flags.names().map(Arc::from).collect())
        }
        ComponentType::Flags(_) => Type::Unsupported("flags of more than 64 names"),
        ComponentType::Own(_) => Type::Own,
        ComponentType::Borrow(_) => Type::Borrow,
        ComponentType::Map(_) => Type::Unsupported("map"),
        ComponentType::Future(_) => Type::Unsupported("future"),
        ComponentType::Stream(_) => Type::Unsupported("stream"),
        ComponentType::ErrorContext => Type::Unsupported("error-context"),
        ComponentType::FixedLengthList(_) => Type::Unsupported("list of fixed length"),
    }
}

pub(super) fn to_core(value: &Value) -> Option<CoreVal> {
    Some(match value {
        Value::S32(number) => CoreVal::I32(*number),
        Value::S64(number) => CoreVal::I64(*number),
        Value::F32(number) => CoreVal::F32(number.to_bits()),
        Value::F64(number) => CoreVal::F64(number.to_bits()),
        Value::Tuple(lanes) => match lanes[..] {
            [Value::S64(low), Value::S64(high)] => {
                let lane = |lane: i64| u128::from(lane.cast_unsigned());
                CoreVal::V128((lane(high) << 64 | lane(low)).into())
            }
            _ => return None,
        },
        _ => return None,
    })
}

pub(super) fn from_core(value: &CoreVal) -> Option<Value> {
    Some(match value {
        CoreVal::I32(number) => Value::S32(*number),
        CoreVal::I64(number) => Value::S64(*number),
        CoreVal::F32(bits) => Value::F32(f32::from_bits(*bits)),
        CoreVal::F64(bits) => Value::F64(f64::from_bits(*bits)),
        CoreVal::V128(lanes) => {
            let lanes = lanes.as_u128();
            let lane = |lane: u128| Value::S64((lane as u64).cast_signed());
            Value::Tuple(vec![lane(lanes), lane(lanes >> 64)])
        }
        _ => return None,
    })
}

/// Resolves handles on the way in and makes them on the way out.
pub(super) trait Resources {
    fn lower(&mut self, handle: crate::value::ResourceHandle, owned: bool) -> Result<ResourceAny>;
    fn lift(&mut self, resource: ResourceAny) -> Result<crate::value::ResourceHandle>;
}

pub(super) fn mismatch(ty: &Type) -> Error {
    let kind = crate::value::ValueErrorKind::Mismatch {
        expected: ty.to_string(),
        found: "a value of another type".into(),
    };
    Error::Value(crate::ValueError {
        path: String::new(),
        kind,
    })
}

/// Our value as wasmtime's.
pub(super) fn to_val(value: Value, ty: &Type, resources: &mut dyn Resources) -> Result<Val> {
    let mut boxed = |value: Option<Box<Value>>, ty: Option<&Type>| match (value, ty) {
        (None, None) => Ok(None),
        (Some(value), Some(ty)) => Ok(Some(Box::new(to_val(*value, ty, resources)?))),
        (_, other) => Err(mismatch(other.unwrap_or(&Type::Tuple(Arc::new([]))))),
    };
    Ok(match (value, ty) {
        (Value::Bool(value), Type::Bool) => Val::Bool(value),
        (Value::S8(value), Type::S8) => Val::S8(value),
        (Value::U8(value), Type::U8) => Val::U8(value),
        (Value::S16(value), Type::S16) => Val::S16(value),
        (Value::U16(value), Type::U16) => Val::U16(value),
        (Value::S32(value), Type::S32) => Val::S32(value),
        (Value::U32(value), Type::U32) => Val::U32(value),
        (Value::S64(value), Type::S64) => Val::S64(value),
        (Value::U64(value), Type::U64) => Val::U64(value),
        (Value::F32(value), Type::F32) => Val::Float32(value),
        (Value::F64(value), Type::F64) => Val::Float64(value),
        (Value::Char(value), Type::Char) => Val::Char(value),
        (Value::String(value), Type::String) => Val::String(value),
        (Value::List(values), Type::List(ty)) => Val::List(
            values
                .into_iter()
                .map(|value| to_val(value, ty, resources))
                .collect::<Result<_>>()?,
        ),
        (Value::Record(values), Type::Record(fields)) if values.len() == fields.len() => {
            let fields = values.into_iter().zip(fields.iter());
            let named = fields.map(|(value, field)| {
                Ok((field.name.to_string(), to_val(value, &field.ty, resources)?))
            });
            Val::Record(named.collect::<Result<_>>()?)
        }
        (Value::Tuple(values), Type::Tuple(types)) if values.len() == types.len() => {
            let values = values.into_iter().zip(types.iter());
            Val::Tuple(
                values
                    .map(|(value, ty)| to_val(value, ty, resources))
                    .collect::<Result<_>>()?,
            )
        }
        (Value::Variant(index, payload), Type::Variant(cases)) => {
            let case = cases.get(index as usize).ok_or_else(|| mismatch(ty))?;
            Val::Variant(case.name.to_string(), boxed(payload, case.ty.as_ref())?)
        }
        (Value::Enum(index), Type::Enum(names)) => Val::Enum(
            names
                .get(index as usize)
                .ok_or_else(|| mismatch(ty))?
                .to_string(),
        ),
        (Value::Option(value), Type::Option(ty)) => match value {
            None => Val::Option(None),
            Some(value) => Val::Option(Some(Box::new(to_val(*value, ty, resources)?))),
        },
        (Value::Result(Ok(value)), Type::Result(ty, _)) => {
            Val::Result(Ok(boxed(value, ty.as_deref())?))
        }
        (Value::Result(Err(value)), Type::Result(_, ty)) => {
            Val::Result(Err(boxed(value, ty.as_deref())?))
        }
        (Value::Flags(bits), Type::Flags(names)) if Value::Flags(bits).is(ty) => {
            let set = names
                .iter()
                .enumerate()
                .filter(|(index, _)| bits.checked_shr(*index as u32).unwrap_or(0) & 1 == 1);
            Val::Flags(set.map(|(_, name)| name.to_string()).collect())
        }
        (Value::Resource(handle), Type::Own) => Val::Resource(resources.lower(handle, true)?),
        (Value::Resource(handle), Type::Borrow) => Val::Resource(resources.lower(handle, false)?),
        _ => return Err(mismatch(ty)),
    })
}

/// wasmtime's value as ours. wasmtime has checked it against the type, so a mismatch means that the
/// two views of the type differ, which is reported rather than guessed at.
pub(super) fn from_val(value: Val, ty: &Type, resources: &mut dyn Resources) -> Result<Value> {
    let differ = || Error::Trap {
        trap: Trap::InvalidValue,
        message: format!("expected a value of type `{ty}`"),
        backtrace: crate::Backtrace::default(),
    };
    let mut boxed = |value: Option<Box<Val>>, ty: Option<&Type>| match (value, ty) {
        (None, None) => Ok(None),
        (Some(value), Some(ty)) => Ok(Some(Box::new(from_val(*value, ty, resources)?))),
        _ => Err(differ()),
    };
    let find = |name: &str, mut names: &mut dyn Iterator<Item = &Arc<str>>| {
        (&mut names)
            .position(|known| **known == *name)
            .map(|index| index as u32)
            .ok_or_else(differ)
    };
    Ok(match (value, ty) {
        (Val::Bool(value), Type::Bool) => Value::Bool(value),
        (Val::S8(value), Type::S8) => Value::S8(value),
        (Val::U8(value), Type::U8) => Value::U8(value),
        (Val::S16(value), Type::S16) => Value::S16(value),
        (Val::U16(value), Type::U16) => Value::U16(value),
        (Val::S32(value), Type::S32) => Value::S32(value),
        (Val::U32(value), Type::U32) => Value::U32(value),
        (Val::S64(value), Type::S64) => Value::S64(value),
        (Val::U64(value), Type::U64) => Value::U64(value),
        (Val::Float32(value), Type::F32) => Value::F32(value),
        (Val::Float64(value), Type::F64) => Value::F64(value),
        (Val::Char(value), Type::Char) => Value::Char(value),
        (Val::String(value), Type::String) => Value::String(value),
        (Val::List(values), Type::List(ty)) => Value::List(
            values
                .into_iter()
                .map(|value| from_val(value, ty, resources))
                .collect::<Result<_>>()?,
        ),
        (Val::Record(values), Type::Record(fields)) if values.len() == fields.len() => {
            let fields = values.into_iter().zip(fields.iter());
            Value::Record(
                fields
                    .map(|((_, value), field)| from_val(value, &field.ty, resources))
                    .collect::<Result<_>>()?,
            )
        }
        (Val::Tuple(values), Type::Tuple(types)) if values.len() == types.len() => {
            let values = values.into_iter().zip(types.iter());
            Value::Tuple(
                values
                    .map(|(value, ty)| from_val(value, ty, resources))
                    .collect::<Result<_>>()?,
            )
        }
        (Val::Variant(name, payload), Type::Variant(cases)) => {
            let index = find(&name, &mut cases.iter().map(|case| &case.name))?;
            Value::Variant(index, boxed(payload, cases[index as usize].ty.as_ref())?)
        }
        (Val::Enum(name), Type::Enum(names)) => Value::Enum(find(&name, &mut names.iter())?),
        (Val::Option(value), Type::Option(ty)) => Value::Option(match value {
            None => None,
            Some(value) => Some(Box::new(from_val(*value, ty, resources)?)),
        }),
        (Val::Result(Ok(value)), Type::Result(ty, _)) => {
            Value::Result(Ok(boxed(value, ty.as_deref())?))
        }
        (Val::Result(Err(value)), Type::Result(_, ty)) => {
            Value::Result(Err(boxed(value, ty.as_deref())?))
        }
        (Val::Flags(set), Type::Flags(names)) => {
            let mut bits = 0u64;
            for name in set {
                bits |= 1u64
                    .checked_shl(find(&name, &mut names.iter())?)
                    .unwrap_or(0);
            }
            Value::Flags(bits)
        }
        (Val::Resource(resource), Type::Own | Type::Borrow) => {
            Value::Resource(resources.lift(resource)?)
        }
        _ => return Err(differ()),
    })
}
