//! From our values to core values and guest memory.

use std::mem::MaybeUninit;

use wasmtime::component::__internal::wasmtime_environ::component::VariantInfo;
use wasmtime::component::__internal::{CanonicalAbiInfo, InterfaceType, LowerContext};
use wasmtime::component::Lower;
use wasmtime::{Result, ValRaw, bail};

use super::MAX_FLAT_PARAMS;
use crate::value::Value;

/// Lowers the parameters of a call: onto the stack, or into memory when they are too many.
pub(super) fn parameters<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    values: &[Value],
    dst: &mut [ValRaw; MAX_FLAT_PARAMS],
) -> Result<()> {
    let InterfaceType::Tuple(index) = ty else {
        bail!("parameters are a tuple");
    };
    let types = cx.types;
    let tuple = &types[index];
    if tuple.types.len() != values.len() {
        bail!(
            "expected {} arguments, got {}",
            tuple.types.len(),
            values.len()
        );
    }
    if tuple.abi.flat_count(MAX_FLAT_PARAMS).is_some() {
        let mut flat = Flat { dst, next: 0 };
        return each(values, &tuple.types, |value, ty| flat.lower(cx, *ty, value));
    }
    let ptr = cx.realloc(0, 0, tuple.abi.align32, tuple.abi.size32 as usize)?;
    let mut offset = ptr;
    each(values, &tuple.types, |value, ty| {
        let at = types.canonical_abi(ty).next_field32_size(&mut offset);
        store(cx, *ty, value, at)
    })?;
    dst[0] = ValRaw::i64(ptr as i64);
    Ok(())
}

/// Walks over values and their types, of which the caller has seen that they are as many.
fn each<'t, I>(
    values: &[Value],
    types: I,
    mut lower: impl FnMut(&Value, I::Item) -> Result<()>,
) -> Result<()>
where
    I: IntoIterator<Item: 't>,
{
    values
        .iter()
        .zip(types)
        .try_for_each(|(value, ty)| lower(value, ty))
}

#[cold]
fn mismatch(value: &Value) -> Result<()> {
    bail!("a value of another type: {value:?}")
}

/// A payload as far as it is one: its value and its type.
type Payload<'v> = Option<(&'v Value, InterfaceType)>;

/// A value that is one of several cases, whatever its type calls them.
struct Choice<'v, 't> {
    case: u32,
    payload: Payload<'v>,
    info: &'t VariantInfo,
    abi: &'t CanonicalAbiInfo,
}

/// The case and payload of a variant, enum, option or result; [`None`] for other values, and when
/// there is no such case or it has another payload.
fn choice<'v, 't, T>(
    cx: &LowerContext<'t, T>,
    ty: InterfaceType,
    value: &'v Value,
) -> Option<Choice<'v, 't>> {
    let types = cx.types;
    let payload = |value: &'v Option<Box<Value>>, ty: Option<InterfaceType>| match (value, ty) {
        (None, None) => Some(None),
        (Some(value), Some(ty)) => Some(Some((&**value, ty))),
        _ => None,
    };
    Some(match (ty, value) {
        (InterfaceType::Variant(index), Value::Variant(case, value)) => {
            let ty = &types[index];
            let (_, case_ty) = ty.cases.get_index(*case as usize)?;
            Choice {
                case: *case,
                payload: payload(value, *case_ty)?,
                info: &ty.info,
                abi: &ty.abi,
            }
        }
        (InterfaceType::Enum(index), Value::Enum(case)) => {
            let ty = &types[index];
            if *case as usize >= ty.names.len() {
                return None;
            }
            Choice {
                case: *case,
                payload: None,
                info: &ty.info,
                abi: &ty.abi,
            }
        }
        (InterfaceType::Option(index), Value::Option(value)) => {
            let ty = &types[index];
            Choice {
                case: u32::from(value.is_some()),
                payload: value.as_deref().map(|value| (value, ty.ty)),
                info: &ty.info,
                abi: &ty.abi,
            }
        }
        (InterfaceType::Result(index), Value::Result(value)) => {
            let ty = &types[index];
            let (case, payload) = match value {
                Ok(value) => (0, payload(value, ty.ok)?),
                Err(value) => (1, payload(value, ty.err)?),
            };
            Choice {
                case,
                payload,
                info: &ty.info,
                abi: &ty.abi,
            }
        }
        _ => return None,
    })
}

