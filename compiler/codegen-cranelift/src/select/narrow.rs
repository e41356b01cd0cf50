//! Extensions: where the upper bits of a narrow integer matter, and truth values.

use super::{Ext, Selector};
use crate::lir::{Imm, Ty, Val};
use crate::ops::Op;
use cranelift_codegen::ir::{InstructionData, Value, types};

impl Selector<'_> {
    /// The value zero-extended to `i32` (or itself when it is an `i32` or wider).
    pub(super) fn zx(&mut self, v: Value) -> Val {
        let ty = self.ty(v);
        let val = self.val(v);
        if ty.bits() >= 32 || self.s.ext[v].zero() {
            return val;
        }
        self.zero_extend(val, ty.bits())
    }

    /// The value sign-extended to `i32` (or itself when it is an `i32` or wider).
    pub(super) fn sx(&mut self, v: Value) -> Val {
        let ty = self.ty(v);
        let val = self.val(v);
        if ty.bits() >= 32 || self.s.ext[v].sign() {
            return val;
        }
        // A load with this one use may as well extend the other way.
        if let Some(inst) = self.sole_load(v, val) {
            let op = match self.lir.insts[inst].op {
                Op::I32_LOAD8_U => Some(Op::I32_LOAD8_S),
                Op::I32_LOAD16_U => Some(Op::I32_LOAD16_S),
                _ => None,
            };
            if let Some(op) = op {
                self.lir.insts[inst].op = op;
                self.s.ext[v] = Ext::SIGN;
                return val;
            }
        }
        self.sign_extend(val, ty.bits())
    }

    /// The load behind `v`, when it is a CLIF load with one use, so that it may be changed in place.
    pub(super) fn sole_load(&self, v: Value, val: Val) -> Option<crate::lir::Inst> {
        let def = self.func.dfg.value_def(v).inst()?;
        let is_load = matches!(self.func.dfg.insts[def], InstructionData::Load { .. });
        if is_load && self.s.uses[v] == 1 {
            self.lir.sole_def(val)
        } else {
            None
        }
    }

    /// The low `bits` of an `i32`, zero-extended.
    pub(super) fn zero_extend(&mut self, val: Val, bits: u32) -> Val {
        let mask = (1i64 << bits) - 1;
        if let Some(c) = self.lir.int_const(val) {
            return self.i32c((c & mask) as i32);
        }
        let m = self.i32c(mask as i32);
        self.op2(Op::I32_AND, val, m, Ty::I32)
    }

    /// The low `bits` of an `i32`, sign-extended.
    pub(super) fn sign_extend(&mut self, val: Val, bits: u32) -> Val {
        if let Some(c) = self.lir.int_const(val) {
            let c = if bits == 8 {
                i32::from(c as i8)
            } else {
                i32::from(c as i16)
            };
            return self.i32c(c);
        }
        let op = if bits == 8 {
            Op::I32_EXTEND8_S
        } else {
            Op::I32_EXTEND16_S
        };
        self.op1(op, val, Ty::I32)
    }

    /// The value extended to `i64`.
    pub(super) fn extend64(&mut self, v: Value, signed: bool) -> Val {
        if self.ty(v) == types::I64 {
            return self.val(v);
        }
        let val = self.val(v);
        // A load with this one use extends by itself.
        if let Some(inst) = self.sole_load(v, val) {
            let op = match (self.lir.insts[inst].op, signed) {
                (Op::I32_LOAD8_U, false) => Some(Op::I64_LOAD8_U),
                (Op::I32_LOAD8_U, true) if self.ty(v) == types::I8 => Some(Op::I64_LOAD8_S),
                (Op::I32_LOAD8_U, true) => Some(Op::I64_LOAD8_U),
                (Op::I32_LOAD8_S, true) => Some(Op::I64_LOAD8_S),
                (Op::I32_LOAD16_U, false) => Some(Op::I64_LOAD16_U),
                (Op::I32_LOAD16_U, true) if self.ty(v) == types::I16 => Some(Op::I64_LOAD16_S),
                (Op::I32_LOAD16_U, true) => Some(Op::I64_LOAD16_U),
                (Op::I32_LOAD16_S, true) => Some(Op::I64_LOAD16_S),
                (Op::I32_LOAD, false) => Some(Op::I64_LOAD32_U),
                (Op::I32_LOAD, true) => Some(Op::I64_LOAD32_S),
                _ => None,
            };
            if let Some(op) = op {
                self.lir.insts[inst].op = op;
                self.lir.vals[val].ty = Ty::I64;
                return val;
            }
        }
        let narrow = if signed { self.sx(v) } else { self.zx(v) };
        if let Some(c) = self.lir.int_const(narrow) {
            let c = if signed {
                i64::from(c as i32)
            } else {
                i64::from(c as u32)
            };
            return self.i64c(c);
        }
        if signed
            && let Some(inst) = self.lir.sole_def(narrow)
            && self.lir.insts[inst].op == Op::I32_WRAP_I64
        {
            let inner = self.lir.args(inst)[0];
            return self.op1(Op::I64_EXTEND32_S, inner, Ty::I64);
        }
        let op = if signed {
            Op::I64_EXTEND_I32_S
        } else {
            Op::I64_EXTEND_I32_U
        };
        self.op1(op, narrow, Ty::I64)
    }

    /// An `i32` that is zero exactly when `v` is.
    pub(super) fn truth(&mut self, v: Value) -> Val {
        let ty = self.ty(v);
        let val = match ty {
            types::I128 => {
                let (lo, hi) = self.pair(v);
                let or = self.op2(Op::I64_OR, lo, hi, Ty::I64);
                self.nonzero(or)
            }
            types::I64 => {
                let val = self.val(v);
                self.nonzero(val)
            }
            _ if self.s.ext[v].sign() => self.val(v),
            _ => self.zx(v),
        };
        self.strip_double_negation(val)
    }

    /// Truth only: `eqz(eqz(x))` is as true as `x`.
    fn strip_double_negation(&mut self, val: Val) -> Val {
        let Some(outer) = self.lir.sole_def(val) else {
            return val;
        };
        if self.lir.insts[outer].op != Op::I32_EQZ {
            return val;
        }
        let inner_val = self.lir.args(outer)[0];
        let Some(inner) = self.lir.sole_def(inner_val) else {
            return val;
        };
        if self.lir.insts[inner].op == Op::I32_EQZ {
            self.lir.args(inner)[0]
        } else {
            val
        }
    }

    /// 1 when an `i32` or `i64` is not zero, else 0.
    pub(super) fn nonzero(&mut self, val: Val) -> Val {
        let z = self.is_zero(val);
        self.is_zero(z)
    }

    /// 1 when an `i32` or `i64` is zero, else 0; a comparison is inverted instead.
    pub(super) fn is_zero(&mut self, val: Val) -> Val {
        if let Some(inst) = self.lir.sole_def(val)
            && let Some(op) = self.lir.insts[inst].op.inverted()
        {
            let args = [self.lir.args(inst)[0], self.lir.args(inst)[1]];
            return self.pure(op, Imm::None, &args, Ty::I32);
        }
        let op = if self.lir.vals[val].ty == Ty::I64 {
            Op::I64_EQZ
        } else {
            Op::I32_EQZ
        };
        self.op1(op, val, Ty::I32)
    }
}
