//! Integer operators up to 64 bits.

use super::{Ext, Selector};
use crate::error::Result;
use crate::lir::{Imm, Ty, Val};
use crate::ops::{Effects, Op};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstructionData, Opcode, Value, types};

/// The `i64` form of an `i32` operator (comparisons, arithmetic).
pub(super) fn wide_op(op: Op) -> Op {
    match op.0 {
        0x45..=0x4f => Op(op.0 + 0x0b),
        0x67..=0x78 => Op(op.0 + 0x12),
        _ => op,
    }
}

/// The comparison operator of `i32` for a condition.
pub(super) fn compare_op(cc: IntCC) -> Op {
    match cc {
        IntCC::Equal => Op::I32_EQ,
        IntCC::NotEqual => Op::I32_NE,
        IntCC::SignedLessThan => Op::I32_LT_S,
        IntCC::SignedGreaterThanOrEqual => Op::I32_GE_S,
        IntCC::SignedGreaterThan => Op::I32_GT_S,
        IntCC::SignedLessThanOrEqual => Op::I32_LE_S,
        IntCC::UnsignedLessThan => Op::I32_LT_U,
        IntCC::UnsignedGreaterThanOrEqual => Op::I32_GE_U,
        IntCC::UnsignedGreaterThan => Op::I32_GT_U,
        IntCC::UnsignedLessThanOrEqual => Op::I32_LE_U,
    }
}

