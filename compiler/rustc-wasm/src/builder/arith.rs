//! Arithmetic, comparisons and selection.
//!
//! Division and multiplication of 128-bit integers are calls of the run-time library by the names every wasm back end
//! uses (`__multi3`, `__divti3`, …); everything else is an operator. Operations on two constants are folded where the
//! lowering of MIR makes them in numbers (sizes, offsets, discriminants).

use super::Builder;
use super::soft::is_soft;
use crate::ops::{self, FloatOp, FloatTest, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_codegen_ssa::common::{IntPredicate, RealPredicate};
use rustc_codegen_ssa::traits::{BuilderMethods, ConstCodegenMethods, OverflowOp};
use rustc_middle::ty::Ty;
use wasmir::{Local, Opcode};

const I128: Type = Type::I128;

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// `a op b` on integers.
    pub(crate) fn int_op(&mut self, op: IntOp, a: Value, b: Value) -> Value {
        let scalar = self.scalar_of(a);
        if let Some(folded) = fold(op, scalar, a, b) {
            return folded;
        }
        let ty = scalar.wir();
        if ty == wasmir::Type::I128
            && let Some(name) = match op {
                IntOp::Mul => Some("__multi3"),
                IntOp::DivS => Some("__divti3"),
                IntOp::DivU => Some("__udivti3"),
                IntOp::RemS => Some("__modti3"),
                IntOp::RemU => Some("__umodti3"),
                _ => None,
            }
        {
            return self.call_runtime(name, &[I128, I128], I128, &[a, b]);
        }
        let is_shift = matches!(op, IntOp::Shl | IntOp::ShrS | IntOp::ShrU | IntOp::Rotl | IntOp::Rotr);
        let x = self.use_value(a);
        let y = if is_shift && ty == wasmir::Type::I128 { self.shift_amount(b) } else { self.use_value(b) };
        let result = self.binary(ops::int(op, ty), ty, x, y);
        self.value(scalar, result)
    }

    /// A shift amount as `i32`.
    fn shift_amount(&mut self, amount: Value) -> Local {
        let scalar = self.scalar_of(amount);
        let local = self.use_value(amount);
        match scalar.wir() {
            wasmir::Type::I32 => local,
            ty @ (wasmir::Type::I64 | wasmir::Type::I128) => match ops::wrap(ty, wasmir::Type::I32) {
                Some(op) => self.unary(op, wasmir::Type::I32, local),
                None => local,
            },
            _ => self.widen(amount, false),
        }
    }

    /// One operand in, a value of the same integer type out.
    pub(crate) fn int_unary(&mut self, op: IntOp, a: Value) -> Value {
        let scalar = self.scalar_of(a);
        let ty = scalar.wir();
        let a = self.use_value(a);
        let result = self.unary(ops::int(op, ty), ty, a);
        self.value(scalar, result)
    }

    /// `a op b` on floats.
    pub(crate) fn float_op(&mut self, op: FloatOp, a: Value, b: Value) -> Value {
        let scalar = self.scalar_of(a);
        if is_soft(scalar) {
            return self.soft_binary(op, a, b);
        }
        let (x, y) = (self.use_value(a), self.use_value(b));
        let result = self.binary(ops::float(op, is_double(scalar)), scalar.wir(), x, y);
        self.value(scalar, result)
    }

    /// One float in, one out.
    pub(crate) fn float_unary(&mut self, op: FloatOp, a: Value) -> Value {
        let scalar = self.scalar_of(a);
        if is_soft(scalar) {
            return self.soft_unary(op, a);
        }
        let a = self.use_value(a);
        let result = self.unary(ops::float(op, is_double(scalar)), scalar.wir(), a);
        self.value(scalar, result)
    }

    /// The remainder of floats is a call of libm, which the run-time library holds.
    pub(super) fn float_rem(&mut self, a: Value, b: Value) -> Value {
        let scalar = self.scalar_of(a);
        let ty = Type::Scalar(scalar);
        if is_soft(scalar) {
            return self.soft_rem(a, b);
        }
        self.call_runtime(if is_double(scalar) { "fmod" } else { "fmodf" }, &[ty, ty], ty, &[a, b])
    }

    /// Compares integers or pointers.
    pub(crate) fn compare(&mut self, pred: IntPredicate, a: Value, b: Value) -> Value {
        let scalar = self.scalar_of(a);
        let op = ops::int_predicate(pred);
        if let (Value::Const(_, x), Value::Const(_, y)) = (a, b) {
            return self.cx.const_bool(compare_bits(op, scalar, x, y));
        }
        let (x, y) = (self.use_value(a), self.use_value(b));
        let result = self.binary(ops::int(op, scalar.wir()), wasmir::Type::I32, x, y);
        self.value(Scalar::Bool, result)
    }

    /// Compares floats.
    pub(crate) fn compare_floats(&mut self, pred: RealPredicate, a: Value, b: Value) -> Value {
        let (a, b) = self.comparable(a, b);
        let scalar = self.scalar_of(a);
        let i32 = wasmir::Type::I32;
        let test = |bx: &mut Self, op, a, b| {
            if scalar == Scalar::F128 {
                return bx.soft_test(op, a, b);
            }
            let (x, y) = (bx.use_value(a), bx.use_value(b));
            bx.binary(ops::float(op, is_double(scalar)), i32, x, y)
        };
        let both = |bx: &mut Self, op, same: FloatOp| {
            let (p, q) = (test(bx, same, a, a), test(bx, same, b, b));
            bx.binary(op, i32, p, q)
        };
        let result = match ops::float_predicate(pred) {
            FloatTest::Always(value) => return self.cx.const_bool(value),
            FloatTest::Is(op) => test(self, op, a, b),
            FloatTest::Not(op) => {
                let is = test(self, op, a, b);
                self.unary(Opcode::I32Eqz, i32, is)
            }
            FloatTest::Ordered(true) => both(self, Opcode::I32And, FloatOp::Eq),
            FloatTest::Ordered(false) => both(self, Opcode::I32Or, FloatOp::Ne),
            FloatTest::OrderedUnequal(wanted) => {
                let (lt, gt) = (test(self, FloatOp::Lt, a, b), test(self, FloatOp::Gt, a, b));
                let is = self.binary(Opcode::I32Or, i32, lt, gt);
                if wanted { is } else { self.unary(Opcode::I32Eqz, i32, is) }
            }
        };
        self.value(Scalar::Bool, result)
    }

    /// `cond ? a : b`
    pub(crate) fn select_value(&mut self, cond: Value, a: Value, b: Value) -> Value {
        if let Value::Const(_, bits) = cond {
            return if bits != 0 { a } else { b };
        }
        match self.cx.type_of(a) {
            Type::Pair(ta, tb) => {
                let ([a0, a1], [b0, b1]) = (self.halves(a), self.halves(b));
                let first = self.select_value(cond, a0, b0);
                let second = self.select_value(cond, a1, b1);
                self.cx.pair(first, second, (ta, tb))
            }
            Type::Vector(elem, _) if self.cx.type_of(a).stride() != 16 => {
                self.zip_lanes(elem, a, b, |bx, x, y| bx.select_value(cond, x, y))
            }
            ty => {
                let cond = self.use_value(cond);
                let (x, y) = (self.use_value(a), self.use_value(b));
                let result = self.ternary(Opcode::Select, self.local_type(ty), x, y, cond);
                Value::Local(ty, result)
            }
        }
    }

    /// The wrapped result of an operation and whether it overflowed.
    pub(super) fn checked(&mut self, op: OverflowOp, ty: Ty<'tcx>, a: Value, b: Value) -> (Value, Value) {
        let (size, signed) = ty.int_size_and_signed(self.cx.tcx);
        let bits = size.bits() as u32;
        match (op, signed) {
            (OverflowOp::Add, false) => {
                let sum = self.int_op(IntOp::Add, a, b);
                (sum, self.compare(IntPredicate::IntULT, sum, a))
            }
            (OverflowOp::Sub, false) => {
                let difference = self.int_op(IntOp::Sub, a, b);
                (difference, self.compare(IntPredicate::IntULT, a, b))
            }
            (OverflowOp::Add | OverflowOp::Sub, true) => {
                // Overflow happened if the result is below `a` although `b` moved it up, or the other way round.
                let add = op == OverflowOp::Add;
                let result = self.int_op(if add { IntOp::Add } else { IntOp::Sub }, a, b);
                let below = self.compare(IntPredicate::IntSLT, result, a);
                let zero = self.cx.const_uint(self.cx.type_of(a), 0);
                let pred = if add { IntPredicate::IntSLT } else { IntPredicate::IntSGT };
                let down = self.compare(pred, b, zero);
                (result, self.int_op(IntOp::Xor, below, down))
            }
            (OverflowOp::Mul, _) if bits < 64 => {
                // Multiply in a type where nothing overflows, and see whether the result survives narrowing.
                let wide = Type::Scalar(Scalar::Int(if bits < 32 { 32 } else { 64 }));
                let narrow = self.cx.type_of(a);
                let (x, y) = (self.cast_int(a, wide, signed), self.cast_int(b, wide, signed));
                let product = self.int_op(IntOp::Mul, x, y);
                let result = self.cast_int(product, narrow, false);
                let back = self.cast_int(result, wide, signed);
                (result, self.compare(IntPredicate::IntNE, back, product))
            }
            (OverflowOp::Mul, _) if bits == 64 => {
                let narrow = self.cx.type_of(a);
                let (x, y) = (self.cast_int(a, I128, signed), self.cast_int(b, I128, signed));
                let product = self.int_op(IntOp::Mul, x, y);
                let result = self.cast_int(product, narrow, false);
                let back = self.cast_int(result, I128, signed);
                (result, self.compare(IntPredicate::IntNE, back, product))
            }
            (OverflowOp::Mul, true) => {
                // The run-time library's `__muloti4` reports overflow through a pointer.
                let flag = self.alloca_bytes(4, 2);
                let result = self.call_runtime("__muloti4", &[I128, I128, Type::PTR], I128, &[a, b, flag]);
                let flag = self.load_value(Type::I32, flag, 2, false);
                let zero = self.cx.const_u32(0);
                (result, self.compare(IntPredicate::IntNE, flag, zero))
            }
            (OverflowOp::Mul, false) => self.checked_mul_u128(a, b),
        }
    }

    /// Unsigned 128-bit multiplication overflows if both high halves are set, if a cross product exceeds 64 bits, or
    /// if adding the cross products to the high half of the low product carries.
    fn checked_mul_u128(&mut self, a: Value, b: Value) -> (Value, Value) {
        let half = |bx: &mut Self, v, high: bool| {
            let sixty_four = bx.cx.const_u128(64);
            let v = if high { bx.int_op(IntOp::ShrU, v, sixty_four) } else { v };
            bx.cast_int(v, Type::I64, false)
        };
        let zero = self.cx.const_u64(0);
        let (al, ah) = (half(self, a, false), half(self, a, true));
        let (bl, bh) = (half(self, b, false), half(self, b, true));
        let wide_mul = |bx: &mut Self, x, y| {
            let (x, y) = (bx.cast_int(x, I128, false), bx.cast_int(y, I128, false));
            bx.int_op(IntOp::Mul, x, y)
        };
        let (low, cross1, cross2) = (wide_mul(self, al, bl), wide_mul(self, ah, bl), wide_mul(self, al, bh));
        let ah_set = self.compare(IntPredicate::IntNE, ah, zero);
        let bh_set = self.compare(IntPredicate::IntNE, bh, zero);
        let mut overflow = self.int_op(IntOp::And, ah_set, bh_set);
        for cross in [cross1, cross2] {
            let high = half(self, cross, true);
            let set = self.compare(IntPredicate::IntNE, high, zero);
            overflow = self.int_op(IntOp::Or, overflow, set);
        }
        let (c1, c2) = (half(self, cross1, false), half(self, cross2, false));
        let cross = self.int_op(IntOp::Add, c1, c2);
        let low_high = half(self, low, true);
        let high = self.int_op(IntOp::Add, low_high, cross);
        // At most one cross product is not zero unless overflow is known already, so one carry check is enough.
        let carried = self.compare(IntPredicate::IntULT, high, low_high);
        overflow = self.int_op(IntOp::Or, overflow, carried);
        let low_low = half(self, low, false);
        let (h, l) = (self.use_value(high), self.use_value(low_low));
        let result = self.binary(Opcode::I128Concat, wasmir::Type::I128, l, h);
        (self.value(Scalar::Int(128), result), overflow)
    }

    /// Calls a function of the run-time library.
    pub(crate) fn call_runtime(&mut self, name: &str, params: &[Type], ret: Type, args: &[Value]) -> Value {
        let (func, sig) = self.cx.runtime(name, params, ret);
        let callee = Value::Addr(Scalar::Ptr, wasmir::Item::Func(func), 0);
        self.call(sig, None, None, callee, args, None, None)
    }
}

