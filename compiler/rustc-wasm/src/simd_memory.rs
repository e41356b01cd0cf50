//! SIMD intrinsics that reach memory through a mask: gather, scatter, masked loads and stores.
//!
//! A lane that the mask leaves out must not touch its address. Its access goes to a stack slot instead, chosen by `select`: for a
//! load the slot holds what the lane is to have, for a store nobody reads it. So no control flow is needed, and every lane costs one
//! `select` and one access.

use crate::builder::Builder;
use crate::ops;
use crate::value::{Type, Value};
use rustc_middle::ty::{GenericArgsRef, SimdAlign};

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// The value of such an intrinsic, by its name without `simd_`; `None` if it is none of them.
    pub(crate) fn simd_memory(
        &mut self,
        name: &str,
        generic: GenericArgsRef<'tcx>,
        values: &[Value],
        result: Type,
    ) -> Option<Value> {
        let &[first, pointers, last] = values else { return None };
        // Gather and scatter take the values first, the others the mask.
        let (data, mask, is_load) = match name {
            "gather" => (first, last, true),
            "scatter" => (first, last, false),
            "masked_load" => (last, first, true),
            "masked_store" => (last, first, false),
            _ => return None,
        };
        let (elem, count) = self.vector_type_of(data);
        // Every access is of one lane, so that the alignment of a whole vector says no more than that of an element.
        let aligned = name == "gather"
            || name == "scatter"
            || !matches!(generic[3].expect_const().to_branch()[0].to_leaf().to_simd_alignment(), SimdAlign::Unaligned);
        let align = if aligned { ops::log2(elem.bytes()) } else { 0 };
        let pointers = match self.cx.type_of(pointers) {
            Type::Vector(..) => self.to_lanes(pointers),
            _ => (0..count as u64).map(|lane| self.offset(pointers, lane * elem.bytes())).collect(),
        };
        let (masks, lanes) = (self.to_lanes(mask), self.to_lanes(data));
        // One slot does for all stores; a load needs the value of its own lane.
        let slot = self.alloca_bytes(elem.bytes() as u32, 4);
        let mut loaded = Vec::with_capacity(count);
        for ((pointer, mask), lane) in pointers.into_iter().zip(masks).zip(lanes) {
            let bit = self.mask_bit(mask);
            let at = self.select_value(bit, pointer, slot);
            if is_load {
                self.store_value(lane, slot, align, false);
                loaded.push(self.load_value(Type::Scalar(elem), at, align, false));
            } else {
                self.store_value(lane, at, align, false);
            }
        }
        match (is_load, result) {
            (true, Type::Vector(elem, _)) => Some(self.from_lanes(elem, loaded)),
            _ => Some(Value::Void),
        }
    }
}
