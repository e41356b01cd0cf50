//! `i128` as two `i64`s.

use super::{Ext, Selector};
use crate::error::Result;
use crate::lir::{Imm, Ty, Val};
use crate::ops::Op;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstructionData, Opcode, Value, types};

type Pair = (Val, Val);

impl Selector<'_> {
    fn o64(&mut self, op: Op, a: Val, b: Val) -> Val {
        self.op2(op, a, b, Ty::I64)
    }

    fn bool64(&mut self, v: Val) -> Val {
        self.op1(Op::I64_EXTEND_I32_U, v, Ty::I64)
    }

    pub(super) fn wide(&mut self, inst: ir::Inst) -> Result<()> {
        let data = self.func.dfg.insts[inst];
        let results = self.func.dfg.inst_results(inst);
        match data {
            InstructionData::IntCompare {
                cond, args: [a, b], ..
            } => {
                let (x, y) = (self.pair(a), self.pair(b));
                let v = self.wide_compare(cond, x, y);
                self.define(results[0], v, Ext::BOTH);
                Ok(())
            }
            InstructionData::Unary { opcode, arg } => self.wide_unary(inst, opcode, arg),
            InstructionData::Binary {
                opcode,
                args: [a, b],
            } if results.len() == 2 => {
                let (x, y) = (self.pair(a), self.pair(b));
                let (value, flag) = (results[0], results[1]);
                let (r, over) = match opcode {
                    Opcode::UaddOverflow => {
                        let r = self.wide_add(x, y);
                        (r, self.wide_compare(IntCC::UnsignedLessThan, r, x))
                    }
                    Opcode::UsubOverflow => (
                        self.wide_sub(x, y),
                        self.wide_compare(IntCC::UnsignedLessThan, x, y),
                    ),
                    Opcode::SaddOverflow | Opcode::SsubOverflow => {
                        let add = opcode == Opcode::SaddOverflow;
                        let r = if add {
                            self.wide_add(x, y)
                        } else {
                            self.wide_sub(x, y)
                        };
                        let p = self.o64(Op::I64_XOR, x.1, if add { r.1 } else { y.1 });
                        let q = if add {
                            self.o64(Op::I64_XOR, y.1, r.1)
                        } else {
                            self.o64(Op::I64_XOR, x.1, r.1)
                        };
                        let both = self.o64(Op::I64_AND, p, q);
                        let z = self.i64c(0);
                        (r, self.op2(Op::I64_LT_S, both, z, Ty::I32))
                    }
                    _ => return self.unsupported(inst),
                };
                self.define_pair(value, r.0, r.1);
                self.define(flag, over, Ext::BOTH);
                Ok(())
            }
            InstructionData::Binary {
                opcode: Opcode::Isplit,
                ..
            } => self.unsupported(inst),
            InstructionData::Binary {
                opcode,
                args: [a, b],
            } => self.wide_binary(inst, opcode, a, b),
            InstructionData::Ternary {
                opcode: Opcode::Bitselect,
                args: [c, a, b],
            } => {
                let (c, a, b) = (self.pair(c), self.pair(a), self.pair(b));
                let lo = self.bitselect64(c.0, a.0, b.0);
                let hi = self.bitselect64(c.1, a.1, b.1);
                self.define_pair(results[0], lo, hi);
                Ok(())
            }
            _ => self.unsupported(inst),
        }
    }

    fn bitselect64(&mut self, c: Val, a: Val, b: Val) -> Val {
        let x = self.o64(Op::I64_XOR, a, b);
        let x = self.o64(Op::I64_AND, x, c);
        self.o64(Op::I64_XOR, x, b)
    }

    fn wide_add(&mut self, x: Pair, y: Pair) -> Pair {
        let lo = self.o64(Op::I64_ADD, x.0, y.0);
        let carry = self.op2(Op::I64_LT_U, lo, x.0, Ty::I32);
        let carry = self.bool64(carry);
        let hi = self.o64(Op::I64_ADD, x.1, y.1);
        (lo, self.o64(Op::I64_ADD, hi, carry))
    }

    fn wide_sub(&mut self, x: Pair, y: Pair) -> Pair {
        let lo = self.o64(Op::I64_SUB, x.0, y.0);
        let borrow = self.op2(Op::I64_LT_U, x.0, y.0, Ty::I32);
        let borrow = self.bool64(borrow);
        let hi = self.o64(Op::I64_SUB, x.1, y.1);
        (lo, self.o64(Op::I64_SUB, hi, borrow))
    }

    fn wide_compare(&mut self, cond: IntCC, x: Pair, y: Pair) -> Val {
        if matches!(cond, IntCC::Equal | IntCC::NotEqual) {
            let lo = self.o64(Op::I64_XOR, x.0, y.0);
            let hi = self.o64(Op::I64_XOR, x.1, y.1);
            let or = self.o64(Op::I64_OR, lo, hi);
            let z = self.op1(Op::I64_EQZ, or, Ty::I32);
            return if cond == IntCC::Equal {
                z
            } else {
                self.op1(Op::I32_EQZ, z, Ty::I32)
            };
        }
        let high = super::int::wide_op(super::int::compare_op(cond));
        let low = super::int::wide_op(super::int::compare_op(cond.unsigned()));
        let lo = self.op2(low, x.0, y.0, Ty::I32);
        let hi = self.op2(high, x.1, y.1, Ty::I32);
        let same = self.op2(Op::I64_EQ, x.1, y.1, Ty::I32);
        self.select_op(same, lo, hi)
    }

    fn wide_mul(&mut self, x: Pair, y: Pair) -> Pair {
        let lo = self.o64(Op::I64_MUL, x.0, y.0);
        let high = self.mul_high64(x.0, y.0, false);
        let a = self.o64(Op::I64_MUL, x.0, y.1);
        let b = self.o64(Op::I64_MUL, x.1, y.0);
        let sum = self.o64(Op::I64_ADD, a, b);
        (lo, self.o64(Op::I64_ADD, high, sum))
    }

    /// Shift by an amount modulo 128; `left`, or right with or without sign.
    fn wide_shift(&mut self, x: Pair, amount: Value, left: bool, signed: bool) -> Pair {
        let v = self.val(amount);
        let n = match self.lir.vals[v].ty {
            Ty::I64 => v,
            _ => self.bool64(v),
        };
        let shr = if signed { Op::I64_SHR_S } else { Op::I64_SHR_U };
        let fill = if signed && !left {
            let k = self.i64c(63);
            self.o64(Op::I64_SHR_S, x.1, k)
        } else {
            self.i64c(0)
        };
        // For n < 64: one half shifts, the other takes over its bits in two steps, so that n = 0 works.
        // For n >= 64 the moved half is the whole answer, since wasm takes amounts modulo 64.
        let one = self.i64c(1);
        let ones = self.i64c(63);
        let rest = self.o64(Op::I64_XOR, n, ones);
        let bit = self.i64c(64);
        let big = self.o64(Op::I64_AND, n, bit);
        let big = self.op1(Op::I64_EQZ, big, Ty::I32);
        if left {
            let moved = self.o64(Op::I64_SHL, x.0, n);
            let carried = self.o64(Op::I64_SHR_U, x.0, one);
            let carried = self.o64(Op::I64_SHR_U, carried, rest);
            let hi = self.o64(Op::I64_SHL, x.1, n);
            let hi = self.o64(Op::I64_OR, hi, carried);
            (
                self.select_op(big, moved, fill),
                self.select_op(big, hi, moved),
            )
        } else {
            let moved = self.o64(shr, x.1, n);
            let carried = self.o64(Op::I64_SHL, x.1, one);
            let carried = self.o64(Op::I64_SHL, carried, rest);
            let lo = self.o64(Op::I64_SHR_U, x.0, n);
            let lo = self.o64(Op::I64_OR, lo, carried);
            (
                self.select_op(big, lo, moved),
                self.select_op(big, moved, fill),
            )
        }
    }

    fn wide_binary(&mut self, inst: ir::Inst, opcode: Opcode, a: Value, b: Value) -> Result<()> {
        let result = self.result(inst);
        let x = self.pair(a);
        let r = match opcode {
            Opcode::Ishl => self.wide_shift(x, b, true, false),
            Opcode::Ushr => self.wide_shift(x, b, false, false),
            Opcode::Sshr => self.wide_shift(x, b, false, true),
            Opcode::Rotl | Opcode::Rotr => {
                // Rotating by 64 swaps the halves; the rest is a funnel shift of each.
                let v = self.val(b);
                let n = if self.lir.vals[v].ty == Ty::I64 {
                    v
                } else {
                    self.bool64(v)
                };
                let n = if opcode == Opcode::Rotl {
                    n
                } else {
                    let z = self.i64c(0);
                    self.o64(Op::I64_SUB, z, n)
                };
                let bit = self.i64c(64);
                let big = self.o64(Op::I64_AND, n, bit);
                let small = self.op1(Op::I64_EQZ, big, Ty::I32);
                let lo = self.select_op(small, x.0, x.1);
                let hi = self.select_op(small, x.1, x.0);
                let (one, ones) = (self.i64c(1), self.i64c(63));
                let rest = self.o64(Op::I64_XOR, n, ones);
                let funnel = |sel: &mut Self, high: Val, low: Val| {
                    let top = sel.o64(Op::I64_SHL, high, n);
                    let bottom = sel.o64(Op::I64_SHR_U, low, one);
                    let bottom = sel.o64(Op::I64_SHR_U, bottom, rest);
                    sel.o64(Op::I64_OR, top, bottom)
                };
                (funnel(self, lo, hi), funnel(self, hi, lo))
            }
            Opcode::Iadd => {
                let y = self.pair(b);
                self.wide_add(x, y)
            }
            Opcode::Isub => {
                let y = self.pair(b);
                self.wide_sub(x, y)
            }
            Opcode::Imul => {
                let y = self.pair(b);
                self.wide_mul(x, y)
            }
            Opcode::Band | Opcode::Bor | Opcode::Bxor => {
                let y = self.pair(b);
                let op = match opcode {
                    Opcode::Band => Op::I64_AND,
                    Opcode::Bor => Op::I64_OR,
                    _ => Op::I64_XOR,
                };
                (self.o64(op, x.0, y.0), self.o64(op, x.1, y.1))
            }
            Opcode::Smin | Opcode::Smax | Opcode::Umin | Opcode::Umax => {
                let y = self.pair(b);
                let cond = match opcode {
                    Opcode::Smin => IntCC::SignedLessThan,
                    Opcode::Smax => IntCC::SignedGreaterThan,
                    Opcode::Umin => IntCC::UnsignedLessThan,
                    _ => IntCC::UnsignedGreaterThan,
                };
                let c = self.wide_compare(cond, x, y);
                (self.select_op(c, x.0, y.0), self.select_op(c, x.1, y.1))
            }
            _ => return self.unsupported(inst),
        };
        self.define_pair(result, r.0, r.1);
        Ok(())
    }

    fn wide_unary(&mut self, inst: ir::Inst, opcode: Opcode, arg: Value) -> Result<()> {
        let results = self.func.dfg.inst_results(inst);
        let result = results[0];
        let from = self.ty(arg);
        let z = self.i64c(0);
        if from != types::I128 {
            // Extensions into i128.
            let (lo, hi) = match opcode {
                Opcode::Uextend => (self.extend64(arg, false), z),
                Opcode::Sextend => {
                    let lo = self.extend64(arg, true);
                    let k = self.i64c(63);
                    (lo, self.o64(Op::I64_SHR_S, lo, k))
                }
                Opcode::Bmask => {
                    let t = self.truth(arg);
                    let b = self.nonzero(t);
                    let b = self.bool64(b);
                    let m = self.o64(Op::I64_SUB, z, b);
                    (m, m)
                }
                _ => return self.unsupported(inst),
            };
            self.define_pair(result, lo, hi);
            return Ok(());
        }
        let x = self.pair(arg);
        let r = match opcode {
            Opcode::Isplit => {
                self.define(results[0], x.0, Ext::ANY);
                self.define(results[1], x.1, Ext::ANY);
                return Ok(());
            }
            Opcode::Ireduce => {
                let to = self.ty(result);
                let v = if to == types::I64 {
                    x.0
                } else {
                    self.op1(Op::I32_WRAP_I64, x.0, Ty::I32)
                };
                self.define(result, v, Ext::ANY);
                return Ok(());
            }
            Opcode::Bmask => {
                let t = self.truth(arg);
                let b = self.nonzero(t);
                let to = self.ty(result);
                if to == types::I128 {
                    let b = self.bool64(b);
                    let m = self.o64(Op::I64_SUB, z, b);
                    (m, m)
                } else {
                    let b = if to == types::I64 { self.bool64(b) } else { b };
                    let ty = self.lir.vals[b].ty;
                    let zero = self.int_const(ty, 0);
                    let v = self.iop(Op::I32_SUB, zero, b);
                    self.define(result, v, Ext::SIGN);
                    return Ok(());
                }
            }
            Opcode::Ineg => self.wide_sub((z, z), x),
            Opcode::Bnot => {
                let m = self.i64c(-1);
                (self.o64(Op::I64_XOR, x.0, m), self.o64(Op::I64_XOR, x.1, m))
            }
            Opcode::Iabs => {
                let k = self.i64c(63);
                let sign = self.o64(Op::I64_SHR_S, x.1, k);
                let t = (
                    self.o64(Op::I64_XOR, x.0, sign),
                    self.o64(Op::I64_XOR, x.1, sign),
                );
                self.wide_sub(t, (sign, sign))
            }
            Opcode::Clz | Opcode::Ctz => {
                let op = if opcode == Opcode::Clz {
                    Op::I64_CLZ
                } else {
                    Op::I64_CTZ
                };
                let (first, second) = if opcode == Opcode::Clz {
                    (x.1, x.0)
                } else {
                    (x.0, x.1)
                };
                let a = self.op1(op, first, Ty::I64);
                let b = self.op1(op, second, Ty::I64);
                let b = self.add_const(b, 64);
                let c = self.op1(Op::I64_EQZ, first, Ty::I32);
                (self.pure(Op::SELECT, Imm::None, &[b, a, c], Ty::I64), z)
            }
            Opcode::Popcnt => {
                let a = self.op1(Op::I64_POPCNT, x.0, Ty::I64);
                let b = self.op1(Op::I64_POPCNT, x.1, Ty::I64);
                (self.o64(Op::I64_ADD, a, b), z)
            }
            Opcode::Bswap => (self.bswap(x.1), self.bswap(x.0)),
            Opcode::Bitrev => (self.bitrev(x.1), self.bitrev(x.0)),
            _ => return self.unsupported(inst),
        };
        self.define_pair(result, r.0, r.1);
        Ok(())
    }
}
