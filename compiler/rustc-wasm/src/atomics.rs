//! Atomic operations.
//!
//! Without the `atomics` target feature there is one thread, and each atomic operation is the plain sequence of a load,
//! a computation and a store, as LLVM does for single-threaded targets. With the feature they are reported as
//! unsupported.

use crate::builder::Builder;
use crate::ops::IntOp;
use crate::value::{Scalar, Type, Value};
use rustc_abi::Size;
use rustc_codegen_ssa::common::{AtomicRmwBinOp, IntPredicate};
use rustc_codegen_ssa::traits::BuilderMethods;
use rustc_span::sym;

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// Reports atomics that threads could observe.
    pub(crate) fn atomic_check(&self) {
        if self.cx.tcx.sess.unstable_target_features.contains(&sym::atomics) {
            self.cx.unsupported(self.span, "atomic operations together with threads");
        }
    }

    /// Loads atomically.
    pub(crate) fn atomic_load_value(&mut self, ty: Type, pointer: Value, size: Size) -> Value {
        self.atomic_check();
        self.load_value(ty, pointer, size.bytes().trailing_zeros() as u8, false)
    }

    /// Stores atomically.
    pub(crate) fn atomic_store_value(&mut self, value: Value, pointer: Value, size: Size) {
        self.atomic_check();
        self.store_value(value, pointer, size.bytes().trailing_zeros() as u8, false);
    }

    /// Stores `new` if the memory holds `expected`; gives back what it held and whether it stored.
    pub(crate) fn atomic_exchange_if(&mut self, pointer: Value, expected: Value, new: Value) -> (Value, Value) {
        self.atomic_check();
        let ty = self.cx.type_of(expected);
        let align = ty.stride().trailing_zeros() as u8;
        let old = self.load_value(ty, pointer, align, false);
        let same = self.compare(IntPredicate::IntEQ, old, expected);
        let (store, after) = (self.new_block(), self.new_block());
        let cond = self.use_value(same);
        self.branch(cond, store, after);
        self.switch_to_block(store);
        self.store_value(new, pointer, align, false);
        self.jump(after);
        self.switch_to_block(after);
        (old, same)
    }

    /// Replaces the memory by `op` of it and `operand`; gives back what it held.
    pub(crate) fn atomic_update(
        &mut self,
        op: AtomicRmwBinOp,
        pointer: Value,
        operand: Value,
        is_pointer: bool,
    ) -> Value {
        self.atomic_check();
        let ty = if is_pointer { Type::PTR } else { self.cx.type_of(operand) };
        let align = ty.stride().trailing_zeros() as u8;
        let old = self.load_value(ty, pointer, align, false);
        let operand = match ty {
            Type::Scalar(Scalar::Ptr) => self.cast_int(operand, ty, false),
            _ => operand,
        };
        let pick = |bx: &mut Self, pred| {
            let keep = bx.compare(pred, old, operand);
            bx.select_value(keep, old, operand)
        };
        let new = match op {
            AtomicRmwBinOp::AtomicXchg => operand,
            AtomicRmwBinOp::AtomicAdd => self.int_op(IntOp::Add, old, operand),
            AtomicRmwBinOp::AtomicSub => self.int_op(IntOp::Sub, old, operand),
            AtomicRmwBinOp::AtomicAnd => self.int_op(IntOp::And, old, operand),
            AtomicRmwBinOp::AtomicOr => self.int_op(IntOp::Or, old, operand),
            AtomicRmwBinOp::AtomicXor => self.int_op(IntOp::Xor, old, operand),
            AtomicRmwBinOp::AtomicNand => {
                let and = self.int_op(IntOp::And, old, operand);
                self.not(and)
            }
            AtomicRmwBinOp::AtomicMax => pick(self, IntPredicate::IntSGT),
            AtomicRmwBinOp::AtomicMin => pick(self, IntPredicate::IntSLT),
            AtomicRmwBinOp::AtomicUMax => pick(self, IntPredicate::IntUGT),
            AtomicRmwBinOp::AtomicUMin => pick(self, IntPredicate::IntULT),
        };
        self.store_value(new, pointer, align, false);
        old
    }
}
