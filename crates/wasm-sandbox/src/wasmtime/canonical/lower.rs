//! From a tape to core values and guest memory.

use std::mem::MaybeUninit;

use wasmtime::component::__internal::wasmtime_environ::component::VariantInfo;
use wasmtime::component::__internal::{CanonicalAbiInfo, InterfaceType, LowerContext};
use wasmtime::component::Lower;
use wasmtime::{Result, ValRaw, bail};

use super::MAX_FLAT_PARAMS;
use super::scalar::Scalar;
use crate::value::{Reader, Tape};

/// Lowers the parameters of a call: onto the stack, or into memory when they are too many.
pub(super) fn parameters<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    tape: &Tape,
    dst: &mut [ValRaw; MAX_FLAT_PARAMS],
) -> Result<()> {
    let InterfaceType::Tuple(index) = ty else {
        bail!("parameters are a tuple");
    };
    let types = cx.types;
    let tuple = &types[index];
    let mut tape = tape.reader();
    if tuple.abi.flat_count(MAX_FLAT_PARAMS).is_some() {
        let mut flat = Flat { dst, next: 0 };
        let mut params = tuple.types.iter();
        return params.try_for_each(|ty| flat.lower(cx, *ty, &mut tape));
    }
    let ptr = cx.realloc(0, 0, tuple.abi.align32, tuple.abi.size32 as usize)?;
    store_fields(cx, tuple.types.iter().copied(), &mut tape, ptr)?;
    dst[0] = ValRaw::i64(ptr as i64);
    Ok(())
}

/// A case, whatever its type calls it, whose payload comes next on the tape.
struct Choice<'t> {
    case: u32,
    payload: Option<InterfaceType>,
    info: &'t VariantInfo,
    abi: &'t CanonicalAbiInfo,
}

/// Reads the case of a variant, enum, option or result.
fn choice<'t, T>(
    cx: &LowerContext<'t, T>,
    ty: InterfaceType,
    tape: &mut Reader<'_>,
) -> Result<Choice<'t>> {
    let types = cx.types;
    let (case, payload, info, abi) = match ty {
        InterfaceType::Variant(index) => {
            let ty = &types[index];
            let case = tape.case(ty.cases.len())?;
            let payload = ty.cases.get_index(case as usize).and_then(|(_, ty)| *ty);
            (case, payload, &ty.info, &ty.abi)
        }
        InterfaceType::Enum(index) => {
            let ty = &types[index];
            (tape.case(ty.names.len())?, None, &ty.info, &ty.abi)
        }
        InterfaceType::Option(index) => {
            let ty = &types[index];
            let case = tape.case(2)?;
            (case, (case == 1).then_some(ty.ty), &ty.info, &ty.abi)
        }
        InterfaceType::Result(index) => {
            let ty = &types[index];
            let case = tape.case(2)?;
            let payload = if case == 0 { ty.ok } else { ty.err };
            (case, payload, &ty.info, &ty.abi)
        }
        _ => bail!("a value of this type cannot cross the sandbox's border"),
    };
    Ok(Choice {
        case,
        payload,
        info,
        abi,
    })
}

/// The core values of the parameters, as far as they are written.
struct Flat<'d> {
    dst: &'d mut [ValRaw; MAX_FLAT_PARAMS],
    next: usize,
}