/// The core values of the parameters, as far as they are written.
struct Flat<'d> {
    dst: &'d mut [ValRaw; MAX_FLAT_PARAMS],
    next: usize,
}

impl Flat<'_> {
    fn push(&mut self, raw: ValRaw) -> Result<()> {
        let Some(slot) = self.dst.get_mut(self.next) else {
            bail!("more core values than the type has");
        };
        *slot = raw;
        self.next += 1;
        Ok(())
    }

    fn lower<T>(
        &mut self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        value: &Value,
    ) -> Result<()> {
        let types = cx.types;
        match (ty, value) {
            (InterfaceType::Bool, Value::Bool(value)) => self.push(ValRaw::i32((*value).into())),
            (InterfaceType::S8, Value::S8(value)) => self.push(ValRaw::i32((*value).into())),
            (InterfaceType::U8, Value::U8(value)) => self.push(ValRaw::u32((*value).into())),
            (InterfaceType::S16, Value::S16(value)) => self.push(ValRaw::i32((*value).into())),
            (InterfaceType::U16, Value::U16(value)) => self.push(ValRaw::u32((*value).into())),
            (InterfaceType::S32, Value::S32(value)) => self.push(ValRaw::i32(*value)),
            (InterfaceType::U32, Value::U32(value)) => self.push(ValRaw::u32(*value)),
            (InterfaceType::S64, Value::S64(value)) => self.push(ValRaw::i64(*value)),
            (InterfaceType::U64, Value::U64(value)) => self.push(ValRaw::u64(*value)),
            (InterfaceType::Float32, Value::F32(value)) => self.push(ValRaw::f32(value.to_bits())),
            (InterfaceType::Float64, Value::F64(value)) => self.push(ValRaw::f64(value.to_bits())),
            (InterfaceType::Char, Value::Char(value)) => self.push(ValRaw::u32((*value).into())),
            (InterfaceType::String, Value::String(text)) => {
                let mut pair = MaybeUninit::new([ValRaw::u64(0); 2]);
                text.linear_lower_to_flat(cx, ty, &mut pair)?;
                // SAFETY: it was initialised when it was made, and writing does not undo that.
                let [ptr, len] = unsafe { pair.assume_init() };
                self.push(ptr)?;
                self.push(len)
            }
            (InterfaceType::List(index), Value::List(values)) => {
                let (ptr, len) = store_list(cx, types[index].element, values)?;
                self.push(ValRaw::i64(ptr as i64))?;
                self.push(ValRaw::i64(len as i64))
            }
            (InterfaceType::Record(index), Value::Record(values)) => {
                let fields = &types[index].fields;
                if fields.len() != values.len() {
                    return mismatch(value);
                }
                each(values, fields, |value, field| {
                    self.lower(cx, field.ty, value)
                })
            }
            (InterfaceType::Tuple(index), Value::Tuple(values)) => {
                let tuple = &types[index].types;
                if tuple.len() != values.len() {
                    return mismatch(value);
                }
                each(values, tuple, |value, ty| self.lower(cx, *ty, value))
            }
            (InterfaceType::Flags(index), Value::Flags(bits)) => {
                let words = types[index].abi.size32.div_ceil(4);
                (0..words).try_for_each(|word| {
                    self.push(ValRaw::u32(bits.checked_shr(word * 32).unwrap_or(0) as u32))
                })
            }
            (ty, value) => {
                let Some(choice) = choice(cx, ty, value) else {
                    return mismatch(value);
                };
                // What the payload does not write stays zero, as the array was made.
                let Some(count) = choice.abi.flat_count(MAX_FLAT_PARAMS) else {
                    bail!("a variant of more core values than the stack has");
                };
                let end = self.next + count;
                self.push(ValRaw::u32(choice.case))?;
                if let Some((payload, ty)) = choice.payload {
                    self.lower(cx, ty, payload)?;
                }
                self.next = end;
                Ok(())
            }
        }
    }
}

