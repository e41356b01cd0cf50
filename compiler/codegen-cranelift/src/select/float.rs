//! Floating point: WebAssembly's own operators, and conversions of every width.

use super::{Ext, Selector};
use crate::error::Result;
use crate::lir::{Imm, Ty, Val};
use crate::ops::Op;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{self, InstructionData, Opcode, Value, types};

/// The `f64` form of an `f32` operator.
fn wide_op(op: Op) -> Op {
    match op.0 {
        0x5b..=0x60 => Op(op.0 + 6),
        0x8b..=0x98 => Op(op.0 + 14),
        _ => op,
    }
}

impl Selector<'_> {
    fn fop(&self, op: Op, ty: Ty) -> Op {
        if ty == Ty::F64 { wide_op(op) } else { op }
    }

    pub(super) fn float(&mut self, inst: ir::Inst) -> Result<()> {
        let result = self.result(inst);
        match self.func.dfg.insts[inst] {
            InstructionData::FloatCompare {
                cond, args: [a, b], ..
            } => {
                let (x, y) = (self.val(a), self.val(b));
                let v = self.fcmp(cond, x, y);
                self.define(result, v, Ext::BOTH);
                Ok(())
            }
            InstructionData::Binary {
                opcode,
                args: [a, b],
            } => {
                let (x, y) = (self.val(a), self.val(b));
                let op = match opcode {
                    Opcode::Fadd => Op::F32_ADD,
                    Opcode::Fsub => Op::F32_SUB,
                    Opcode::Fmul => Op::F32_MUL,
                    Opcode::Fdiv => Op::F32_DIV,
                    Opcode::Fmin => Op::F32_MIN,
                    Opcode::Fmax => Op::F32_MAX,
                    Opcode::Fcopysign => Op::F32_COPYSIGN,
                    _ => return self.unsupported(inst),
                };
                let ty = self.lir.vals[x].ty;
                let v = self.op2(self.fop(op, ty), x, y, ty);
                self.define(result, v, Ext::ANY);
                Ok(())
            }
            InstructionData::Unary { opcode, arg } => self.float_unary(inst, opcode, arg),
            _ => self.unsupported(inst),
        }
    }

    fn fcmp(&mut self, cond: FloatCC, x: Val, y: Val) -> Val {
        let ty = self.lir.vals[x].ty;
        let (eq, ne, lt, gt, le, ge) = (
            self.fop(Op::F32_EQ, ty),
            self.fop(Op::F32_NE, ty),
            self.fop(Op::F32_LT, ty),
            self.fop(Op::F32_GT, ty),
            self.fop(Op::F32_LE, ty),
            self.fop(Op::F32_GE, ty),
        );
        let cmp = |sel: &mut Self, op| sel.op2(op, x, y, Ty::I32);
        let not = |sel: &mut Self, v| sel.op1(Op::I32_EQZ, v, Ty::I32);
        let same = |sel: &mut Self, op, v| sel.op2(op, v, v, Ty::I32);
        match cond {
            FloatCC::Equal => cmp(self, eq),
            FloatCC::NotEqual => cmp(self, ne),
            FloatCC::LessThan => cmp(self, lt),
            FloatCC::LessThanOrEqual => cmp(self, le),
            FloatCC::GreaterThan => cmp(self, gt),
            FloatCC::GreaterThanOrEqual => cmp(self, ge),
            FloatCC::UnorderedOrGreaterThanOrEqual => {
                let v = cmp(self, lt);
                not(self, v)
            }
            FloatCC::UnorderedOrGreaterThan => {
                let v = cmp(self, le);
                not(self, v)
            }
            FloatCC::UnorderedOrLessThanOrEqual => {
                let v = cmp(self, gt);
                not(self, v)
            }
            FloatCC::UnorderedOrLessThan => {
                let v = cmp(self, ge);
                not(self, v)
            }
            FloatCC::Ordered => {
                let (a, b) = (same(self, eq, x), same(self, eq, y));
                self.op2(Op::I32_AND, a, b, Ty::I32)
            }
            FloatCC::Unordered => {
                let (a, b) = (same(self, ne, x), same(self, ne, y));
                self.op2(Op::I32_OR, a, b, Ty::I32)
            }
            FloatCC::OrderedNotEqual => {
                let (a, b) = (cmp(self, lt), cmp(self, gt));
                self.op2(Op::I32_OR, a, b, Ty::I32)
            }
            FloatCC::UnorderedOrEqual => {
                let (a, b) = (cmp(self, lt), cmp(self, gt));
                let v = self.op2(Op::I32_OR, a, b, Ty::I32);
                not(self, v)
            }
        }
    }

    fn float_unary(&mut self, inst: ir::Inst, opcode: Opcode, arg: Value) -> Result<()> {
        let result = self.result(inst);
        let (from, to) = (self.ty(arg), self.ty(result));
        if from == types::I128 || to == types::I128 {
            return self.unsupported(inst);
        }
        let op = match opcode {
            Opcode::Fneg => Op::F32_NEG,
            Opcode::Fabs => Op::F32_ABS,
            Opcode::Sqrt => Op::F32_SQRT,
            Opcode::Ceil => Op::F32_CEIL,
            Opcode::Floor => Op::F32_FLOOR,
            Opcode::Trunc => Op::F32_TRUNC,
            Opcode::Nearest => Op::F32_NEAREST,
            Opcode::Fpromote => Op::F64_PROMOTE_F32,
            Opcode::Fdemote => Op::F32_DEMOTE_F64,
            Opcode::FcvtFromSint | Opcode::FcvtFromUint => {
                return self.convert_int(result, arg, opcode == Opcode::FcvtFromSint);
            }
            Opcode::FcvtToSint | Opcode::FcvtToUint => {
                return self.trunc_trapping(inst, arg, opcode == Opcode::FcvtToSint);
            }
            Opcode::FcvtToSintSat | Opcode::FcvtToUintSat => {
                return self.trunc_saturating(result, arg, opcode == Opcode::FcvtToSintSat);
            }
            _ => return self.unsupported(inst),
        };
        let x = self.val(arg);
        let to_ty = super::lower_type(to)?.0;
        let op = if (0x8b..=0x98).contains(&op.0) {
            self.fop(op, to_ty)
        } else {
            op
        };
        let v = self.op1(op, x, to_ty);
        self.define(result, v, Ext::ANY);
        Ok(())
    }

    fn convert_int(&mut self, result: Value, arg: Value, signed: bool) -> Result<()> {
        let double = self.ty(result) == types::F64;
        let (x, wide) = match self.ty(arg) {
            types::I64 => (self.val(arg), true),
            _ if signed => (self.sx(arg), false),
            _ => (self.zx(arg), false),
        };
        // convert_{i32,i64}_{s,u} follow one another, f32's and f64's five apart.
        let base = if double {
            Op::F64_CONVERT_I32_S
        } else {
            Op::F32_CONVERT_I32_S
        };
        let op = Op(base.0 + u32::from(!signed) + 2 * u32::from(wide));
        let v = self.op1(op, x, if double { Ty::F64 } else { Ty::F32 });
        self.define(result, v, Ext::ANY);
        Ok(())
    }

    fn trunc_trapping(&mut self, inst: ir::Inst, arg: Value, signed: bool) -> Result<()> {
        let result = self.result(inst);
        let to = self.ty(result);
        if to.bits() < 32 {
            return self.unsupported(inst);
        }
        let wide = to == types::I64;
        let base = if wide {
            Op::I64_TRUNC_F32_S
        } else {
            Op::I32_TRUNC_F32_S
        };
        let op = Op(base.0 + u32::from(!signed) + 2 * u32::from(self.ty(arg) == types::F64));
        let x = self.val(arg);
        let i = self.push(op, Imm::None, &[x], &[if wide { Ty::I64 } else { Ty::I32 }]);
        self.define(result, self.lir.insts[i].first, Ext::ANY);
        Ok(())
    }

    fn trunc_saturating(&mut self, result: Value, arg: Value, signed: bool) -> Result<()> {
        let to = self.ty(result);
        let wide = to == types::I64;
        let base = if wide {
            Op::I64_TRUNC_SAT_F32_S
        } else {
            Op::I32_TRUNC_SAT_F32_S
        };
        let op = Op(base.0 + u32::from(!signed) + 2 * u32::from(self.ty(arg) == types::F64));
        let x = self.val(arg);
        let mut v = self.op1(op, x, if wide { Ty::I64 } else { Ty::I32 });
        let mut ext = Ext::ANY;
        if to.bits() < 32 {
            // Saturate once more, to the narrow range.
            if signed {
                let (min, max) = (
                    self.i32c(-(1 << (to.bits() - 1))),
                    self.i32c((1 << (to.bits() - 1)) - 1),
                );
                let c = self.icmp(Op::I32_GT_S, v, min);
                v = self.select_op(c, v, min);
                let c = self.icmp(Op::I32_LT_S, v, max);
                v = self.select_op(c, v, max);
                ext = Ext::SIGN;
            } else {
                let max = self.i32c((1 << to.bits()) - 1);
                let c = self.icmp(Op::I32_LT_U, v, max);
                v = self.select_op(c, v, max);
                ext = Ext::ZERO;
            }
        }
        self.define(result, v, ext);
        Ok(())
    }
}
