//! Conversions between integers, floats and pointers.

use super::Builder;
use super::arith::is_double;
use super::soft::is_soft;
use crate::ops::{self, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_codegen_ssa::common::IntPredicate;
use rustc_middle::bug;
use wasmir::{Opcode, Type as W};

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// An integer, truth value or pointer as another one, extended by zeros or by its sign, or cut.
    pub(crate) fn cast_int(&mut self, value: Value, to: Type, signed: bool) -> Value {
        let from = self.scalar_of(value);
        let Type::Scalar(to) = to else { bug!("a conversion of an integer to {to:?}") };
        if from == to {
            return value;
        }
        match value {
            Value::Const(_, bits) => {
                let unused = 128 - from.bits();
                let bits = if signed { (((bits << unused) as i128) >> unused) as u128 } else { bits };
                return Value::Const(to, bits & to.mask());
            }
            Value::Undef(_) => return Value::Undef(Type::Scalar(to)),
            Value::Addr(_, item, addend) if to.wir() == W::I32 && to != Scalar::Bool => {
                return Value::Addr(to, item, addend);
            }
            _ => {}
        }
        let local = self.use_value(value);
        // A truth value converts as the one bit it is.
        if from == Scalar::Bool {
            let local = if signed {
                let zero = self.i32(0);
                self.binary(Opcode::I32Sub, W::I32, zero, local)
            } else {
                local
            };
            let converted = match to.wir() {
                W::I32 => local,
                ty @ (W::I8 | W::I16) => self.convert(ops::wrap(W::I32, ty), ty, local),
                ty => self.convert(ops::extend(W::I32, ty, signed), ty, local),
            };
            return self.value(to, converted);
        }
        if to == Scalar::Bool {
            let word = match from.wir() {
                W::I32 => local,
                ty @ (W::I8 | W::I16) => self.convert(ops::extend(ty, W::I32, false), W::I32, local),
                ty => self.convert(ops::wrap(ty, W::I32), W::I32, local),
            };
            let one = self.i32(1);
            let bit = self.binary(Opcode::I32And, W::I32, word, one);
            return self.value(to, bit);
        }
        let (f, t) = (from.wir(), to.wir());
        let converted = if from.bits() < to.bits() {
            self.convert(ops::extend(f, t, signed), t, local)
        } else {
            self.convert(ops::wrap(f, t), t, local)
        };
        self.value(to, converted)
    }

    fn convert(&self, op: Option<Opcode>, ty: W, local: wasmir::Local) -> wasmir::Local {
        match op {
            Some(op) => self.unary(op, ty, local),
            None => local,
        }
    }

    /// A byte known to be 0 or 1 as a truth value.
    pub(crate) fn byte_to_bool(&mut self, value: Value) -> Value {
        match value {
            Value::Const(_, bits) => Value::Const(Scalar::Bool, bits & 1),
            Value::Undef(_) => Value::Undef(Type::BOOL),
            _ => {
                let word = self.widen(value, false);
                self.value(Scalar::Bool, word)
            }
        }
    }

    /// A float as an integer, saturating; NaN becomes 0.
    pub(crate) fn float_to_int(&mut self, value: Value, to: Type, signed: bool) -> Value {
        let from = self.scalar_of(value);
        let Type::Scalar(to_scalar) = to else {
            self.cx.unsupported(self.span, "conversions of vectors");
            return Value::Undef(to);
        };
        if from == Scalar::F16 {
            let single = self.soft_to_float(value, Scalar::F32);
            return self.float_to_int(single, to, signed);
        }
        if from == Scalar::F128 {
            let whole = self.quad_to_int(value, to_scalar.bits(), signed);
            return self.clamp(whole, to_scalar, signed);
        }
        let double = is_double(from);
        if to_scalar.wir() == W::I128 {
            // The run-time library's conversions saturate.
            let name = match (signed, double) {
                (true, false) => "__fixsfti",
                (true, true) => "__fixdfti",
                (false, false) => "__fixunssfti",
                (false, true) => "__fixunsdfti",
            };
            return self.call_runtime(name, &[Type::Scalar(from)], to, &[value]);
        }
        let wide = to_scalar.wir() == W::I64;
        let op = match (wide, double, signed) {
            (false, false, true) => Opcode::I32TruncSatF32S,
            (false, false, false) => Opcode::I32TruncSatF32U,
            (false, true, true) => Opcode::I32TruncSatF64S,
            (false, true, false) => Opcode::I32TruncSatF64U,
            (true, false, true) => Opcode::I64TruncSatF32S,
            (true, false, false) => Opcode::I64TruncSatF32U,
            (true, true, true) => Opcode::I64TruncSatF64S,
            (true, true, false) => Opcode::I64TruncSatF64U,
        };
        let local = self.use_value(value);
        let result = self.unary(op, if wide { W::I64 } else { W::I32 }, local);
        let result = self.value(Scalar::Int(if wide { 64 } else { 32 }), result);
        self.clamp(result, to_scalar, signed)
    }

    /// An integer at least as wide as `to` as one that saturates at the limits of `to`, which are its own from 32 bits on.
    fn clamp(&mut self, word: Value, to: Scalar, signed: bool) -> Value {
        let bits = to.bits();
        if bits >= 32 {
            return self.cast_int(word, Type::Scalar(to), signed);
        }
        let (low, high, less, greater) = if signed {
            let high = (1u128 << (bits - 1)) - 1;
            (Some(!high & 0xffff_ffff), high, IntPredicate::IntSLT, IntPredicate::IntSGT)
        } else {
            (None, to.mask(), IntPredicate::IntULT, IntPredicate::IntUGT)
        };
        let mut clamped = word;
        let bounds = [(Some(high), greater), (low, less)];
        for (bound, pred) in bounds {
            let Some(bound) = bound else { continue };
            let bound = Value::Const(Scalar::Int(32), bound);
            let outside = self.compare(pred, clamped, bound);
            clamped = self.select_value(outside, bound, clamped);
        }
        self.cast_int(clamped, Type::Scalar(to), false)
    }

    /// An integer as a float.
    pub(crate) fn int_to_float(&mut self, value: Value, to: Type, signed: bool) -> Value {
        let Type::Scalar(to_scalar) = to else {
            self.cx.unsupported(self.span, "conversions of vectors");
            return Value::Undef(to);
        };
        if is_soft(to_scalar) {
            return self.int_to_soft(value, to_scalar, signed);
        }
        let double = is_double(to_scalar);
        let from = self.scalar_of(value);
        if from.wir() == W::I128 {
            let name = match (signed, double) {
                (true, false) => "__floattisf",
                (true, true) => "__floattidf",
                (false, false) => "__floatuntisf",
                (false, true) => "__floatuntidf",
            };
            return self.call_runtime(name, &[Type::I128], to, &[value]);
        }
        let wide = from.wir() == W::I64;
        let op = match (wide, double, signed) {
            (false, false, true) => Opcode::F32ConvertI32S,
            (false, false, false) => Opcode::F32ConvertI32U,
            (false, true, true) => Opcode::F64ConvertI32S,
            (false, true, false) => Opcode::F64ConvertI32U,
            (true, false, true) => Opcode::F32ConvertI64S,
            (true, false, false) => Opcode::F32ConvertI64U,
            (true, true, true) => Opcode::F64ConvertI64S,
            (true, true, false) => Opcode::F64ConvertI64U,
        };
        let local = self.widen(value, signed);
        let result = self.unary(op, to_scalar.wir(), local);
        self.value(to_scalar, result)
    }

    /// One format of floats as another.
    pub(crate) fn float_to_float(&mut self, value: Value, to: Type) -> Value {
        let from = self.scalar_of(value);
        match (from, to) {
            (Scalar::F64, Type::Scalar(Scalar::F32)) => {
                let local = self.use_value(value);
                let result = self.unary(Opcode::F32DemoteF64, W::F32, local);
                self.value(Scalar::F32, result)
            }
            (Scalar::F32, Type::Scalar(Scalar::F64)) => {
                let local = self.use_value(value);
                let result = self.unary(Opcode::F64PromoteF32, W::F64, local);
                self.value(Scalar::F64, result)
            }
            (from, Type::Scalar(to)) if from == to => value,
            (from, Type::Scalar(to)) if is_soft(from) || is_soft(to) => self.soft_to_float(value, to),
            (from, to) => bug!("a conversion of the float {from:?} to {to:?}"),
        }
    }

    /// The same bits as another type of the same size.
    pub(super) fn reinterpret(&mut self, value: Value, to: Type) -> Value {
        let from = self.cx.type_of(value);
        if from == to {
            return value;
        }
        let (Type::Scalar(f), Type::Scalar(t)) = (from, to) else {
            return match (from, to) {
                (Type::Vector(..), Type::Vector(..)) if from.stride() == 16 => Value::Local(to, self.use_value(value)),
                _ => self.through_memory(value, to),
            };
        };
        if let Value::Const(_, bits) = value {
            return Value::Const(t, bits);
        }
        if f.is_int() && t.is_int() {
            return self.cast_int(value, to, false);
        }
        let local = self.use_value(value);
        let op = match (f.wir(), t.wir()) {
            (a, b) if a == b => return self.value(t, local),
            (W::I32, W::F32) => Opcode::F32ReinterpretI32,
            (W::F32, W::I32) => Opcode::I32ReinterpretF32,
            (W::I64, W::F64) => Opcode::F64ReinterpretI64,
            (W::F64, W::I64) => Opcode::I64ReinterpretF64,
            _ => return self.through_memory(value, to),
        };
        let result = self.unary(op, t.wir(), local);
        self.value(t, result)
    }

    fn through_memory(&mut self, value: Value, to: Type) -> Value {
        let size = self.cx.type_of(value).stride().max(to.stride());
        let slot = self.alloca_bytes(size as u32, 4);
        self.store_value(value, slot, 4, false);
        self.load_value(to, slot, 4, false)
    }

    /// The bits of an integer reversed in order of bytes.
    pub(crate) fn byte_swap(&mut self, value: Value) -> Value {
        let scalar = self.scalar_of(value);
        let bits = scalar.bits();
        let ty = Type::Scalar(scalar);
        let shift = |bx: &mut Self, op, v, by: u32| {
            let by = Value::Const(scalar, u128::from(by));
            bx.int_op(op, v, by)
        };
        match bits {
            8 => value,
            16 => shift(self, IntOp::Rotl, value, 8),
            128 => {
                // Swap the halves and the bytes within each.
                let sixty_four = Value::Const(scalar, 64);
                let low = self.cast_int(value, Type::I64, false);
                let high = self.int_op(IntOp::ShrU, value, sixty_four);
                let high = self.cast_int(high, Type::I64, false);
                let (low, high) = (self.byte_swap(low), self.byte_swap(high));
                let (l, h) = (self.use_value(high), self.use_value(low));
                let result = self.binary(Opcode::I128Concat, W::I128, l, h);
                self.value(scalar, result)
            }
            _ => {
                // Swap neighbouring bytes, then neighbouring pairs, then halves (which is a rotation).
                let mut v = value;
                let mut by = 8;
                while by < bits / 2 {
                    v = self.swap_groups(v, by, ty);
                    by *= 2;
                }
                shift(self, IntOp::Rotl, v, bits / 2)
            }
        }
    }

    /// The bits of an integer in reverse order.
    pub(crate) fn bit_reverse(&mut self, value: Value) -> Value {
        let ty = self.cx.type_of(value);
        let mut v = value;
        for by in [1, 2, 4] {
            v = self.swap_groups(v, by, ty);
        }
        self.byte_swap(v)
    }

    /// Exchanges every group of `by` bits with its neighbour.
    fn swap_groups(&mut self, value: Value, by: u32, ty: Type) -> Value {
        let Type::Scalar(scalar) = ty else { return value };
        let ones = (1u128 << by) - 1;
        let mut mask = 0u128;
        let mut at = 0;
        while at < scalar.bits() {
            mask |= ones << at;
            at += 2 * by;
        }
        let mask = Value::Const(scalar, mask);
        let by = Value::Const(scalar, u128::from(by));
        let low = self.int_op(IntOp::And, value, mask);
        let low = self.int_op(IntOp::Shl, low, by);
        let high = self.int_op(IntOp::ShrU, value, by);
        let high = self.int_op(IntOp::And, high, mask);
        self.int_op(IntOp::Or, low, high)
    }
}
