//! From core values and guest memory to our values. Everything here was chosen by the guest.

use wasmtime::component::__internal::wasmtime_environ::component::VariantInfo;
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::component::Lift;
use wasmtime::{Result, ValRaw, bail};

use super::MAX_FLAT_RESULTS;
use crate::value::Value;

/// Lifts the result of a call: from the stack, or from memory when it is too large.
pub(super) fn results(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    src: &[ValRaw; MAX_FLAT_RESULTS],
) -> Result<Option<Value>> {
    let InterfaceType::Tuple(index) = ty else {
        bail!("results are a tuple");
    };
    let types = cx.types;
    let tuple = &types[index];
    let ty = match *tuple.types {
        [] => return Ok(None),
        [ty] => ty,
        _ => bail!("a component's function has one result at most"),
    };
    if tuple.abi.flat_count(MAX_FLAT_RESULTS).is_some() {
        let mut flat = Flat { src, next: 0 };
        return flat.lift(cx, ty).map(Some);
    }
    let ptr = src[0].get_u32() as usize;
    if !ptr.is_multiple_of(tuple.abi.align32 as usize) {
        bail!("return pointer not aligned");
    }
    let bytes = cx
        .memory()
        .get(ptr..)
        .and_then(|bytes| bytes.get(..tuple.abi.size32 as usize));
    let Some(bytes) = bytes else {
        bail!("pointer out of bounds of memory");
    };
    load(cx, ty, bytes).map(Some)
}

/// The core values of the results, as far as they are read.
struct Flat<'s> {
    src: &'s [ValRaw; MAX_FLAT_RESULTS],
    next: usize,
}

impl<'s> Flat<'s> {
    fn pull(&mut self) -> Result<&'s ValRaw> {
        let Some(raw) = self.src.get(self.next) else {
            bail!("more core values than the type has");
        };
        self.next += 1;
        Ok(raw)
    }

    /// Lifts a value of so few core values: a number, a choice without payloads, flags, or one of those
    /// alone in a record.
    fn lift(&mut self, cx: &mut LiftContext<'_>, ty: InterfaceType) -> Result<Value> {
        macro_rules! scalar {
            ($variant:ident) => {
                Value::$variant(Lift::linear_lift_from_flat(cx, ty, self.pull()?)?)
            };
        }
        let types = cx.types;
        Ok(match ty {
            InterfaceType::Bool => scalar!(Bool),
            InterfaceType::S8 => scalar!(S8),
            InterfaceType::U8 => scalar!(U8),
            InterfaceType::S16 => scalar!(S16),
            InterfaceType::U16 => scalar!(U16),
            InterfaceType::S32 => scalar!(S32),
            InterfaceType::U32 => scalar!(U32),
            InterfaceType::S64 => scalar!(S64),
            InterfaceType::U64 => scalar!(U64),
            InterfaceType::Float32 => scalar!(F32),
            InterfaceType::Float64 => scalar!(F64),
            InterfaceType::Char => scalar!(Char),
            InterfaceType::Record(index) => {
                let fields = &types[index].fields;
                cx.consume_fuel_array(fields.len(), size_of::<Value>())?;
                let values = fields.iter().map(|field| self.lift(cx, field.ty));
                Value::Record(values.collect::<Result<_>>()?)
            }
            InterfaceType::Tuple(index) => {
                let tuple = &types[index].types;
                cx.consume_fuel_array(tuple.len(), size_of::<Value>())?;
                let values = tuple.iter().map(|ty| self.lift(cx, *ty));
                Value::Tuple(values.collect::<Result<_>>()?)
            }
            InterfaceType::Flags(index) => {
                let count = types[index].names.len();
                let bits = if count == 0 {
                    0
                } else {
                    self.pull()?.get_u32()
                };
                known_flags(bits.into(), count)
            }
            ty => {
                let case = self.pull()?.get_u32();
                let payload = match case_payload(cx, ty, case)? {
                    Some(ty) => {
                        cx.consume_fuel(size_of::<Value>())?;
                        Some(Box::new(self.lift(cx, ty)?))
                    }
                    None => None,
                };
                chosen(ty, case, payload)?
            }
        })
    }
}

/// The flags that the type has; the ABI says to ignore the others.
fn known_flags(bits: u64, count: usize) -> Value {
    let known = u32::try_from(count)
        .ok()
        .and_then(|count| 1u64.checked_shl(count))
        .map_or(u64::MAX, |end| end - 1);
    Value::Flags(bits & known)
}

/// The type of a case's payload; an error when there is no such case.
fn case_payload(
    cx: &LiftContext<'_>,
    ty: InterfaceType,
    case: u32,
) -> Result<Option<InterfaceType>> {
    let types = cx.types;
    let (found, count) = match ty {
        InterfaceType::Variant(index) => {
            let cases = &types[index].cases;
            let found = cases.get_index(case as usize).map(|(_, ty)| *ty);
            (found, cases.len())
        }
        InterfaceType::Enum(index) => {
            let count = types[index].names.len();
            (((case as usize) < count).then_some(None), count)
        }
        InterfaceType::Option(index) => {
            let cases = [None, Some(types[index].ty)];
            (cases.get(case as usize).copied(), cases.len())
        }
        InterfaceType::Result(index) => {
            let cases = [types[index].ok, types[index].err];
            (cases.get(case as usize).copied(), cases.len())
        }
        _ => bail!("a value of this type cannot cross the sandbox's border"),
    };
    match found {
        Some(payload) => Ok(payload),
        None => bail!("discriminant {case} out of range [0..{count})"),
    }
}

