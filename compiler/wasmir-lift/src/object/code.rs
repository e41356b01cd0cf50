//! Relocations of code against the code: each stands on an index or number of its kind, and calls what the code was validated with.

use rustc_hash::FxHashMap;
use wasmir::entity::packed_option::PackedOption;
use wasmir::{Func, FuncBody, Item, RelocKind, RelocTarget, TypeId, Unit, raw};

use super::{Reader, invalid};
use crate::LiftError;

impl Reader<'_> {
    /// Each relocation of code stands on an index or number of its kind.
    pub(super) fn relocations_fit(&self) -> Result<(), LiftError> {
        for data in self.module.funcs.values() {
            let FuncBody::Raw(raw) = &data.body else {
                continue;
            };
            // What is no sequence of operators was refused when the module was validated.
            if let Ok(Some(offset)) = raw::misplaced_reloc(&raw.bytes, &raw.relocs) {
                let offset = u64::from(raw.code_offset) + u64::from(offset);
                return Err(invalid("a relocation on nothing of its kind", offset));
            }
        }
        Ok(())
    }

    /// Gives calls of a function's second symbol a number of their own, since raw bodies name functions by number.
    pub(super) fn call_copies(&mut self) -> Result<(), LiftError> {
        let types: Vec<TypeId> = self.module.funcs.values().map(|func| func.ty).collect();
        let mut numbers: FxHashMap<(Unit, Func), u32> = FxHashMap::default();
        for data in self.module.funcs.values_mut() {
            let FuncBody::Raw(raw) = &mut data.body else {
                continue;
            };
            let unit = &mut self.module.units[raw.unit];
            let mut patched: Option<Vec<u8>> = None;
            for reloc in &raw.relocs {
                let (RelocKind::FunctionIndexLeb, RelocTarget::Item(Item::Func(target))) =
                    (reloc.kind, reloc.target)
                else {
                    continue;
                };
                let at = reloc.offset as usize;
                let Some(field) = raw.bytes.get(at..at + 5) else {
                    continue;
                };
                let number = field
                    .iter()
                    .rev()
                    .fold(0u64, |n, byte| n << 7 | u64::from(byte & 0x7f));
                let named = unit.funcs.get(number as usize).copied();
                let named = named.and_then(PackedOption::expand);
                if named == Some(target) {
                    continue;
                }
                // The code was validated with the function that the number names.
                let type_of = |func: Func| types[func.as_u32() as usize];
                if named.is_none_or(|named| type_of(named) != type_of(target)) {
                    let offset = u64::from(raw.code_offset) + u64::from(reloc.offset);
                    return Err(invalid(
                        "a relocation to a function of another type than the code calls",
                        offset,
                    ));
                }
                let number = *numbers.entry((raw.unit, target)).or_insert_with(|| {
                    unit.funcs.push(Some(target).into());
                    unit.funcs.len() as u32 - 1
                });
                let bytes = patched.get_or_insert_with(|| raw.bytes.to_vec());
                for (i, byte) in bytes[at..at + 5].iter_mut().enumerate() {
                    let more = if i < 4 { 0x80 } else { 0 };
                    *byte = (number >> (7 * i)) as u8 & 0x7f | more;
                }
            }
            if let Some(bytes) = patched {
                raw.bytes = bytes.into();
            }
        }
        Ok(())
    }
}
