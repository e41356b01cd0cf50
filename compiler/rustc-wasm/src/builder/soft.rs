//! Floats that wasm has no operators for.
//!
//! `f16` is computed in `f32` and rounded back after every operation, which gives the correctly rounded result: 24 bits of
//! precision are twice those of `f16` and two more (Figueroa, "When is double rounding innocuous?", 1995). `f128` is the
//! run-time library's business. Both travel by their bits, `f16` as a 16-bit integer and `f128` as a 128-bit one, as LLVM's
//! code does.

use super::Builder;
use crate::ops::{FloatOp, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_codegen_ssa::common::IntPredicate;
use rustc_middle::bug;
use wasmir::Local;

const F16: Type = Type::Scalar(Scalar::F16);
const F32: Type = Type::Scalar(Scalar::F32);
const F128: Type = Type::Scalar(Scalar::F128);

/// Whether operators exist for a float.
pub(crate) fn is_soft(scalar: Scalar) -> bool {
    matches!(scalar, Scalar::F16 | Scalar::F128)
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// An `f16` as `f32`; every value of the one is a value of the other.
    fn widen_half(&mut self, value: Value) -> Value {
        self.call_runtime("__extendhfsf2", &[F16], F32, &[value])
    }

    fn round_to_half(&mut self, value: Value) -> Value {
        self.call_runtime("__truncsfhf2", &[F32], F16, &[value])
    }

    /// `f` of `f16` operands, computed in `f32`.
    pub(crate) fn in_single(&mut self, operands: &[Value], f: impl FnOnce(&mut Self, &[Value]) -> Value) -> Value {
        let wide: Vec<Value> = operands.iter().map(|&value| self.widen_half(value)).collect();
        let result = f(self, &wide);
        self.round_to_half(result)
    }

    /// `a op b` for operands without operators.
    pub(super) fn soft_binary(&mut self, op: FloatOp, a: Value, b: Value) -> Value {
        let scalar = self.scalar_of(a);
        let name = match op {
            FloatOp::Copysign => {
                let magnitude = self.soft_unary(FloatOp::Abs, a);
                let sign = self.int_op(IntOp::And, b, Value::Const(scalar, 1 << (scalar.bits() - 1)));
                return self.int_op(IntOp::Or, magnitude, sign);
            }
            _ if scalar == Scalar::F16 => return self.in_single(&[a, b], |bx, v| bx.float_op(op, v[0], v[1])),
            FloatOp::Add => "__addtf3",
            FloatOp::Sub => "__subtf3",
            FloatOp::Mul => "__multf3",
            FloatOp::Div => "__divtf3",
            other => bug!("{other:?} on f128"),
        };
        self.call_runtime(name, &[F128, F128], F128, &[a, b])
    }

    /// `op a` for an operand without operators.
    pub(super) fn soft_unary(&mut self, op: FloatOp, a: Value) -> Value {
        let scalar = self.scalar_of(a);
        let sign = 1 << (scalar.bits() - 1);
        let name = match op {
            // The sign is the top bit of every format, and all that changes, of NaNs too.
            FloatOp::Neg => return self.int_op(IntOp::Xor, a, Value::Const(scalar, sign)),
            FloatOp::Abs => return self.int_op(IntOp::And, a, Value::Const(scalar, sign - 1)),
            _ if scalar == Scalar::F16 => return self.in_single(&[a], |bx, v| bx.float_unary(op, v[0])),
            FloatOp::Sqrt => "sqrtf128",
            FloatOp::Floor => "floorf128",
            FloatOp::Ceil => "ceilf128",
            FloatOp::Trunc => "truncf128",
            FloatOp::Nearest => "roundevenf128",
            other => bug!("{other:?} on f128"),
        };
        self.call_runtime(name, &[F128], F128, &[a])
    }

    /// The remainder, with the sign of `a`.
    pub(super) fn soft_rem(&mut self, a: Value, b: Value) -> Value {
        match self.scalar_of(a) {
            Scalar::F16 => self.in_single(&[a, b], |bx, v| bx.float_rem(v[0], v[1])),
            _ => self.call_runtime("fmodf128", &[F128, F128], F128, &[a, b]),
        }
    }

    /// A comparison of `f128`: the run-time library's answer against 0, made so that NaN gives what wasm's operator gives.
    pub(super) fn soft_test(&mut self, op: FloatOp, a: Value, b: Value) -> Local {
        let (name, pred) = match op {
            FloatOp::Eq => ("__eqtf2", IntPredicate::IntEQ),
            FloatOp::Ne => ("__netf2", IntPredicate::IntNE),
            FloatOp::Lt => ("__lttf2", IntPredicate::IntSLT),
            FloatOp::Le => ("__letf2", IntPredicate::IntSLE),
            FloatOp::Gt => ("__gttf2", IntPredicate::IntSGT),
            FloatOp::Ge => ("__getf2", IntPredicate::IntSGE),
            other => bug!("{other:?} is not a comparison"),
        };
        let order = self.call_runtime(name, &[F128, F128], Type::I32, &[a, b]);
        let result = self.compare(pred, order, Value::Const(Scalar::Int(32), 0));
        self.use_value(result)
    }

    /// The comparable form of `f16` operands; others as they are.
    pub(super) fn comparable(&mut self, a: Value, b: Value) -> (Value, Value) {
        match self.scalar_of(a) {
            Scalar::F16 => (self.widen_half(a), self.widen_half(b)),
            _ => (a, b),
        }
    }

    /// Between formats of which one has no operators.
    pub(super) fn soft_to_float(&mut self, value: Value, to: Scalar) -> Value {
        use Scalar::{F16, F32, F64, F128};
        let from = self.scalar_of(value);
        let name = match (from, to) {
            (F16, F32) => "__extendhfsf2",
            (F16, F64) => {
                let single = self.widen_half(value);
                return self.float_to_float(single, Type::Scalar(F64));
            }
            (F16, F128) => "__extendhftf2",
            (F32, F16) => "__truncsfhf2",
            (F64, F16) => "__truncdfhf2",
            (F128, F16) => "__trunctfhf2",
            (F32, F128) => "__extendsftf2",
            (F64, F128) => "__extenddftf2",
            (F128, F32) => "__trunctfsf2",
            (F128, F64) => "__trunctfdf2",
            other => bug!("a conversion {other:?}"),
        };
        self.call_runtime(name, &[Type::Scalar(from)], Type::Scalar(to), &[value])
    }

    /// An `f128` as an integer of 32, 64 or 128 bits, saturating.
    pub(super) fn quad_to_int(&mut self, value: Value, bits: u32, signed: bool) -> Value {
        let (name, to) = match (bits, signed) {
            (128, true) => ("__fixtfti", Type::I128),
            (128, false) => ("__fixunstfti", Type::I128),
            (33..=64, true) => ("__fixtfdi", Type::I64),
            (33..=64, false) => ("__fixunstfdi", Type::I64),
            (_, true) => ("__fixtfsi", Type::I32),
            (_, false) => ("__fixunstfsi", Type::I32),
        };
        self.call_runtime(name, &[F128], to, &[value])
    }

    /// An integer as a float without operators.
    pub(super) fn int_to_soft(&mut self, value: Value, to: Scalar, signed: bool) -> Value {
        if to == Scalar::F16 {
            // What `f32` rounds is beyond the largest `f16` by far.
            let single = self.int_to_float(value, F32, signed);
            return self.round_to_half(single);
        }
        let (wide, name) = match (self.scalar_of(value).bits(), signed) {
            (65.., true) => (Type::I128, "__floattitf"),
            (65.., false) => (Type::I128, "__floatuntitf"),
            (33..=64, true) => (Type::I64, "__floatditf"),
            (33..=64, false) => (Type::I64, "__floatunditf"),
            (_, true) => (Type::I32, "__floatsitf"),
            (_, false) => (Type::I32, "__floatunsitf"),
        };
        let value = self.cast_int(value, wide, signed);
        self.call_runtime(name, &[wide], F128, &[value])
    }
}