/// The value of a case that [`case_payload`] knows.
fn chosen(ty: InterfaceType, case: u32, payload: Option<Box<Value>>) -> Result<Value> {
    Ok(match ty {
        InterfaceType::Variant(_) => Value::Variant(case, payload),
        InterfaceType::Enum(_) => Value::Enum(case),
        InterfaceType::Option(_) => Value::Option(payload),
        InterfaceType::Result(_) if case == 0 => Value::Result(Ok(payload)),
        InterfaceType::Result(_) => Value::Result(Err(payload)),
        _ => bail!("a value of this type cannot cross the sandbox's border"),
    })
}

/// Loads a value from `bytes`, which are as many as its type has.
fn load(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> Result<Value> {
    macro_rules! scalar {
        ($variant:ident) => {
            Value::$variant(Lift::linear_lift_from_memory(cx, ty, bytes)?)
        };
    }
    let types = cx.types;
    Ok(match ty {
        InterfaceType::Bool => scalar!(Bool),
        InterfaceType::S8 => scalar!(S8),
        InterfaceType::U8 => scalar!(U8),
        InterfaceType::S16 => scalar!(S16),
        InterfaceType::U16 => scalar!(U16),
        InterfaceType::S32 => scalar!(S32),
        InterfaceType::U32 => scalar!(U32),
        InterfaceType::S64 => scalar!(S64),
        InterfaceType::U64 => scalar!(U64),
        InterfaceType::Float32 => scalar!(F32),
        InterfaceType::Float64 => scalar!(F64),
        InterfaceType::Char => scalar!(Char),
        InterfaceType::String => scalar!(String),
        InterfaceType::List(index) => {
            let pair = load_bits(bytes, 8)?;
            let (ptr, len) = (pair as u32 as usize, (pair >> 32) as usize);
            Value::List(load_list(cx, types[index].element, ptr, len)?)
        }
        InterfaceType::Record(index) => {
            let fields = &types[index].fields;
            Value::Record(load_fields(cx, fields.iter().map(|field| field.ty), bytes)?)
        }
        InterfaceType::Tuple(index) => {
            let tuple = &types[index].types;
            Value::Tuple(load_fields(cx, tuple.iter().copied(), bytes)?)
        }
        InterfaceType::Flags(index) => {
            let count = types[index].names.len();
            known_flags(load_bits(bytes, bytes.len())?, count)
        }
        InterfaceType::Variant(index) => load_choice(cx, ty, &types[index].info, bytes)?,
        InterfaceType::Enum(index) => load_choice(cx, ty, &types[index].info, bytes)?,
        InterfaceType::Option(index) => load_choice(cx, ty, &types[index].info, bytes)?,
        InterfaceType::Result(index) => load_choice(cx, ty, &types[index].info, bytes)?,
        _ => bail!("a value of this type cannot cross the sandbox's border"),
    })
}

/// The first `size` bytes as a number: a discriminant, or all flags.
fn load_bits(bytes: &[u8], size: usize) -> Result<u64> {
    let mut word = [0; 8];
    match (word.get_mut(..size), bytes.get(..size)) {
        (Some(word), Some(bytes)) => word.copy_from_slice(bytes),
        _ => bail!("{} bytes instead of {size}", bytes.len()),
    }
    Ok(u64::from_le_bytes(word))
}

fn load_fields(
    cx: &mut LiftContext<'_>,
    fields: impl ExactSizeIterator<Item = InterfaceType>,
    bytes: &[u8],
) -> Result<Vec<Value>> {
    let types = cx.types;
    cx.consume_fuel_array(fields.len(), size_of::<Value>())?;
    let mut values = Vec::with_capacity(fields.len());
    let mut next = 0;
    for ty in fields {
        let abi = types.canonical_abi(&ty);
        let at = abi.next_field32(&mut next) as usize;
        values.push(load(cx, ty, &bytes[at..][..abi.size32 as usize])?);
    }
    Ok(values)
}

fn load_choice(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    info: &VariantInfo,
    bytes: &[u8],
) -> Result<Value> {
    let case = u32::try_from(load_bits(bytes, info.size.into())?)?;
    let payload = match case_payload(cx, ty, case)? {
        Some(ty) => {
            cx.consume_fuel(size_of::<Value>())?;
            let size = cx.types.canonical_abi(&ty).size32 as usize;
            let bytes = &bytes[info.payload_offset32 as usize..][..size];
            Some(Box::new(load(cx, ty, bytes)?))
        }
        None => None,
    };
    chosen(ty, case, payload)
}

fn load_list(
    cx: &mut LiftContext<'_>,
    element: InterfaceType,
    ptr: usize,
    len: usize,
) -> Result<Vec<Value>> {
    let abi = cx.types.canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32 as usize);
    let bytes = len.checked_mul(size).and_then(|bytes| {
        let end = ptr.checked_add(bytes)?;
        cx.memory().get(ptr..end)
    });
    let Some(bytes) = bytes else {
        bail!("list pointer/length out of bounds of memory");
    };
    if !ptr.is_multiple_of(align) {
        bail!("list pointer is not aligned");
    }
    // Charged before it is reserved: elements may be smaller in the guest than here.
    cx.consume_fuel_array(len, size_of::<Value>())?;
    let mut values = Vec::with_capacity(len);
    if let InterfaceType::U8 = element {
        values.extend(bytes.iter().map(|byte| Value::U8(*byte)));
        return Ok(values);
    }
    for index in 0..len {
        values.push(load(cx, element, &bytes[index * size..][..size])?);
    }
    Ok(values)
}
