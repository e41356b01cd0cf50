//! 128-bit vectors. The operators that Rust's portable and wasm SIMD use map one to one.

use super::{Ext, Selector, lower_type};
use crate::error::Result;
use crate::lir::{Imm, Ty, Val};
use crate::ops::Op;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, InstructionData, Opcode, Type, types};

/// Place of an integer lane type in the families of operators that are 32 apart.
fn family(ty: Type) -> Option<u32> {
    Some(match ty.lane_type() {
        types::I8 => 0,
        types::I16 => 32,
        types::I32 => 64,
        types::I64 => 96,
        _ => return None,
    })
}

impl Selector<'_> {
    fn v2(&mut self, op: Op, a: Val, b: Val) -> Val {
        self.op2(op, a, b, Ty::V128)
    }

    pub(super) fn vector(&mut self, inst: ir::Inst) -> Result<()> {
        let result = self.result(inst);
        let data = self.func.dfg.insts[inst];
        let v = match data {
            InstructionData::UnaryConst {
                constant_handle, ..
            } => {
                let bytes = self.func.dfg.constants.get(constant_handle);
                let mut wide = [0; 16];
                let n = bytes.len().min(16);
                wide[..n].copy_from_slice(&bytes.as_slice()[..n]);
                self.lir.wide.push(wide);
                let index = self.lir.wide.len() as u32 - 1;
                self.constant(Op::V128_CONST, Imm::Wide(index), Ty::V128)
            }
            InstructionData::Shuffle {
                args: [a, b], imm, ..
            } => {
                let mut wide = [0; 16];
                wide.copy_from_slice(&self.func.dfg.immediates[imm].as_slice()[..16]);
                if wide.iter().any(|&lane| lane >= 32) {
                    return self.unsupported(inst);
                }
                self.lir.wide.push(wide);
                let index = self.lir.wide.len() as u32 - 1;
                let (x, y) = (self.val(a), self.val(b));
                self.pure(Op::I8X16_SHUFFLE, Imm::Wide(index), &[x, y], Ty::V128)
            }
            InstructionData::IntCompare {
                cond, args: [a, b], ..
            } => {
                let ty = self.ty(a);
                let (x, y) = (self.val(a), self.val(b));
                let Some(op) = vector_compare(cond, ty) else {
                    return self.unsupported(inst);
                };
                self.v2(op, x, y)
            }
            InstructionData::FloatCompare {
                cond, args: [a, b], ..
            } => {
                let base = if self.ty(a).lane_type() == types::F64 {
                    Op::F64X2_EQ
                } else {
                    Op::F32X4_EQ
                };
                // eq ne lt gt le ge
                let (place, negate) = match cond {
                    FloatCC::Equal => (0, false),
                    FloatCC::NotEqual => (1, false),
                    FloatCC::LessThan => (2, false),
                    FloatCC::GreaterThan => (3, false),
                    FloatCC::LessThanOrEqual => (4, false),
                    FloatCC::GreaterThanOrEqual => (5, false),
                    FloatCC::UnorderedOrGreaterThanOrEqual => (2, true),
                    FloatCC::UnorderedOrLessThanOrEqual => (3, true),
                    FloatCC::UnorderedOrGreaterThan => (4, true),
                    FloatCC::UnorderedOrLessThan => (5, true),
                    _ => return self.unsupported(inst),
                };
                let (x, y) = (self.val(a), self.val(b));
                let v = self.v2(Op(base.0 + place), x, y);
                if negate {
                    self.op1(Op::V128_NOT, v, Ty::V128)
                } else {
                    v
                }
            }
            InstructionData::BinaryImm8 {
                opcode: Opcode::Extractlane,
                arg,
                imm,
            } => {
                let (op, ext) = match self.ty(arg).lane_type() {
                    types::I8 => (Op::I8X16_EXTRACT_LANE_U, Ext::ZERO),
                    types::I16 => (Op::I16X8_EXTRACT_LANE_U, Ext::ZERO),
                    types::I32 => (Op::I32X4_EXTRACT_LANE, Ext::ANY),
                    types::I64 => (Op::I64X2_EXTRACT_LANE, Ext::ANY),
                    types::F32 => (Op::F32X4_EXTRACT_LANE, Ext::ANY),
                    _ => (Op::F64X2_EXTRACT_LANE, Ext::ANY),
                };
                let x = self.val(arg);
                let ty = lower_type(self.ty(result))?.0;
                let v = self.pure(op, Imm::Lane(imm), &[x], ty);
                self.define(result, v, ext);
                return Ok(());
            }
            InstructionData::TernaryImm8 {
                opcode: Opcode::Insertlane,
                args: [a, b],
                imm,
            } => {
                let op = match self.ty(a).lane_type() {
                    types::I8 => Op::I8X16_REPLACE_LANE,
                    types::I16 => Op::I16X8_REPLACE_LANE,
                    types::I32 => Op::I32X4_REPLACE_LANE,
                    types::I64 => Op::I64X2_REPLACE_LANE,
                    types::F32 => Op::F32X4_REPLACE_LANE,
                    _ => Op::F64X2_REPLACE_LANE,
                };
                let (x, y) = (self.val(a), self.val(b));
                self.pure(op, Imm::Lane(imm), &[x, y], Ty::V128)
            }
            InstructionData::Ternary {
                opcode: Opcode::Bitselect,
                args: [c, a, b],
            } => {
                let (c, x, y) = (self.val(c), self.val(a), self.val(b));
                self.pure(Op::V128_BITSELECT, Imm::None, &[x, y, c], Ty::V128)
            }
            InstructionData::Unary { opcode, arg } => return self.vector_unary(inst, opcode, arg),
            InstructionData::Binary {
                opcode,
                args: [a, b],
            } => {
                let ty = self.ty(a);
                if matches!(opcode, Opcode::Ishl | Opcode::Ushr | Opcode::Sshr) {
                    let Some(f) = family(ty) else {
                        return self.unsupported(inst);
                    };
                    let place = match opcode {
                        Opcode::Ishl => 0,
                        Opcode::Sshr => 1,
                        _ => 2,
                    };
                    let x = self.val(a);
                    let n = self.val(b);
                    let n = if self.lir.vals[n].ty == Ty::I64 {
                        self.op1(Op::I32_WRAP_I64, n, Ty::I32)
                    } else {
                        n
                    };
                    self.v2(Op(Op::I8X16_SHL.0 + f + place), x, n)
                } else {
                    let (x, y) = (self.val(a), self.val(b));
                    let Some(op) = vector_binary(opcode, ty) else {
                        return self.unsupported(inst);
                    };
                    self.v2(op, x, y)
                }
            }
            _ => return self.unsupported(inst),
        };
        self.define(result, v, Ext::ANY);
        Ok(())
    }

    fn vector_unary(&mut self, inst: ir::Inst, opcode: Opcode, arg: ir::Value) -> Result<()> {
        let result = self.result(inst);
        let from = self.ty(arg);
        let x = self.val(arg);
        let double = from.lane_type() == types::F64;
        let pick = |single, dbl| if double { dbl } else { single };
        let fam = family(from);
        let op = match opcode {
            Opcode::Splat => match from {
                types::I8 => Op::I8X16_SPLAT,
                types::I16 => Op::I16X8_SPLAT,
                types::I32 => Op::I32X4_SPLAT,
                types::I64 => Op::I64X2_SPLAT,
                types::F32 => Op::F32X4_SPLAT,
                types::F64 => Op::F64X2_SPLAT,
                _ => return self.unsupported(inst),
            },
            Opcode::Bnot => Op::V128_NOT,
            Opcode::VanyTrue | Opcode::VallTrue | Opcode::VhighBits => {
                let op = match (opcode, fam) {
                    (Opcode::VanyTrue, _) => Op::V128_ANY_TRUE,
                    (Opcode::VallTrue, Some(f)) => Op(Op::I8X16_ALL_TRUE.0 + f),
                    (_, Some(f)) => Op(Op::I8X16_BITMASK.0 + f),
                    _ => return self.unsupported(inst),
                };
                let v = self.op1(op, x, Ty::I32);
                let v = if self.ty(result) == types::I64 {
                    self.op1(Op::I64_EXTEND_I32_U, v, Ty::I64)
                } else {
                    v
                };
                self.define(
                    result,
                    v,
                    if opcode == Opcode::VhighBits {
                        Ext::ANY
                    } else {
                        Ext::BOTH
                    },
                );
                return Ok(());
            }
            Opcode::Iabs | Opcode::Ineg => match fam {
                Some(f) => Op(Op::I8X16_ABS.0 + f + u32::from(opcode == Opcode::Ineg)),
                None => return self.unsupported(inst),
            },
            Opcode::Popcnt if from.lane_type() == types::I8 => Op::I8X16_POPCNT,
            Opcode::Fabs => pick(Op::F32X4_ABS, Op::F64X2_ABS),
            Opcode::Fneg => Op(pick(Op::F32X4_ABS, Op::F64X2_ABS).0 + 1),
            Opcode::Sqrt => Op(pick(Op::F32X4_ABS, Op::F64X2_ABS).0 + 3),
            Opcode::Ceil => pick(Op::F32X4_CEIL, Op::F64X2_CEIL),
            Opcode::Floor => pick(Op::F32X4_FLOOR, Op::F64X2_FLOOR),
            Opcode::Trunc => pick(Op::F32X4_TRUNC, Op::F64X2_TRUNC),
            Opcode::Nearest => pick(Op::F32X4_NEAREST, Op::F64X2_NEAREST),
            Opcode::SwidenLow | Opcode::SwidenHigh | Opcode::UwidenLow | Opcode::UwidenHigh => {
                let base = match from.lane_type() {
                    types::I8 => Op::I16X8_EXTEND_LOW_S,
                    types::I16 => Op::I32X4_EXTEND_LOW_S,
                    types::I32 => Op::I64X2_EXTEND_LOW_S,
                    _ => return self.unsupported(inst),
                };
                let place = match opcode {
                    Opcode::SwidenLow => 0,
                    Opcode::SwidenHigh => 1,
                    Opcode::UwidenLow => 2,
                    _ => 3,
                };
                Op(base.0 + place)
            }
            Opcode::FcvtToSintSat if !double => Op::I32X4_TRUNC_SAT_F32X4_S,
            Opcode::FcvtToUintSat if !double => Op::I32X4_TRUNC_SAT_F32X4_U,
            Opcode::FcvtFromSint if from == types::I32X4 => Op::F32X4_CONVERT_I32X4_S,
            Opcode::FcvtFromUint if from == types::I32X4 => Op::F32X4_CONVERT_I32X4_U,
            Opcode::Fvdemote => Op::F32X4_DEMOTE_F64X2_ZERO,
            Opcode::FvpromoteLow => Op::F64X2_PROMOTE_LOW_F32X4,
            _ => return self.unsupported(inst),
        };
        let v = self.op1(op, x, Ty::V128);
        self.define(result, v, Ext::ANY);
        Ok(())
    }
}