/// Stores the lowest `size` bytes of `bits`: the size of a discriminant or of flags.
fn store_bits<T>(
    cx: &mut LowerContext<'_, T>,
    offset: usize,
    size: usize,
    bits: u64,
) -> Result<()> {
    let bytes = bits.to_le_bytes();
    match (cx.as_slice_mut().get_mut(offset..), bytes.get(..size)) {
        (Some(dst), Some(bytes)) if dst.len() >= size => dst[..size].copy_from_slice(bytes),
        _ => bail!("{size} bytes do not fit at {offset}"),
    }
    Ok(())
}

/// Stores a value at `offset`, which is aligned and has room for it.
fn store<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    value: &Value,
    offset: usize,
) -> Result<()> {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Value::Bool(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::S8, Value::S8(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::U8, Value::U8(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::S16, Value::S16(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::U16, Value::U16(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::S32, Value::S32(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::U32, Value::U32(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::S64, Value::S64(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::U64, Value::U64(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::Float32, Value::F32(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::Float64, Value::F64(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::Char, Value::Char(value)) => value.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::String, Value::String(text)) => text.linear_lower_to_memory(cx, ty, offset),
        (InterfaceType::List(index), Value::List(values)) => {
            let (ptr, len) = store_list(cx, types[index].element, values)?;
            *cx.get(offset) = u32::try_from(ptr)?.to_le_bytes();
            *cx.get(offset + 4) = u32::try_from(len)?.to_le_bytes();
            Ok(())
        }
        (InterfaceType::Record(index), Value::Record(values)) => {
            let fields = &types[index].fields;
            if fields.len() != values.len() {
                return mismatch(value);
            }
            let mut next = offset;
            each(values, fields, |value, field| {
                let at = types.canonical_abi(&field.ty).next_field32_size(&mut next);
                store(cx, field.ty, value, at)
            })
        }
        (InterfaceType::Tuple(index), Value::Tuple(values)) => {
            let tuple = &types[index].types;
            if tuple.len() != values.len() {
                return mismatch(value);
            }
            let mut next = offset;
            each(values, tuple, |value, ty| {
                let at = types.canonical_abi(ty).next_field32_size(&mut next);
                store(cx, *ty, value, at)
            })
        }
        (InterfaceType::Flags(index), Value::Flags(bits)) => {
            store_bits(cx, offset, types[index].abi.size32 as usize, *bits)
        }
        (ty, value) => {
            let Some(choice) = choice(cx, ty, value) else {
                return mismatch(value);
            };
            store_bits(cx, offset, choice.info.size.into(), choice.case.into())?;
            match choice.payload {
                Some((payload, ty)) => {
                    let at = offset + choice.info.payload_offset32 as usize;
                    store(cx, ty, payload, at)
                }
                None => Ok(()),
            }
        }
    }
}

/// Allocates a list in the guest and stores its elements.
fn store_list<T>(
    cx: &mut LowerContext<'_, T>,
    element: InterfaceType,
    values: &[Value],
) -> Result<(usize, usize)> {
    let abi = cx.types.canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32);
    let Some(bytes) = values.len().checked_mul(size) else {
        bail!("a list of {} elements has no size", values.len());
    };
    let ptr = cx.realloc(0, 0, align, bytes)?;
    if let InterfaceType::U8 = element {
        let dst = &mut cx.as_slice_mut()[ptr..][..bytes];
        for (slot, value) in dst.iter_mut().zip(values) {
            match value {
                Value::U8(byte) => *slot = *byte,
                other => mismatch(other)?,
            }
        }
    } else {
        for (index, value) in values.iter().enumerate() {
            store(cx, element, value, ptr + index * size)?;
        }
    }
    Ok((ptr, values.len()))
}
