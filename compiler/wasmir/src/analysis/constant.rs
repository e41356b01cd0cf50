//! What integer operators compute of constants.
//!
//! Constants are given and returned as [`crate::Inst::Const`] holds them: zero-extended to 64 bits. An operator that would trap, and
//! one of floats, vectors or references, has no value here. (What of floats is not determined, the bits of a NaN, is the
//! engine's choice, not ours.)

use crate::op::{Opcode, OperandTy};
use crate::types::Type;

/// The width of an operator's first operand, if that is an integer of up to 64 bits.
fn width(op: Opcode) -> Option<u32> {
    match op.info().params.first() {
        Some(OperandTy::Val(ty)) => bits(*ty),
        _ => None,
    }
}

/// The width of an integer type of up to 64 bits.
fn bits(ty: Type) -> Option<u32> {
    match ty {
        Type::I8 => Some(8),
        Type::I16 => Some(16),
        Type::I32 => Some(32),
        Type::I64 => Some(64),
        _ => None,
    }
}

/// The lower `width` bits.
fn cut(value: u64, width: u32) -> u64 {
    value & (u64::MAX >> (64 - width))
}

/// The lower `width` bits as a signed number.
fn signed(value: u64, width: u32) -> i64 {
    (value << (64 - width)) as i64 >> (64 - width)
}

/// The value of an operator on one constant.
pub fn unary(op: Opcode, x: u64) -> Option<u64> {
    use Opcode::*;
    let from = width(op)?;
    let x = cut(x, from);
    let to = match op.info().results {
        [OperandTy::Val(ty)] => bits(*ty)?,
        _ => return None,
    };
    let value = match op {
        I8Eqz | I16Eqz | I32Eqz | I64Eqz => u64::from(x == 0),
        I8Clz | I16Clz | I32Clz | I64Clz => u64::from(x.leading_zeros() - (64 - from)),
        I8Ctz | I16Ctz | I32Ctz | I64Ctz => u64::from(x.trailing_zeros().min(from)),
        I8Popcnt | I16Popcnt | I32Popcnt | I64Popcnt => u64::from(x.count_ones()),
        I32Extend8S | I64Extend8S => signed(x, 8) as u64,
        I32Extend16S | I64Extend16S => signed(x, 16) as u64,
        I64Extend32S => signed(x, 32) as u64,
        I16ExtendI8S | I32ExtendI8S | I64ExtendI8S | I32ExtendI16S | I64ExtendI16S
        | I64ExtendI32S => signed(x, from) as u64,
        I16ExtendI8U | I32ExtendI8U | I64ExtendI8U | I32ExtendI16U | I64ExtendI16U
        | I64ExtendI32U => x,
        I8WrapI16 | I8WrapI32 | I8WrapI64 | I16WrapI32 | I16WrapI64 | I32WrapI64 => x,
        _ => return None,
    };
    Some(cut(value, to))
}

/// The value of an operator on two constants.
pub fn binary(op: Opcode, x: u64, y: u64) -> Option<u64> {
    use Opcode::*;
    let w = width(op)?;
    let (x, y) = (cut(x, w), cut(y, w));
    let (sx, sy) = (signed(x, w), signed(y, w));
    let amount = (y % u64::from(w)) as u32;
    let value = match op {
        I8Add | I16Add | I32Add | I64Add => x.wrapping_add(y),
        I8Sub | I16Sub | I32Sub | I64Sub => x.wrapping_sub(y),
        I8Mul | I16Mul | I32Mul | I64Mul => x.wrapping_mul(y),
        I8And | I16And | I32And | I64And => x & y,
        I8Or | I16Or | I32Or | I64Or => x | y,
        I8Xor | I16Xor | I32Xor | I64Xor => x ^ y,
        I8Shl | I16Shl | I32Shl | I64Shl => x << amount,
        I8ShrU | I16ShrU | I32ShrU | I64ShrU => x >> amount,
        I8ShrS | I16ShrS | I32ShrS | I64ShrS => (sx >> amount) as u64,
        I8Rotl | I16Rotl | I32Rotl | I64Rotl => rotate_left(x, amount, w),
        I8Rotr | I16Rotr | I32Rotr | I64Rotr => rotate_left(x, (w - amount) % w, w),
        I8DivU | I16DivU | I32DivU | I64DivU => x.checked_div(y)?,
        I8RemU | I16RemU | I32RemU | I64RemU => x.checked_rem(y)?,
        I8DivS | I16DivS | I32DivS | I64DivS => {
            // The quotient that does not fit traps.
            let quotient = sx.checked_div(sy)?;
            if signed(quotient as u64, w) != quotient {
                return None;
            }
            quotient as u64
        }
        I8RemS | I16RemS | I32RemS | I64RemS if y != 0 => sx.wrapping_rem(sy) as u64,
        I8Eq | I16Eq | I32Eq | I64Eq => return Some(u64::from(x == y)),
        I8Ne | I16Ne | I32Ne | I64Ne => return Some(u64::from(x != y)),
        I8LtU | I16LtU | I32LtU | I64LtU => return Some(u64::from(x < y)),
        I8GtU | I16GtU | I32GtU | I64GtU => return Some(u64::from(x > y)),
        I8LeU | I16LeU | I32LeU | I64LeU => return Some(u64::from(x <= y)),
        I8GeU | I16GeU | I32GeU | I64GeU => return Some(u64::from(x >= y)),
        I8LtS | I16LtS | I32LtS | I64LtS => return Some(u64::from(sx < sy)),
        I8GtS | I16GtS | I32GtS | I64GtS => return Some(u64::from(sx > sy)),
        I8LeS | I16LeS | I32LeS | I64LeS => return Some(u64::from(sx <= sy)),
        I8GeS | I16GeS | I32GeS | I64GeS => return Some(u64::from(sx >= sy)),
        _ => return None,
    };
    Some(cut(value, w))
}

