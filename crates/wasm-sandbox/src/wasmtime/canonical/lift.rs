//! From core values and guest memory to a tape. Everything here was chosen by the guest.

use wasmtime::component::__internal::wasmtime_environ::component::{StringEncoding, VariantInfo};
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::component::Lift;
use wasmtime::{Result, ValRaw, bail};

use super::MAX_FLAT_RESULTS;
use super::scalar::Scalar;
use crate::value::{Tape, Value};

/// What a part of a value is charged with: it may become a [`Value`].
const CHARGE: usize = size_of::<Value>();

/// Lifts the result of a call: from the stack, or from memory when it is too large.
pub(super) fn results(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    src: &[ValRaw; MAX_FLAT_RESULTS],
) -> Result<Tape> {
    let InterfaceType::Tuple(index) = ty else {
        bail!("results are a tuple");
    };
    let types = cx.types;
    let tuple = &types[index];
    let ty = match *tuple.types {
        [] => return Ok(Tape::default()),
        [ty] => ty,
        _ => bail!("a component's function has one result at most"),
    };
    let mut tape = Tape::new();
    if tuple.abi.flat_count(MAX_FLAT_RESULTS).is_some() {
        Flat { src, next: 0 }.lift(cx, ty, &mut tape)?;
        return Ok(tape);
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
    load(cx, ty, bytes, &mut tape)?;
    Ok(tape)
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

    /// Lifts a value of so few core values: a scalar, a choice without payloads, flags, or one of those
    /// alone in a record.
    fn lift(&mut self, cx: &mut LiftContext<'_>, ty: InterfaceType, tape: &mut Tape) -> Result<()> {
        if let Some(scalar) = Scalar::of(ty) {
            let raw = self.pull()?;
            let raw = match scalar.size {
                8 => raw.get_u64(),
                _ => raw.get_u32().into(),
            };
            tape.word(scalar.to_word(raw)?);
            return Ok(());
        }
        let types = cx.types;
        match ty {
            InterfaceType::Record(index) => {
                let fields = &types[index].fields;
                cx.consume_fuel_array(fields.len(), CHARGE)?;
                let mut fields = fields.iter();
                fields.try_for_each(|field| self.lift(cx, field.ty, tape))
            }
            InterfaceType::Tuple(index) => {
                let parts = &types[index].types;
                cx.consume_fuel_array(parts.len(), CHARGE)?;
                parts.iter().try_for_each(|ty| self.lift(cx, *ty, tape))
            }
            InterfaceType::Flags(index) => {
                let count = types[index].names.len();
                let bits = if count == 0 {
                    0
                } else {
                    self.pull()?.get_u32()
                };
                tape.word(known_flags(bits.into(), count));
                Ok(())
            }
            ty => {
                let case = self.pull()?.get_u32();
                match write_case(cx, ty, case, tape)? {
                    Some(ty) => self.lift(cx, ty, tape),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The flags that the type has; the ABI says to ignore the others.
fn known_flags(bits: u64, count: usize) -> u64 {
    let known = u32::try_from(count)
        .ok()
        .and_then(|count| 1u64.checked_shl(count))
        .map_or(u64::MAX, |end| end - 1);
    bits & known
}

/// Writes a case, and answers with its payload's type; an error when there is no such case.
fn write_case(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    case: u32,
    tape: &mut Tape,
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
    let Some(payload) = found else {
        bail!("discriminant {case} out of range [0..{count})");
    };
    tape.word(case.into());
    if payload.is_some() {
        cx.consume_fuel(CHARGE)?;
    }
    Ok(payload)
}

/// Loads a value from `bytes`, which are as many as its type has.
fn load(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8], tape: &mut Tape) -> Result<()> {
    if let Some(scalar) = Scalar::of(ty) {
        tape.word(scalar.to_word(load_bits(bytes, scalar.size)?)?);
        return Ok(());
    }
    let types = cx.types;
    match ty {
        InterfaceType::String => load_text(cx, bytes, tape),
        InterfaceType::List(index) => load_list(cx, types[index].element, bytes, tape),
        InterfaceType::Record(index) => {
            let fields = types[index].fields.iter().map(|field| field.ty);
            load_fields(cx, fields, bytes, tape)
        }
        InterfaceType::Tuple(index) => {
            load_fields(cx, types[index].types.iter().copied(), bytes, tape)
        }
        InterfaceType::Flags(index) => {
            let count = types[index].names.len();
            tape.word(known_flags(load_bits(bytes, bytes.len())?, count));
            Ok(())
        }
        InterfaceType::Variant(index) => load_choice(cx, ty, &types[index].info, bytes, tape),
        InterfaceType::Enum(index) => load_choice(cx, ty, &types[index].info, bytes, tape),
        InterfaceType::Option(index) => load_choice(cx, ty, &types[index].info, bytes, tape),
        InterfaceType::Result(index) => load_choice(cx, ty, &types[index].info, bytes, tape),
        _ => bail!("a value of this type cannot cross the sandbox's border"),
    }
}

/// The first `size` bytes as a number: a scalar, a discriminant, or all flags.
#[inline]
fn load_bits(bytes: &[u8], size: usize) -> Result<u64> {
    let mut word = [0; 8];
    match (word.get_mut(..size), bytes.get(..size)) {
        (Some(word), Some(bytes)) => word.copy_from_slice(bytes),
        _ => bail!("{} bytes instead of {size}", bytes.len()),
    }
    Ok(u64::from_le_bytes(word))
}

/// The address and the length of a string or list.
fn load_pair(bytes: &[u8]) -> Result<(usize, usize)> {
    let pair = load_bits(bytes, 8)?;
    Ok((pair as u32 as usize, (pair >> 32) as usize))
}

fn load_text(cx: &mut LiftContext<'_>, bytes: &[u8], tape: &mut Tape) -> Result<()> {
    if cx.options().string_encoding != StringEncoding::Utf8 {
        let text = String::linear_lift_from_memory(cx, InterfaceType::String, bytes)?;
        tape.bytes(text.as_bytes());
        return Ok(());
    }
    let (ptr, len) = load_pair(bytes)?;
    let memory = cx.memory();
    let Some(bytes) = memory.get(ptr..).and_then(|bytes| bytes.get(..len)) else {
        bail!("string pointer/length out of bounds of memory");
    };
    cx.consume_fuel(len)?;
    tape.bytes(str::from_utf8(bytes)?.as_bytes());
    Ok(())
}

fn load_fields(
    cx: &mut LiftContext<'_>,
    fields: impl ExactSizeIterator<Item = InterfaceType>,
    bytes: &[u8],
    tape: &mut Tape,
) -> Result<()> {
    let types = cx.types;
    cx.consume_fuel_array(fields.len(), CHARGE)?;
    let mut next = 0;
    for ty in fields {
        let abi = types.canonical_abi(&ty);
        let at = abi.next_field32(&mut next) as usize;
        load(cx, ty, &bytes[at..][..abi.size32 as usize], tape)?;
    }
    Ok(())
}

fn load_choice(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    info: &VariantInfo,
    bytes: &[u8],
    tape: &mut Tape,
) -> Result<()> {
    let case = u32::try_from(load_bits(bytes, info.size.into())?)?;
    match write_case(cx, ty, case, tape)? {
        Some(ty) => {
            let size = cx.types.canonical_abi(&ty).size32 as usize;
            let bytes = &bytes[info.payload_offset32 as usize..][..size];
            load(cx, ty, bytes, tape)
        }
        None => Ok(()),
    }
}

fn load_list(
    cx: &mut LiftContext<'_>,
    element: InterfaceType,
    bytes: &[u8],
    tape: &mut Tape,
) -> Result<()> {
    let (ptr, len) = load_pair(bytes)?;
    let abi = cx.types.canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32 as usize);
    let memory = cx.memory();
    let bytes = len
        .checked_mul(size)
        .and_then(|bytes| memory.get(ptr..)?.get(..bytes));
    let Some(bytes) = bytes else {
        bail!("list pointer/length out of bounds of memory");
    };
    if !ptr.is_multiple_of(align) {
        bail!("list pointer is not aligned");
    }
    // Charged before it is reserved: elements may be smaller in the guest than here.
    cx.consume_fuel_array(len, CHARGE)?;
    if let InterfaceType::U8 = element {
        tape.bytes(bytes);
        return Ok(());
    }
    tape.word(len as u64);
    for index in 0..len {
        load(cx, element, &bytes[index * size..][..size], tape)?;
    }
    Ok(())
}
