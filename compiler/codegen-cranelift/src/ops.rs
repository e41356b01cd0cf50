//! WebAssembly's operators as the emitter names them.
//!
//! An [`Op`] is the operator's own encoding (prefix byte and sub-opcode) in a `u32`, so writing one is
//! a shift and a LEB128. Only the operators that lowering itself produces are named here; any
//! other arrives as a [`SideOp`](crate::env::SideOp) with its bytes.
//!
//! [`Effects`] say which reorderings are allowed. They are exact for what a host can observe: memory after
//! a trap counts, and so does which of two different traps comes first.

/// An operator: single byte (`0x00..=0xff`) or `prefix << 16 | sub-opcode`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Op(pub u32);

/// What an operator may do besides computing its results.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Effects(pub u8);

impl Effects {
    /// Nothing: may be moved, duplicated or dropped.
    pub const NONE: Effects = Effects(0);
    /// Reads linear memory.
    pub const READ_MEM: Effects = Effects(1);
    /// Writes linear memory.
    pub const WRITE_MEM: Effects = Effects(2);
    /// Reads a global or a pinned local.
    pub const READ_STATE: Effects = Effects(4);
    /// Writes a global or a pinned local.
    pub const WRITE_STATE: Effects = Effects(8);
    /// May trap with "out of bounds memory access", and in no other way.
    pub const TRAP_MEM: Effects = Effects(16);
    /// May trap in any other way.
    pub const TRAP: Effects = Effects(32);
    /// Anything: calls, table and reference operators, fences.
    pub const SIDE: Effects = Effects(64);
    /// The number of distinct effect bits.
    pub const COUNT: usize = 7;

    /// Both sets together.
    pub const fn with(self, other: Effects) -> Effects {
        Effects(self.0 | other.0)
    }

    /// True when no effect is present.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// True when an unused operator with these effects may be removed.
    pub const fn removable(self) -> bool {
        self.0 & !(Self::READ_MEM.0 | Self::READ_STATE.0) == 0
    }

    /// The effects that an operator with `self` must not be moved across.
    pub const fn conflicts(self) -> Effects {
        let traps = Self::TRAP_MEM.0 | Self::TRAP.0;
        let writes = Self::WRITE_MEM.0 | Self::WRITE_STATE.0;
        let mut mask = 0;
        if self.0 & Self::READ_MEM.0 != 0 {
            mask |= Self::WRITE_MEM.0 | Self::SIDE.0;
        }
        if self.0 & Self::WRITE_MEM.0 != 0 {
            mask |= Self::READ_MEM.0 | Self::WRITE_MEM.0 | traps | Self::SIDE.0;
        }
        if self.0 & Self::READ_STATE.0 != 0 {
            mask |= Self::WRITE_STATE.0 | Self::SIDE.0;
        }
        if self.0 & Self::WRITE_STATE.0 != 0 {
            mask |= Self::READ_STATE.0 | Self::WRITE_STATE.0 | traps | Self::SIDE.0;
        }
        if self.0 & Self::TRAP_MEM.0 != 0 {
            mask |= writes | Self::TRAP.0 | Self::SIDE.0;
        }
        if self.0 & Self::TRAP.0 != 0 {
            mask |= writes | traps | Self::SIDE.0;
        }
        if self.0 & Self::SIDE.0 != 0 {
            mask |= 0x7f;
        }
        Effects(mask)
    }
}