fn rotate_left(x: u64, amount: u32, width: u32) -> u64 {
    match amount {
        0 => x,
        _ => x << amount | x >> (width - amount),
    }
}

/// Whether an operator's result is always 0 or 1.
pub fn is_truth(op: Opcode) -> bool {
    use Opcode::*;
    matches!(
        op,
        I8Eqz
            | I8Eq
            | I8Ne
            | I8LtS
            | I8LtU
            | I8GtS
            | I8GtU
            | I8LeS
            | I8LeU
            | I8GeS
            | I8GeU
            | I16Eqz
            | I16Eq
            | I16Ne
            | I16LtS
            | I16LtU
            | I16GtS
            | I16GtU
            | I16LeS
            | I16LeU
            | I16GeS
            | I16GeU
            | I32Eqz
            | I32Eq
            | I32Ne
            | I32LtS
            | I32LtU
            | I32GtS
            | I32GtU
            | I32LeS
            | I32LeU
            | I32GeS
            | I32GeU
            | I64Eqz
            | I64Eq
            | I64Ne
            | I64LtS
            | I64LtU
            | I64GtS
            | I64GtU
            | I64LeS
            | I64LeU
            | I64GeS
            | I64GeU
            | F32Eq
            | F32Ne
            | F32Lt
            | F32Gt
            | F32Le
            | F32Ge
            | F64Eq
            | F64Ne
            | F64Lt
            | F64Gt
            | F64Le
            | F64Ge
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Opcode::*;

    #[test]
    fn narrow_operators_stay_in_their_width() {
        assert_eq!(binary(I8Add, 200, 100), Some(44));
        assert_eq!(binary(I8ShrS, 0x80, 9), Some(0xc0));
        assert_eq!(binary(I16Rotr, 1, 1), Some(0x8000));
        assert_eq!(binary(I32Rotl, 0x8000_0001, 32), Some(0x8000_0001));
        assert_eq!(binary(I32Sub, 0, 1), Some(0xffff_ffff));
        assert_eq!(binary(I32LtS, 0xffff_ffff, 0), Some(1));
        assert_eq!(binary(I32LtU, 0xffff_ffff, 0), Some(0));
        assert_eq!(unary(I8Clz, 1), Some(7));
        assert_eq!(unary(I16Ctz, 0), Some(16));
        assert_eq!(unary(I32Extend8S, 0x80), Some(0xffff_ff80));
        assert_eq!(
            unary(I64ExtendI32S, 0x8000_0000),
            Some(0xffff_ffff_8000_0000)
        );
        assert_eq!(unary(I32WrapI64, 0x1_0000_0002), Some(2));
    }

    #[test]
    fn what_traps_has_no_value() {
        assert_eq!(binary(I32DivU, 1, 0), None);
        assert_eq!(binary(I32RemS, 1, 0), None);
        assert_eq!(binary(I32DivS, 0x8000_0000, 0xffff_ffff), None);
        assert_eq!(binary(I64DivS, 1 << 63, u64::MAX), None);
        assert_eq!(binary(I8DivS, 0x80, 0xff), None);
        assert_eq!(binary(I32RemS, 0x8000_0000, 0xffff_ffff), Some(0));
        assert_eq!(binary(I64RemS, 1 << 63, u64::MAX), Some(0));
        assert_eq!(binary(F32Add, 1, 1), None);
    }
}