impl Flat<'_> {
    #[inline]
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
        tape: &mut Reader<'_>,
    ) -> Result<()> {
        if let Some(scalar) = Scalar::of(ty) {
            return self.push(ValRaw::u64(scalar.to_core(tape.word()?)));
        }
        let types = cx.types;
        match ty {
            InterfaceType::String => {
                let mut pair = MaybeUninit::new([ValRaw::u64(0); 2]);
                tape.text()?.linear_lower_to_flat(cx, ty, &mut pair)?;
                // SAFETY: it was initialised when it was made, and writing does not undo that.
                let [ptr, len] = unsafe { pair.assume_init() };
                self.push(ptr)?;
                self.push(len)
            }
            InterfaceType::List(index) => {
                let (ptr, len) = store_list(cx, types[index].element, tape)?;
                self.push(ValRaw::i64(ptr as i64))?;
                self.push(ValRaw::i64(len as i64))
            }
            InterfaceType::Record(index) => {
                let mut fields = types[index].fields.iter();
                fields.try_for_each(|field| self.lower(cx, field.ty, tape))
            }
            InterfaceType::Tuple(index) => {
                let mut parts = types[index].types.iter();
                parts.try_for_each(|ty| self.lower(cx, *ty, tape))
            }
            InterfaceType::Flags(index) => {
                let bits = tape.word()?;
                let words = types[index].abi.size32.div_ceil(4);
                (0..words).try_for_each(|word| {
                    self.push(ValRaw::u32(bits.checked_shr(word * 32).unwrap_or(0) as u32))
                })
            }
            ty => {
                let choice = choice(cx, ty, tape)?;
                // What the payload does not write stays zero, as the array was made.
                let Some(count) = choice.abi.flat_count(MAX_FLAT_PARAMS) else {
                    bail!("a variant of more core values than the stack has");
                };
                let end = self.next + count;
                self.push(ValRaw::u32(choice.case))?;
                if let Some(ty) = choice.payload {
                    self.lower(cx, ty, tape)?;
                }
                self.next = end;
                Ok(())
            }
        }
    }
}

/// Stores the lowest `size` bytes of `bits`: a scalar, a discriminant or flags.
#[inline]
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

/// Stores parts one after another, each at its alignment.
fn store_fields<T>(
    cx: &mut LowerContext<'_, T>,
    mut fields: impl Iterator<Item = InterfaceType>,
    tape: &mut Reader<'_>,
    offset: usize,
) -> Result<()> {
    let types = cx.types;
    let mut next = offset;
    fields.try_for_each(|ty| {
        let at = types.canonical_abi(&ty).next_field32_size(&mut next);
        store(cx, ty, tape, at)
    })
}

/// Stores a value at `offset`, which is aligned and has room for it.
fn store<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    tape: &mut Reader<'_>,
    offset: usize,
) -> Result<()> {
    if let Some(scalar) = Scalar::of(ty) {
        return store_bits(cx, offset, scalar.size, tape.word()?);
    }
    let types = cx.types;
    match ty {
        InterfaceType::String => tape.text()?.linear_lower_to_memory(cx, ty, offset),
        InterfaceType::List(index) => {
            let (ptr, len) = store_list(cx, types[index].element, tape)?;
            store_bits(cx, offset, 4, u32::try_from(ptr)?.into())?;
            store_bits(cx, offset + 4, 4, u32::try_from(len)?.into())
        }
        InterfaceType::Record(index) => {
            let fields = types[index].fields.iter().map(|field| field.ty);
            store_fields(cx, fields, tape, offset)
        }
        InterfaceType::Tuple(index) => {
            store_fields(cx, types[index].types.iter().copied(), tape, offset)
        }
        InterfaceType::Flags(index) => {
            store_bits(cx, offset, types[index].abi.size32 as usize, tape.word()?)
        }
        ty => {
            let choice = choice(cx, ty, tape)?;
            store_bits(cx, offset, choice.info.size.into(), choice.case.into())?;
            match choice.payload {
                Some(ty) => store(cx, ty, tape, offset + choice.info.payload_offset32 as usize),
                None => Ok(()),
            }
        }
    }
}

/// Allocates a list in the guest and stores its elements.
fn store_list<T>(
    cx: &mut LowerContext<'_, T>,
    element: InterfaceType,
    tape: &mut Reader<'_>,
) -> Result<(usize, usize)> {
    if let InterfaceType::U8 = element {
        let bytes = tape.bytes()?;
        let ptr = cx.realloc(0, 0, 1, bytes.len())?;
        cx.as_slice_mut()[ptr..][..bytes.len()].copy_from_slice(bytes);
        return Ok((ptr, bytes.len()));
    }
    let len = usize::try_from(tape.word()?)?;
    let abi = cx.types.canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32);
    let Some(bytes) = len.checked_mul(size) else {
        bail!("a list of {len} elements has no size");
    };
    let ptr = cx.realloc(0, 0, align, bytes)?;
    for index in 0..len {
        store(cx, element, tape, ptr + index * size)?;
    }
    Ok((ptr, len))
}