/// Whether a float with operators is `f64` rather than `f32`.
///
/// # Panics
/// If `scalar` is not such a float.
pub(super) fn is_double(scalar: Scalar) -> bool {
    match scalar {
        Scalar::F32 => false,
        Scalar::F64 => true,
        other => rustc_middle::bug!("{other:?} has no operators of floats"),
    }
}

/// Folds operations on constants, and the neutral operands that sizes and offsets bring about.
fn fold(op: IntOp, scalar: Scalar, a: Value, b: Value) -> Option<Value> {
    let mask = scalar.mask();
    match (a, b) {
        (Value::Const(_, x), Value::Const(_, y)) => {
            let bits = match op {
                IntOp::Add => x.wrapping_add(y),
                IntOp::Sub => x.wrapping_sub(y),
                IntOp::Mul => x.wrapping_mul(y),
                IntOp::And => x & y,
                IntOp::Or => x | y,
                IntOp::Xor => x ^ y,
                IntOp::DivU if y != 0 => x / y,
                IntOp::RemU if y != 0 => x % y,
                _ => return None,
            };
            Some(Value::Const(scalar, bits & mask))
        }
        (_, Value::Const(_, 0)) if matches!(op, IntOp::Add | IntOp::Sub | IntOp::Or | IntOp::Xor) => Some(a),
        (Value::Const(_, 0), _) if matches!(op, IntOp::Add | IntOp::Or | IntOp::Xor) => Some(b),
        (_, Value::Const(_, 1)) if matches!(op, IntOp::Mul | IntOp::DivU | IntOp::DivS) => Some(a),
        (Value::Const(_, 1), _) if op == IntOp::Mul => Some(b),
        _ => None,
    }
}

fn compare_bits(op: IntOp, scalar: Scalar, x: u128, y: u128) -> bool {
    let unused = 128 - scalar.bits();
    let (sx, sy) = ((x << unused) as i128, (y << unused) as i128);
    match op {
        IntOp::Eq => x == y,
        IntOp::Ne => x != y,
        IntOp::LtU => x < y,
        IntOp::LeU => x <= y,
        IntOp::GtU => x > y,
        IntOp::GeU => x >= y,
        IntOp::LtS => sx < sy,
        IntOp::LeS => sx <= sy,
        IntOp::GtS => sx > sy,
        IntOp::GeS => sx >= sy,
        other => unreachable!("{other:?} is not a comparison"),
    }
}