fn vector_compare(cond: IntCC, ty: Type) -> Option<Op> {
    // eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
    let place = match cond {
        IntCC::Equal => 0,
        IntCC::NotEqual => 1,
        IntCC::SignedLessThan => 2,
        IntCC::UnsignedLessThan => 3,
        IntCC::SignedGreaterThan => 4,
        IntCC::UnsignedGreaterThan => 5,
        IntCC::SignedLessThanOrEqual => 6,
        IntCC::UnsignedLessThanOrEqual => 7,
        IntCC::SignedGreaterThanOrEqual => 8,
        IntCC::UnsignedGreaterThanOrEqual => 9,
    };
    let base = match ty.lane_type() {
        types::I8 => Op::I8X16_EQ,
        types::I16 => Op::I16X8_EQ,
        types::I32 => Op::I32X4_EQ,
        types::I64 => {
            // Only signed comparisons exist: eq ne lt gt le ge.
            let place = match place {
                0 | 1 => place,
                2 => 2,
                4 => 3,
                6 => 4,
                8 => 5,
                _ => return None,
            };
            return Some(Op(Op::I64X2_EQ.0 + place));
        }
        _ => return None,
    };
    Some(Op(base.0 + place))
}

fn vector_binary(opcode: Opcode, ty: Type) -> Option<Op> {
    let lane = ty.lane_type();
    match opcode {
        Opcode::Band => return Some(Op::V128_AND),
        Opcode::Bor => return Some(Op::V128_OR),
        Opcode::Bxor => return Some(Op::V128_XOR),
        Opcode::Swizzle if lane == types::I8 => return Some(Op::I8X16_SWIZZLE),
        _ => {}
    }
    if lane.is_float() {
        let base = if lane == types::F64 {
            Op::F64X2_ABS
        } else {
            Op::F32X4_ABS
        };
        // abs neg _ sqrt add sub mul div min max
        let place = match opcode {
            Opcode::Fadd => 4,
            Opcode::Fsub => 5,
            Opcode::Fmul => 6,
            Opcode::Fdiv => 7,
            Opcode::Fmin => 8,
            Opcode::Fmax => 9,
            _ => return None,
        };
        return Some(Op(base.0 + place));
    }
    let f = family(ty)?;
    let small = f <= 32;
    let upto32 = f <= 64;
    let at = |op: Op| Some(Op(op.0 + f));
    match opcode {
        Opcode::Iadd => at(Op::I8X16_ADD),
        Opcode::Isub => at(Op::I8X16_SUB),
        Opcode::SaddSat if small => at(Op::I8X16_ADD_SAT_S),
        Opcode::UaddSat if small => at(Op::I8X16_ADD_SAT_U),
        Opcode::SsubSat if small => at(Op::I8X16_SUB_SAT_S),
        Opcode::UsubSat if small => at(Op::I8X16_SUB_SAT_U),
        Opcode::Smin if upto32 => at(Op::I8X16_MIN_S),
        Opcode::Umin if upto32 => at(Op(Op::I8X16_MIN_S.0 + 1)),
        Opcode::Smax if upto32 => at(Op(Op::I8X16_MIN_S.0 + 2)),
        Opcode::Umax if upto32 => at(Op(Op::I8X16_MIN_S.0 + 3)),
        Opcode::AvgRound if small => at(Op::I8X16_AVGR_U),
        Opcode::Imul => match lane {
            types::I16 => Some(Op::I16X8_MUL),
            types::I32 => Some(Op::I32X4_MUL),
            types::I64 => Some(Op::I64X2_MUL),
            _ => None,
        },
        Opcode::SqmulRoundSat if lane == types::I16 => Some(Op::I16X8_Q15MULR_SAT_S),
        Opcode::Snarrow if lane == types::I16 => Some(Op::I8X16_NARROW_S),
        Opcode::Unarrow if lane == types::I16 => Some(Op::I8X16_NARROW_U),
        Opcode::Snarrow if lane == types::I32 => Some(Op::I16X8_NARROW_S),
        Opcode::Unarrow if lane == types::I32 => Some(Op::I16X8_NARROW_U),
        _ => None,
    }
}