macro_rules! ops {
    ($($name:ident = $code:expr,)*) => {
        impl Op {
            $(#[doc = concat!("Encoding of `", stringify!($name), "`.")] pub const $name: Op = Op($code);)*
        }
    };
}

const FC: u32 = 0xfc << 16;
const FD: u32 = 0xfd << 16;
const FE: u32 = 0xfe << 16;

ops! {
    UNREACHABLE = 0x00, RETURN = 0x0f, CALL = 0x10, CALL_INDIRECT = 0x11, RETURN_CALL = 0x12,
    RETURN_CALL_INDIRECT = 0x13, DROP = 0x1a, SELECT = 0x1b,
    GLOBAL_GET = 0x23, GLOBAL_SET = 0x24,
    I32_LOAD = 0x28, I64_LOAD = 0x29, F32_LOAD = 0x2a, F64_LOAD = 0x2b,
    I32_LOAD8_S = 0x2c, I32_LOAD8_U = 0x2d, I32_LOAD16_S = 0x2e, I32_LOAD16_U = 0x2f,
    I64_LOAD8_S = 0x30, I64_LOAD8_U = 0x31, I64_LOAD16_S = 0x32, I64_LOAD16_U = 0x33,
    I64_LOAD32_S = 0x34, I64_LOAD32_U = 0x35,
    I32_STORE = 0x36, I64_STORE = 0x37, F32_STORE = 0x38, F64_STORE = 0x39,
    I32_STORE8 = 0x3a, I32_STORE16 = 0x3b, I64_STORE8 = 0x3c, I64_STORE16 = 0x3d, I64_STORE32 = 0x3e,
    I32_CONST = 0x41, I64_CONST = 0x42, F32_CONST = 0x43, F64_CONST = 0x44,
    I32_EQZ = 0x45, I32_EQ = 0x46, I32_NE = 0x47, I32_LT_S = 0x48, I32_LT_U = 0x49, I32_GT_S = 0x4a,
    I32_GT_U = 0x4b, I32_LE_S = 0x4c, I32_LE_U = 0x4d, I32_GE_S = 0x4e, I32_GE_U = 0x4f,
    I64_EQZ = 0x50, I64_EQ = 0x51, I64_NE = 0x52, I64_LT_S = 0x53, I64_LT_U = 0x54, I64_GT_S = 0x55,
    I64_GT_U = 0x56, I64_LE_S = 0x57, I64_LE_U = 0x58, I64_GE_S = 0x59, I64_GE_U = 0x5a,
    F32_EQ = 0x5b, F32_NE = 0x5c, F32_LT = 0x5d, F32_GT = 0x5e, F32_LE = 0x5f, F32_GE = 0x60,
    F64_EQ = 0x61, F64_NE = 0x62, F64_LT = 0x63, F64_GT = 0x64, F64_LE = 0x65, F64_GE = 0x66,
    I32_CLZ = 0x67, I32_CTZ = 0x68, I32_POPCNT = 0x69, I32_ADD = 0x6a, I32_SUB = 0x6b, I32_MUL = 0x6c,
    I32_DIV_S = 0x6d, I32_DIV_U = 0x6e, I32_REM_S = 0x6f, I32_REM_U = 0x70, I32_AND = 0x71, I32_OR = 0x72,
    I32_XOR = 0x73, I32_SHL = 0x74, I32_SHR_S = 0x75, I32_SHR_U = 0x76, I32_ROTL = 0x77, I32_ROTR = 0x78,
    I64_CLZ = 0x79, I64_CTZ = 0x7a, I64_POPCNT = 0x7b, I64_ADD = 0x7c, I64_SUB = 0x7d, I64_MUL = 0x7e,
    I64_DIV_S = 0x7f, I64_DIV_U = 0x80, I64_REM_S = 0x81, I64_REM_U = 0x82, I64_AND = 0x83, I64_OR = 0x84,
    I64_XOR = 0x85, I64_SHL = 0x86, I64_SHR_S = 0x87, I64_SHR_U = 0x88, I64_ROTL = 0x89, I64_ROTR = 0x8a,
    F32_ABS = 0x8b, F32_NEG = 0x8c, F32_CEIL = 0x8d, F32_FLOOR = 0x8e, F32_TRUNC = 0x8f, F32_NEAREST = 0x90,
    F32_SQRT = 0x91, F32_ADD = 0x92, F32_SUB = 0x93, F32_MUL = 0x94, F32_DIV = 0x95, F32_MIN = 0x96,
    F32_MAX = 0x97, F32_COPYSIGN = 0x98,
    F64_ABS = 0x99, F64_NEG = 0x9a, F64_CEIL = 0x9b, F64_FLOOR = 0x9c, F64_TRUNC = 0x9d, F64_NEAREST = 0x9e,
    F64_SQRT = 0x9f, F64_ADD = 0xa0, F64_SUB = 0xa1, F64_MUL = 0xa2, F64_DIV = 0xa3, F64_MIN = 0xa4,
    F64_MAX = 0xa5, F64_COPYSIGN = 0xa6,
    I32_WRAP_I64 = 0xa7, I32_TRUNC_F32_S = 0xa8, I32_TRUNC_F32_U = 0xa9, I32_TRUNC_F64_S = 0xaa,
    I32_TRUNC_F64_U = 0xab, I64_EXTEND_I32_S = 0xac, I64_EXTEND_I32_U = 0xad, I64_TRUNC_F32_S = 0xae,
    I64_TRUNC_F32_U = 0xaf, I64_TRUNC_F64_S = 0xb0, I64_TRUNC_F64_U = 0xb1, F32_CONVERT_I32_S = 0xb2,
    F32_CONVERT_I32_U = 0xb3, F32_CONVERT_I64_S = 0xb4, F32_CONVERT_I64_U = 0xb5, F32_DEMOTE_F64 = 0xb6,
    F64_CONVERT_I32_S = 0xb7, F64_CONVERT_I32_U = 0xb8, F64_CONVERT_I64_S = 0xb9, F64_CONVERT_I64_U = 0xba,
    F64_PROMOTE_F32 = 0xbb, I32_REINTERPRET_F32 = 0xbc, I64_REINTERPRET_F64 = 0xbd,
    F32_REINTERPRET_I32 = 0xbe, F64_REINTERPRET_I64 = 0xbf,
    I32_EXTEND8_S = 0xc0, I32_EXTEND16_S = 0xc1, I64_EXTEND8_S = 0xc2, I64_EXTEND16_S = 0xc3,
    I64_EXTEND32_S = 0xc4,
    I32_TRUNC_SAT_F32_S = FC, I32_TRUNC_SAT_F32_U = FC | 1, I32_TRUNC_SAT_F64_S = FC | 2,
    I32_TRUNC_SAT_F64_U = FC | 3, I64_TRUNC_SAT_F32_S = FC | 4, I64_TRUNC_SAT_F32_U = FC | 5,
    I64_TRUNC_SAT_F64_S = FC | 6, I64_TRUNC_SAT_F64_U = FC | 7,
    V128_LOAD = FD, V128_LOAD8X8_S = FD | 1, V128_LOAD8X8_U = FD | 2, V128_LOAD16X4_S = FD | 3,
    V128_LOAD16X4_U = FD | 4, V128_LOAD32X2_S = FD | 5, V128_LOAD32X2_U = FD | 6,
    V128_STORE = FD | 11, V128_CONST = FD | 12, I8X16_SHUFFLE = FD | 13, I8X16_SWIZZLE = FD | 14,
    I8X16_SPLAT = FD | 15, I16X8_SPLAT = FD | 16, I32X4_SPLAT = FD | 17, I64X2_SPLAT = FD | 18,
    F32X4_SPLAT = FD | 19, F64X2_SPLAT = FD | 20,
    I8X16_EXTRACT_LANE_U = FD | 22, I8X16_REPLACE_LANE = FD | 23, I16X8_EXTRACT_LANE_U = FD | 25,
    I16X8_REPLACE_LANE = FD | 26, I32X4_EXTRACT_LANE = FD | 27, I32X4_REPLACE_LANE = FD | 28,
    I64X2_EXTRACT_LANE = FD | 29, I64X2_REPLACE_LANE = FD | 30, F32X4_EXTRACT_LANE = FD | 31,
    F32X4_REPLACE_LANE = FD | 32, F64X2_EXTRACT_LANE = FD | 33, F64X2_REPLACE_LANE = FD | 34,
    I8X16_EQ = FD | 35, I16X8_EQ = FD | 45, I32X4_EQ = FD | 55, F32X4_EQ = FD | 65, F64X2_EQ = FD | 71,
    V128_NOT = FD | 77, V128_AND = FD | 78, V128_ANDNOT = FD | 79, V128_OR = FD | 80, V128_XOR = FD | 81,
    V128_BITSELECT = FD | 82, V128_ANY_TRUE = FD | 83,
    F32X4_DEMOTE_F64X2_ZERO = FD | 94, F64X2_PROMOTE_LOW_F32X4 = FD | 95,
    I8X16_ABS = FD | 96, I8X16_NEG = FD | 97, I8X16_POPCNT = FD | 98, I8X16_ALL_TRUE = FD | 99,
    I8X16_BITMASK = FD | 100, I8X16_NARROW_S = FD | 101, I8X16_NARROW_U = FD | 102,
    F32X4_CEIL = FD | 103, F32X4_FLOOR = FD | 104, F32X4_TRUNC = FD | 105, F32X4_NEAREST = FD | 106,
    I8X16_SHL = FD | 107, I8X16_SHR_S = FD | 108, I8X16_SHR_U = FD | 109, I8X16_ADD = FD | 110,
    I8X16_ADD_SAT_S = FD | 111, I8X16_ADD_SAT_U = FD | 112, I8X16_SUB = FD | 113,
    I8X16_SUB_SAT_S = FD | 114, I8X16_SUB_SAT_U = FD | 115, F64X2_CEIL = FD | 116, F64X2_FLOOR = FD | 117,
    I8X16_MIN_S = FD | 118, F64X2_TRUNC = FD | 122, I8X16_AVGR_U = FD | 123,
    I16X8_EXTADD_S = FD | 124,
    I16X8_ABS = FD | 128, I16X8_Q15MULR_SAT_S = FD | 130, I16X8_NARROW_S = FD | 133,
    I16X8_NARROW_U = FD | 134, I16X8_EXTEND_LOW_S = FD | 135,
    F64X2_NEAREST = FD | 148, I16X8_AVGR_U = FD | 155, I16X8_ADD = FD | 142, I16X8_MUL = FD | 149,
    I32X4_ABS = FD | 160, I32X4_MUL = FD | 181, I32X4_EXTEND_LOW_S = FD | 167,
    I64X2_ABS = FD | 192, I64X2_EXTEND_LOW_S = FD | 199, I64X2_MUL = FD | 213, I64X2_EQ = FD | 214,
    F32X4_ABS = FD | 224, F64X2_ABS = FD | 236,
    I32X4_TRUNC_SAT_F32X4_S = FD | 248, I32X4_TRUNC_SAT_F32X4_U = FD | 249,
    F32X4_CONVERT_I32X4_S = FD | 250, F32X4_CONVERT_I32X4_U = FD | 251,
    ATOMIC_FENCE = FE | 3,
    I32_ATOMIC_LOAD = FE | 0x10, I64_ATOMIC_LOAD = FE | 0x11, I32_ATOMIC_LOAD8_U = FE | 0x12,
    I32_ATOMIC_LOAD16_U = FE | 0x13, I64_ATOMIC_LOAD8_U = FE | 0x14, I64_ATOMIC_LOAD16_U = FE | 0x15,
    I64_ATOMIC_LOAD32_U = FE | 0x16,
    I32_ATOMIC_STORE = FE | 0x17, I64_ATOMIC_STORE = FE | 0x18, I32_ATOMIC_STORE8 = FE | 0x19,
    I32_ATOMIC_STORE16 = FE | 0x1a, I64_ATOMIC_STORE8 = FE | 0x1b, I64_ATOMIC_STORE16 = FE | 0x1c,
    I64_ATOMIC_STORE32 = FE | 0x1d,
    I32_ATOMIC_RMW_ADD = FE | 0x1e, I32_ATOMIC_RMW_SUB = FE | 0x25, I32_ATOMIC_RMW_AND = FE | 0x2c,
    I32_ATOMIC_RMW_OR = FE | 0x33, I32_ATOMIC_RMW_XOR = FE | 0x3a, I32_ATOMIC_RMW_XCHG = FE | 0x41,
    I32_ATOMIC_RMW_CMPXCHG = FE | 0x48,
    // Not encodings: things of the emitter's own, above any prefix byte.
    SIDE = 0x100_0000, PIN_GET = 0x100_0001, PIN_SET = 0x100_0002, SYMBOL = 0x100_0003,
    TRAP_IF = 0x100_0004, TRAP_IF_ZERO = 0x100_0005,
}

impl Op {
    /// The effects of a plain operator. Loads and stores are told apart by code range; side operators
    /// carry their own.
    pub fn effects(self) -> Effects {
        use Effects as E;
        let load = E::READ_MEM.with(E::TRAP_MEM);
        let store = E::WRITE_MEM.with(E::TRAP_MEM);
        match self.0 {
            0x00 => E::SIDE,
            0x10..=0x15 => E::SIDE,
            0x23 => E::READ_STATE,
            0x24 => E::WRITE_STATE,
            0x28..=0x35 => load,
            0x36..=0x3e => store,
            0x6d..=0x70 | 0x7f..=0x82 => E::TRAP,
            0xa8..=0xab | 0xae..=0xb1 => E::TRAP,
            c if c >> 16 == 0xfd => match c & 0xffff {
                0..=10 | 92 | 93 => load,
                11 => store,
                _ => E::NONE,
            },
            c if c >> 16 == 0xfe => E::SIDE,
            c if c == Op::PIN_GET.0 => E::READ_STATE,
            c if c == Op::PIN_SET.0 => E::WRITE_STATE,
            c if c == Op::TRAP_IF.0 || c == Op::TRAP_IF_ZERO.0 => E::TRAP,
            c if c == Op::SIDE.0 => E::SIDE,
            _ => E::NONE,
        }
    }

    /// True for binary operators whose operands may be swapped.
    pub fn is_commutative(self) -> bool {
        matches!(
            self.0,
            0x46 | 0x47 | 0x51 | 0x52 | 0x5b | 0x5c | 0x61 | 0x62 | 0x6a | 0x6c | 0x71..=0x73 | 0x7c | 0x7e | 0x83..=0x85
        )
    }

    /// The comparison that gives the same answer with its operands swapped.
    pub fn swapped(self) -> Option<Op> {
        Some(Op(match self.0 {
            // lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
            c @ (0x48 | 0x49 | 0x53 | 0x54) => c + 2,
            c @ (0x4a | 0x4b | 0x55 | 0x56) => c - 2,
            c @ (0x4c | 0x4d | 0x57 | 0x58) => c + 2,
            c @ (0x4e | 0x4f | 0x59 | 0x5a) => c - 2,
            // lt gt le ge
            c @ (0x5d | 0x5f | 0x63 | 0x65) => c + 1,
            c @ (0x5e | 0x60 | 0x64 | 0x66) => c - 1,
            c if self.is_commutative() => c,
            _ => return None,
        }))
    }

    /// The comparison that gives the opposite answer (integers; of floats only equality has one).
    pub fn inverted(self) -> Option<Op> {
        Some(Op(match self.0 {
            c @ (0x46 | 0x51 | 0x5b | 0x61) => c + 1,
            c @ (0x47 | 0x52 | 0x5c | 0x62) => c - 1,
            c @ (0x48 | 0x49 | 0x53 | 0x54) => c + 6, // lt -> ge
            c @ (0x4e | 0x4f | 0x59 | 0x5a) => c - 6,
            c @ (0x4a | 0x4b | 0x55 | 0x56) => c + 2, // gt -> le
            c @ (0x4c | 0x4d | 0x57 | 0x58) => c - 2,
            _ => return None,
        }))
    }

    /// Bytes of the operator itself, without immediates.
    pub fn size(self) -> u32 {
        if self.0 < 0x100 {
            1
        } else if self.0 & 0xffff < 0x80 {
            2
        } else {
            3
        }
    }

    /// Appends the operator's encoding, without immediates.
    pub fn encode(self, out: &mut Vec<u8>) {
        if self.0 < 0x100 {
            out.push(self.0 as u8);
        } else {
            out.push((self.0 >> 16) as u8);
            crate::leb::unsigned(out, u64::from(self.0 & 0xffff));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversion_and_swapping_are_involutions() {
        for code in 0x45..0x67 {
            let op = Op(code);
            if let Some(i) = op.inverted() {
                assert_eq!(i.inverted(), Some(op));
            }
            if let Some(s) = op.swapped() {
                assert_eq!(s.swapped(), Some(op));
            }
        }
        assert_eq!(Op::I32_LT_S.inverted(), Some(Op::I32_GE_S));
        assert_eq!(Op::I64_GT_U.inverted(), Some(Op::I64_LE_U));
        assert_eq!(Op::F64_LT.inverted(), None, "NaN makes both false");
        assert_eq!(Op::F32_LT.swapped(), Some(Op::F32_GT));
        assert_eq!(Op::F32_LE.swapped(), Some(Op::F32_GE));
    }

    #[test]
    fn conflicts_are_symmetric() {
        for a in 0..Effects::COUNT {
            for b in 0..Effects::COUNT {
                let (ea, eb) = (Effects(1 << a), Effects(1 << b));
                assert_eq!(
                    ea.conflicts().0 & eb.0 != 0,
                    eb.conflicts().0 & ea.0 != 0,
                    "{a} {b}"
                );
            }
        }
    }
}