impl Selector<'_> {
    /// An operator given in its `i32` form, in the type of its first operand.
    pub(super) fn iop(&mut self, op: Op, a: Val, b: Val) -> Val {
        let ty = self.lir.vals[a].ty;
        let op = if ty == Ty::I64 { wide_op(op) } else { op };
        self.op2(op, a, b, ty)
    }

    /// Addition of a constant, as a subtraction when that is a byte shorter.
    pub(super) fn add_const(&mut self, a: Val, c: i64) -> Val {
        if c == 0 {
            return a;
        }
        let ty = self.lir.vals[a].ty;
        let negated = c.wrapping_neg();
        let (op, c) = if crate::leb::signed_len(negated) < crate::leb::signed_len(c) {
            (Op::I32_SUB, negated)
        } else {
            (Op::I32_ADD, c)
        };
        let k = self.int_const(ty, c);
        self.iop(op, a, k)
    }

    /// A comparison given in its `i32` form.
    pub(super) fn icmp(&mut self, op: Op, a: Val, b: Val) -> Val {
        let wide = self.lir.vals[a].ty == Ty::I64;
        if self.lir.int_const(b) == Some(0) {
            match op {
                Op::I32_EQ => {
                    return self.op1(if wide { Op::I64_EQZ } else { Op::I32_EQZ }, a, Ty::I32);
                }
                Op::I32_NE => {
                    let z = self.op1(if wide { Op::I64_EQZ } else { Op::I32_EQZ }, a, Ty::I32);
                    return self.op1(Op::I32_EQZ, z, Ty::I32);
                }
                _ => {}
            }
        }
        self.op2(if wide { wide_op(op) } else { op }, a, b, Ty::I32)
    }

    /// A shift amount in the type of the shifted value, reduced where wasm would not do it.
    pub(super) fn shift_amount(&mut self, amount: Value, ty: ir::Type) -> Val {
        let mask = i64::from(ty.bits()) - 1;
        let v = self.val(amount);
        if let Some(c) = self.lir.int_const(v) {
            let lowered = if ty == types::I64 { Ty::I64 } else { Ty::I32 };
            return self.int_const(lowered, c & mask);
        }
        let v = match (self.lir.vals[v].ty, ty == types::I64) {
            (Ty::I64, false) => self.op1(Op::I32_WRAP_I64, v, Ty::I32),
            (Ty::I32, true) => self.op1(Op::I64_EXTEND_I32_U, v, Ty::I64),
            _ => v,
        };
        if ty.bits() < 32 {
            let m = self.i32c(mask as i32);
            self.op2(Op::I32_AND, v, m, Ty::I32)
        } else {
            v
        }
    }

    pub(super) fn int(&mut self, inst: ir::Inst) -> Result<()> {
        let data = self.func.dfg.insts[inst];
        let results = self.func.dfg.inst_results(inst).len();
        match data {
            InstructionData::UnaryImm { imm, .. } => {
                let result = self.result(inst);
                let ty = self.ty(result);
                let bits = imm.bits();
                let (v, ext) = match ty {
                    types::I64 => (self.i64c(bits), Ext::ANY),
                    types::I32 => (self.i32c(bits as i32), Ext::ANY),
                    types::I16 => (self.i32c(i32::from(bits as u16)), Ext::ZERO),
                    _ => (self.i32c(i32::from(bits as u8)), Ext::ZERO),
                };
                let ext = if ext.zero() && self.lir.int_const(v) < Some(1 << (ty.bits() - 1)) {
                    Ext::BOTH
                } else {
                    ext
                };
                self.define(result, v, ext);
                Ok(())
            }
            InstructionData::IntCompare {
                cond, args: [a, b], ..
            } => {
                let v = self.compare(cond, a, b);
                self.define(self.result(inst), v, Ext::BOTH);
                Ok(())
            }
            InstructionData::Unary { arg, .. } => self.int_unary(inst, arg),
            InstructionData::IntAddTrap { args: [a, b], .. } => {
                let ty = self.ty(a);
                let (a, b) = (self.val(a), self.val(b));
                if ty.bits() < 32 {
                    return self.unsupported(inst);
                }
                let sum = self.iop(Op::I32_ADD, a, b);
                let carry = self.icmp(Op::I32_LT_U, sum, a);
                self.push(Op::TRAP_IF, Imm::None, &[carry], &[]);
                self.define(self.result(inst), sum, Ext::ANY);
                Ok(())
            }
            InstructionData::Binary { args: [a, b], .. } if results == 2 => {
                self.overflowing(inst, a, b)
            }
            InstructionData::Binary { args: [a, b], .. } => self.int_binary(inst, a, b),
            InstructionData::Ternary {
                opcode: Opcode::Bitselect,
                args: [c, a, b],
            } => {
                let (cv, av, bv) = (self.val(c), self.val(a), self.val(b));
                let x = self.iop(Op::I32_XOR, av, bv);
                let x = self.iop(Op::I32_AND, x, cv);
                let v = self.iop(Op::I32_XOR, x, bv);
                let ext = self.s.ext[a].and(self.s.ext[b]).and(self.s.ext[c]);
                self.define(self.result(inst), v, ext);
                Ok(())
            }
            InstructionData::Ternary {
                args: [a, b, c], ..
            } if results == 2 => self.carrying(inst, a, b, c),
            _ => self.unsupported(inst),
        }
    }

    /// `a & b` where `b` is a mask that changes nothing, or takes the low bit of the complement of a truth value.
    fn masked(&mut self, a: Value, b: Value) -> Option<(Val, Ext)> {
        let ty = self.ty(a);
        let mask = self.lir.int_const(self.val(b))? as u64;
        if ty.bits() < 32 || mask.wrapping_add(1) & mask != 0 {
            return None;
        }
        if self.bound(a, 6) <= mask {
            return Some((self.val(a), self.s.ext[a]));
        }
        let def = self.func.dfg.value_def(a).inst()?;
        let negated = match self.func.dfg.insts[def] {
            InstructionData::Unary {
                opcode: Opcode::Bnot,
                arg,
            } => arg,
            InstructionData::Binary {
                opcode: Opcode::Bxor,
                args: [x, y],
            } if self.lir.int_const(self.val(y)) == Some(-1) => x,
            _ => return None,
        };
        if mask != 1 || ty != types::I32 || self.bound(negated, 6) > 1 {
            return None;
        }
        let v = self.val(negated);
        Some((self.is_zero(v), Ext::BOTH))
    }

    fn compare(&mut self, cond: IntCC, a: Value, b: Value) -> Val {
        let narrow = self.ty(a).bits() < 32;
        let signed = match cond {
            IntCC::Equal | IntCC::NotEqual => {
                narrow && self.s.ext[a].sign() && self.s.ext[b].sign()
            }
            _ => cond != cond.unsigned(),
        };
        let (x, y) = if signed {
            (self.sx(a), self.sx(b))
        } else {
            (self.zx(a), self.zx(b))
        };
        self.icmp(compare_op(cond), x, y)
    }

    fn int_unary(&mut self, inst: ir::Inst, arg: Value) -> Result<()> {
        let result = self.result(inst);
        let (from, to) = (self.ty(arg), self.ty(result));
        let bits = from.bits();
        let ty = if from == types::I64 { Ty::I64 } else { Ty::I32 };
        let wide = ty == Ty::I64;
        let (v, ext) = match self.func.dfg.insts[inst].opcode() {
            Opcode::Ineg => {
                let v = self.val(arg);
                let z = self.int_const(ty, 0);
                (self.iop(Op::I32_SUB, z, v), Ext::ANY)
            }
            Opcode::Bnot => {
                let v = self.val(arg);
                let m = self.int_const(ty, -1);
                (
                    self.iop(Op::I32_XOR, v, m),
                    if self.s.ext[arg].sign() {
                        Ext::SIGN
                    } else {
                        Ext::ANY
                    },
                )
            }
            Opcode::Iabs => {
                let v = self.sx(arg);
                let s = self.int_const(ty, if wide { 63 } else { 31 });
                let sign = self.iop(Op::I32_SHR_S, v, s);
                let x = self.iop(Op::I32_XOR, v, sign);
                (self.iop(Op::I32_SUB, x, sign), Ext::ANY)
            }
            Opcode::Clz => {
                let v = self.zx(arg);
                let n = self.op1(if wide { Op::I64_CLZ } else { Op::I32_CLZ }, v, ty);
                (
                    if bits < 32 {
                        self.add_const(n, i64::from(bits) - 32)
                    } else {
                        n
                    },
                    Ext::BOTH,
                )
            }
            Opcode::Cls => {
                let v = self.sx(arg);
                let s = self.int_const(ty, if wide { 63 } else { 31 });
                let sign = self.iop(Op::I32_SHR_S, v, s);
                let x = self.iop(Op::I32_XOR, v, sign);
                let n = self.op1(if wide { Op::I64_CLZ } else { Op::I32_CLZ }, x, ty);
                let extra = 32u32.saturating_sub(bits);
                (self.add_const(n, -1 - i64::from(extra)), Ext::BOTH)
            }
            Opcode::Ctz => {
                let mut v = self.val(arg);
                if bits < 32 {
                    let guard = self.i32c(1 << bits);
                    v = self.op2(Op::I32_OR, v, guard, Ty::I32);
                }
                (
                    self.op1(if wide { Op::I64_CTZ } else { Op::I32_CTZ }, v, ty),
                    Ext::BOTH,
                )
            }
            Opcode::Popcnt => {
                let v = self.zx(arg);
                (
                    self.op1(if wide { Op::I64_POPCNT } else { Op::I32_POPCNT }, v, ty),
                    Ext::BOTH,
                )
            }
            Opcode::Bswap => {
                let v = self.zx(arg);
                match bits {
                    16 => {
                        let eight = self.i32c(8);
                        let hi = self.iop(Op::I32_SHL, v, eight);
                        let lo = self.iop(Op::I32_SHR_U, v, eight);
                        (self.iop(Op::I32_OR, hi, lo), Ext::ANY)
                    }
                    _ => (self.bswap(v), Ext::ANY),
                }
            }
            Opcode::Bitrev => {
                let v = self.zx(arg);
                let r = self.bitrev(v);
                if bits < 32 {
                    let s = self.i32c(32 - bits as i32);
                    (self.iop(Op::I32_SHR_U, r, s), Ext::ZERO)
                } else {
                    (r, Ext::ANY)
                }
            }
            Opcode::Ireduce => {
                let v = self.val(arg);
                let low = if from.bits() >= 64 && to.bits() <= 32 {
                    match self.lir.int_const(v) {
                        Some(c) => self.i32c(c as i32),
                        None => self.op1(Op::I32_WRAP_I64, v, Ty::I32),
                    }
                } else {
                    v
                };
                (low, Ext::ANY)
            }
            Opcode::Uextend => match to {
                types::I64 => (self.extend64(arg, false), Ext::ANY),
                _ => (self.zx(arg), Ext::BOTH),
            },
            Opcode::Sextend => match to {
                types::I64 => (self.extend64(arg, true), Ext::ANY),
                _ => (self.sx(arg), Ext::SIGN),
            },
            Opcode::Bmask => {
                let t = if from.bits() < 32 {
                    self.zx(arg)
                } else {
                    self.val(arg)
                };
                let b = if self.is_bool(t) { t } else { self.nonzero(t) };
                let b = if to == types::I64 {
                    self.op1(Op::I64_EXTEND_I32_U, b, Ty::I64)
                } else {
                    b
                };
                let to_ty = self.lir.vals[b].ty;
                let z = self.int_const(to_ty, 0);
                let v = self.iop(Op::I32_SUB, z, b);
                if to == types::I128 {
                    return self.unsupported(inst);
                }
                (v, Ext::SIGN)
            }
            _ => return self.unsupported(inst),
        };
        self.define(result, v, ext);
        Ok(())
    }

    /// True when the value is a comparison's 0 or 1.
    fn is_bool(&self, v: Val) -> bool {
        self.lir
            .sole_def(v)
            .is_some_and(|i| (0x45..=0x66).contains(&self.lir.insts[i].op.0))
    }

    /// Byte reversal of an `i32` or `i64`.
    pub(super) fn bswap(&mut self, v: Val) -> Val {
        let ty = self.lir.vals[v].ty;
        if ty == Ty::I32 {
            // rotl(x, 8) & 0x00ff00ff | rotr(x, 8) & 0xff00ff00
            let eight = self.i32c(8);
            let (m1, m2) = (self.i32c(0x00ff_00ff), self.i32c(0xff00_ff00_u32 as i32));
            let a = self.iop(Op::I32_ROTL, v, eight);
            let a = self.iop(Op::I32_AND, a, m1);
            let b = self.iop(Op::I32_ROTR, v, eight);
            let b = self.iop(Op::I32_AND, b, m2);
            return self.iop(Op::I32_OR, a, b);
        }
        let v = self.swap_groups(v, 8, 0x00ff_00ff_00ff_00ff);
        let v = self.swap_groups(v, 16, 0x0000_ffff_0000_ffff);
        let s = self.i64c(32);
        self.op2(Op::I64_ROTL, v, s, Ty::I64)
    }

    /// Bit reversal of an `i32` or `i64`.
    pub(super) fn bitrev(&mut self, v: Val) -> Val {
        let v = self.swap_groups(v, 1, 0x5555_5555_5555_5555);
        let v = self.swap_groups(v, 2, 0x3333_3333_3333_3333);
        let v = self.swap_groups(v, 4, 0x0f0f_0f0f_0f0f_0f0f);
        self.bswap(v)
    }

    /// Swaps neighbouring groups of `n` bits.
    fn swap_groups(&mut self, v: Val, n: i64, mask: u64) -> Val {
        let ty = self.lir.vals[v].ty;
        let m = self.int_const(
            ty,
            if ty == Ty::I64 {
                mask as i64
            } else {
                i64::from(mask as i32)
            },
        );
        let s = self.int_const(ty, n);
        let hi = self.iop(Op::I32_SHR_U, v, s);
        let hi = self.iop(Op::I32_AND, hi, m);
        let lo = self.iop(Op::I32_AND, v, m);
        let lo = self.iop(Op::I32_SHL, lo, s);
        self.iop(Op::I32_OR, hi, lo)
    }

    fn int_binary(&mut self, inst: ir::Inst, a: Value, b: Value) -> Result<()> {
        let result = self.result(inst);
        let ty = self.ty(a);
        let bits = ty.bits();
        let (ea, eb) = (self.s.ext[a], self.s.ext[b]);
        let opcode = self.func.dfg.insts[inst].opcode();
        let (v, ext) = match opcode {
            Opcode::Iadd | Opcode::Isub => {
                let (x, y) = (self.val(a), self.val(b));
                let negate = opcode == Opcode::Isub;
                let v = match (self.lir.int_const(x), self.lir.int_const(y)) {
                    (_, Some(c)) => self.add_const(x, if negate { c.wrapping_neg() } else { c }),
                    (Some(c), None) if !negate => self.add_const(y, c),
                    _ => self.iop(if negate { Op::I32_SUB } else { Op::I32_ADD }, x, y),
                };
                (v, Ext::ANY)
            }
            Opcode::Imul => {
                let (x, y) = (self.val(a), self.val(b));
                (self.iop(Op::I32_MUL, x, y), Ext::ANY)
            }
            Opcode::Band => {
                if let Some((v, ext)) = self.masked(a, b) {
                    self.define(self.result(inst), v, ext);
                    return Ok(());
                }
                let (x, y) = (self.val(a), self.val(b));
                let ext = if ea.zero() || eb.zero() {
                    Ext::ZERO
                } else {
                    ea.and(eb)
                };
                (self.iop(Op::I32_AND, x, y), ext)
            }
            Opcode::Bor => {
                let (x, y) = (self.val(a), self.val(b));
                (self.iop(Op::I32_OR, x, y), ea.and(eb))
            }
            Opcode::Bxor => {
                let (x, y) = (self.val(a), self.val(b));
                (self.iop(Op::I32_XOR, x, y), ea.and(eb))
            }
            Opcode::Ishl => {
                let (x, y) = (self.val(a), self.shift_amount(b, ty));
                (self.iop(Op::I32_SHL, x, y), Ext::ANY)
            }
            Opcode::Ushr => {
                let (x, y) = (self.zx(a), self.shift_amount(b, ty));
                (self.iop(Op::I32_SHR_U, x, y), Ext::ZERO)
            }
            Opcode::Sshr => {
                let (x, y) = (self.sx(a), self.shift_amount(b, ty));
                (self.iop(Op::I32_SHR_S, x, y), Ext::SIGN)
            }
            Opcode::Rotl | Opcode::Rotr if bits >= 32 => {
                let (x, y) = (self.val(a), self.shift_amount(b, ty));
                (
                    self.iop(
                        if opcode == Opcode::Rotl {
                            Op::I32_ROTL
                        } else {
                            Op::I32_ROTR
                        },
                        x,
                        y,
                    ),
                    Ext::ANY,
                )
            }
            Opcode::Rotl | Opcode::Rotr => {
                let (x, y) = (self.zx(a), self.shift_amount(b, ty));
                let width = self.i32c(bits as i32);
                let back = self.iop(Op::I32_SUB, width, y);
                let (l, r) = if opcode == Opcode::Rotl {
                    (y, back)
                } else {
                    (back, y)
                };
                let hi = self.iop(Op::I32_SHL, x, l);
                let lo = self.iop(Op::I32_SHR_U, x, r);
                (self.iop(Op::I32_OR, hi, lo), Ext::ANY)
            }
            Opcode::Udiv | Opcode::Urem => {
                let (x, y) = (self.zx(a), self.zx(b));
                let op = if opcode == Opcode::Udiv {
                    Op::I32_DIV_U
                } else {
                    Op::I32_REM_U
                };
                (self.divide(op, x, y), Ext::ZERO)
            }
            Opcode::Sdiv | Opcode::Srem => {
                let (x, y) = (self.sx(a), self.sx(b));
                let op = if opcode == Opcode::Sdiv {
                    Op::I32_DIV_S
                } else {
                    Op::I32_REM_S
                };
                let v = self.divide(op, x, y);
                if bits < 32
                    && opcode == Opcode::Sdiv
                    && self.lir.int_const(y).is_none_or(|c| c == -1)
                {
                    let limit = self.i32c(1 << (bits - 1));
                    let overflow = self.icmp(Op::I32_EQ, v, limit);
                    self.push(Op::TRAP_IF, Imm::None, &[overflow], &[]);
                }
                (v, Ext::SIGN)
            }
            Opcode::Umulhi | Opcode::Smulhi => {
                let signed = opcode == Opcode::Smulhi;
                (
                    self.mul_high(a, b, signed),
                    if signed { Ext::SIGN } else { Ext::ZERO },
                )
            }
            Opcode::Smin | Opcode::Smax | Opcode::Umin | Opcode::Umax => {
                let signed = matches!(opcode, Opcode::Smin | Opcode::Smax);
                let (x, y) = if signed {
                    (self.sx(a), self.sx(b))
                } else {
                    (self.zx(a), self.zx(b))
                };
                let op = match opcode {
                    Opcode::Smin => Op::I32_LT_S,
                    Opcode::Smax => Op::I32_GT_S,
                    Opcode::Umin => Op::I32_LT_U,
                    _ => Op::I32_GT_U,
                };
                let c = self.icmp(op, x, y);
                (
                    self.select_op(c, x, y),
                    if signed { Ext::SIGN } else { Ext::ZERO },
                )
            }
            Opcode::Iconcat => {
                let (x, y) = (self.val(a), self.val(b));
                if ty == types::I64 {
                    self.define_pair(result, x, y);
                    return Ok(());
                }
                return self.unsupported(inst);
            }
            _ => return self.unsupported(inst),
        };
        self.define(result, v, ext);
        Ok(())
    }

    /// Division or remainder (in `i32` form): its effects are those the divisor leaves possible.
    fn divide(&mut self, op: Op, x: Val, y: Val) -> Val {
        let ty = self.lir.vals[x].ty;
        let safe = match self.lir.int_const(y) {
            Some(0) | None => false,
            Some(-1) => op != Op::I32_DIV_S,
            Some(_) => true,
        };
        if safe {
            return self.iop(op, x, y);
        }
        let op = if ty == Ty::I64 { wide_op(op) } else { op };
        let inst = self.push_with(op, Effects::TRAP, Imm::None, &[x, y], &[ty]);
        self.lir.insts[inst].first
    }

    /// The upper half of a product.
    fn mul_high(&mut self, a: Value, b: Value, signed: bool) -> Val {
        let ty = self.ty(a);
        if ty == types::I64 {
            let (x, y) = (self.val(a), self.val(b));
            return self.mul_high64(x, y, signed);
        }
        let bits = i64::from(ty.bits());
        if ty == types::I32 {
            let (x, y) = (self.extend64(a, signed), self.extend64(b, signed));
            let p = self.iop(Op::I32_MUL, x, y);
            let s = self.i64c(32);
            let hi = self.iop(Op::I32_SHR_U, p, s);
            return self.op1(Op::I32_WRAP_I64, hi, Ty::I32);
        }
        let (x, y) = if signed {
            (self.sx(a), self.sx(b))
        } else {
            (self.zx(a), self.zx(b))
        };
        let p = self.iop(Op::I32_MUL, x, y);
        let s = self.i32c(bits as i32);
        self.iop(if signed { Op::I32_SHR_S } else { Op::I32_SHR_U }, p, s)
    }

    /// The upper 64 bits of a 64×64-bit product, by halves (Hacker's Delight, 8-2).
    pub(super) fn mul_high64(&mut self, x: Val, y: Val, signed: bool) -> Val {
        let mask = self.i64c(0xffff_ffff);
        let s = self.i64c(32);
        let shr = if signed { Op::I64_SHR_S } else { Op::I64_SHR_U };
        let o = |sel: &mut Self, op, a, b| sel.op2(op, a, b, Ty::I64);
        let xl = o(self, Op::I64_AND, x, mask);
        let xh = o(self, shr, x, s);
        let yl = o(self, Op::I64_AND, y, mask);
        let yh = o(self, shr, y, s);
        let ll = o(self, Op::I64_MUL, xl, yl);
        let carry = o(self, Op::I64_SHR_U, ll, s);
        let hl = o(self, Op::I64_MUL, xh, yl);
        let mid = o(self, Op::I64_ADD, hl, carry);
        let lh = o(self, Op::I64_MUL, xl, yh);
        let mid_low = o(self, Op::I64_AND, mid, mask);
        let mid2 = o(self, Op::I64_ADD, lh, mid_low);
        let hh = o(self, Op::I64_MUL, xh, yh);
        let c1 = o(self, shr, mid, s);
        let c2 = o(self, shr, mid2, s);
        let sum = o(self, Op::I64_ADD, hh, c1);
        o(self, Op::I64_ADD, sum, c2)
    }

    /// `{u,s}{add,sub,mul}_overflow`: the wrapped result and a flag.
    fn overflowing(&mut self, inst: ir::Inst, a: Value, b: Value) -> Result<()> {
        let (value, flag) = (
            self.func.dfg.inst_results(inst)[0],
            self.func.dfg.inst_results(inst)[1],
        );
        let ty = self.ty(a);
        let bits = ty.bits();
        let opcode = self.func.dfg.insts[inst].opcode();
        let signed = matches!(
            opcode,
            Opcode::SaddOverflow | Opcode::SsubOverflow | Opcode::SmulOverflow
        );
        let op = match opcode {
            Opcode::UaddOverflow | Opcode::SaddOverflow => Op::I32_ADD,
            Opcode::UsubOverflow | Opcode::SsubOverflow => Op::I32_SUB,
            Opcode::UmulOverflow | Opcode::SmulOverflow => Op::I32_MUL,
            _ => return self.unsupported(inst),
        };
        let (v, ext, over) = if bits < 32 {
            // The exact result fits an i32: it overflowed when its extension differs from it.
            let (x, y) = if signed {
                (self.sx(a), self.sx(b))
            } else {
                (self.zx(a), self.zx(b))
            };
            let exact = self.iop(op, x, y);
            let back = if signed {
                self.sign_extend(exact, bits)
            } else {
                self.zero_extend(exact, bits)
            };
            let over = self.icmp(Op::I32_NE, exact, back);
            (back, if signed { Ext::SIGN } else { Ext::ZERO }, over)
        } else {
            let (x, y) = (self.val(a), self.val(b));
            let v = self.iop(op, x, y);
            let over = match (op, signed) {
                (Op::I32_ADD, false) => self.icmp(Op::I32_LT_U, v, x),
                (Op::I32_SUB, false) => self.icmp(Op::I32_LT_U, x, y),
                (Op::I32_ADD | Op::I32_SUB, _) => {
                    let p = self.iop(Op::I32_XOR, x, if op == Op::I32_ADD { v } else { y });
                    let q = if op == Op::I32_ADD {
                        self.iop(Op::I32_XOR, y, v)
                    } else {
                        self.iop(Op::I32_XOR, x, v)
                    };
                    let both = self.iop(Op::I32_AND, p, q);
                    let z = self.int_const(self.lir.vals[v].ty, 0);
                    self.icmp(Op::I32_LT_S, both, z)
                }
                _ if ty == types::I32 => {
                    let (wx, wy) = (self.extend64(a, signed), self.extend64(b, signed));
                    let p = self.iop(Op::I32_MUL, wx, wy);
                    let s = self.i64c(32);
                    if signed {
                        let back = self.op1(Op::I64_EXTEND32_S, p, Ty::I64);
                        self.icmp(Op::I32_NE, p, back)
                    } else {
                        let hi = self.iop(Op::I32_SHR_U, p, s);
                        self.nonzero(hi)
                    }
                }
                (_, false) => {
                    let hi = self.mul_high64(x, y, false);
                    self.nonzero(hi)
                }
                (_, true) => {
                    let hi = self.mul_high64(x, y, true);
                    let s = self.i64c(63);
                    let sign = self.op2(Op::I64_SHR_S, v, s, Ty::I64);
                    self.icmp(Op::I32_NE, hi, sign)
                }
            };
            (v, Ext::ANY, over)
        };
        self.define(value, v, ext);
        self.define(flag, over, Ext::BOTH);
        Ok(())
    }

    /// `uadd_overflow_cin`, `usub_overflow_bin`: a step of a carry chain.
    fn carrying(&mut self, inst: ir::Inst, a: Value, b: Value, carry: Value) -> Result<()> {
        let (value, flag) = (
            self.func.dfg.inst_results(inst)[0],
            self.func.dfg.inst_results(inst)[1],
        );
        let opcode = self.func.dfg.insts[inst].opcode();
        let ty = self.ty(a);
        if ty.bits() < 32 || !matches!(opcode, Opcode::UaddOverflowCin | Opcode::UsubOverflowBin) {
            return self.unsupported(inst);
        }
        let (x, y) = (self.val(a), self.val(b));
        let c = self.zx(carry);
        let c = if ty == types::I64 {
            self.op1(Op::I64_EXTEND_I32_U, c, Ty::I64)
        } else {
            c
        };
        let add = opcode == Opcode::UaddOverflowCin;
        let op = if add { Op::I32_ADD } else { Op::I32_SUB };
        let r1 = self.iop(op, x, y);
        let o1 = if add {
            self.icmp(Op::I32_LT_U, r1, x)
        } else {
            self.icmp(Op::I32_LT_U, x, y)
        };
        let r2 = self.iop(op, r1, c);
        let o2 = if add {
            self.icmp(Op::I32_LT_U, r2, r1)
        } else {
            self.icmp(Op::I32_LT_U, r1, c)
        };
        let over = self.op2(Op::I32_OR, o1, o2, Ty::I32);
        self.define(value, r2, Ext::ANY);
        self.define(flag, over, Ext::BOTH);
        Ok(())
    }
}
