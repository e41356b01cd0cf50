//! Operators on plain values: those that mean the same in CLIF, by their place in wasm's list.

use super::{Translator, clif_type};
use crate::error::Result;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use wasmir::{Local, Opcode, Type};

impl Translator<'_, '_> {
    /// A plain operator: as CLIF where CLIF means the same, else as a side operator.
    pub(super) fn operator(
        &mut self,
        op: Opcode,
        imm: Option<wasmir::Imm>,
        results: &[Local],
        args: &[Local],
    ) -> Result<()> {
        let info = op.info();
        let any_ref = results
            .iter()
            .chain(args)
            .any(|&l| self.body.locals[l].is_ref());
        if any_ref || results.len() != 1 || imm.is_some() {
            return self.side_operator(op, imm, results, args);
        }
        let vals = args
            .iter()
            .map(|&a| self.get(a))
            .collect::<Result<smallvec::SmallVec<[Value; 3]>>>()?;
        let v = match info.prefix {
            0 => self.scalar(info.code, &vals),
            0xfc if info.code < 8 => Some(self.saturating(info.code, vals[0])),
            wasmir::WASMIR_PREFIX => {
                self.rust_integer(info.code, &vals, self.body.locals[results[0]])
            }
            _ => None,
        };
        match v {
            Some(v) => self.def(results[0], v),
            None => self.side_operator(op, imm, results, args),
        }
    }

    fn boolean(&mut self, v: Value) -> Value {
        self.b.ins().uextend(types::I32, v)
    }

    fn icmp(&mut self, cc: IntCC, a: Value, b: Value) -> Value {
        let v = self.b.ins().icmp(cc, a, b);
        self.boolean(v)
    }

    fn eqz(&mut self, a: Value) -> Value {
        let ty = self.b.func.dfg.value_type(a);
        let z = if ty == types::I128 {
            let half = self.b.ins().iconst(types::I64, 0);
            self.b.ins().uextend(types::I128, half)
        } else {
            self.b.ins().iconst(ty, 0)
        };
        self.icmp(IntCC::Equal, a, z)
    }

    fn compare(&mut self, place: u32, v: &[Value]) -> Value {
        const ORDER: [IntCC; 10] = [
            IntCC::Equal,
            IntCC::NotEqual,
            IntCC::SignedLessThan,
            IntCC::UnsignedLessThan,
            IntCC::SignedGreaterThan,
            IntCC::UnsignedGreaterThan,
            IntCC::SignedLessThanOrEqual,
            IntCC::UnsignedLessThanOrEqual,
            IntCC::SignedGreaterThanOrEqual,
            IntCC::UnsignedGreaterThanOrEqual,
        ];
        self.icmp(ORDER[place as usize], v[0], v[1])
    }

    fn fcompare(&mut self, place: u32, v: &[Value]) -> Value {
        const ORDER: [FloatCC; 6] = [
            FloatCC::Equal,
            FloatCC::NotEqual,
            FloatCC::LessThan,
            FloatCC::GreaterThan,
            FloatCC::LessThanOrEqual,
            FloatCC::GreaterThanOrEqual,
        ];
        let c = self.b.ins().fcmp(ORDER[place as usize], v[0], v[1]);
        self.boolean(c)
    }

    fn saturating(&mut self, code: u32, v: Value) -> Value {
        let ty = if code < 4 { types::I32 } else { types::I64 };
        if code.is_multiple_of(2) {
            self.b.ins().fcvt_to_sint_sat(ty, v)
        } else {
            self.b.ins().fcvt_to_uint_sat(ty, v)
        }
    }

    /// The single-byte operators.
    fn scalar(&mut self, code: u32, v: &[Value]) -> Option<Value> {
        use types::{F32, F64, I8, I16, I32, I64};
        Some(match code {
            0x1b => self.b.ins().select(v[2], v[0], v[1]),
            0x45 | 0x50 => self.eqz(v[0]),
            0x46..=0x4f => self.compare(code - 0x46, v),
            0x51..=0x5a => self.compare(code - 0x51, v),
            0x5b..=0x60 => self.fcompare(code - 0x5b, v),
            0x61..=0x66 => self.fcompare(code - 0x61, v),
            0x67 | 0x79 => self.b.ins().clz(v[0]),
            0x68 | 0x7a => self.b.ins().ctz(v[0]),
            0x69 | 0x7b => self.b.ins().popcnt(v[0]),
            0x6a..=0x78 => self.arithmetic(code - 0x6a, v),
            0x7c..=0x8a => self.arithmetic(code - 0x7c, v),
            0x8b | 0x99 => self.b.ins().fabs(v[0]),
            0x8c | 0x9a => self.b.ins().fneg(v[0]),
            0x8d | 0x9b => self.b.ins().ceil(v[0]),
            0x8e | 0x9c => self.b.ins().floor(v[0]),
            0x8f | 0x9d => self.b.ins().trunc(v[0]),
            0x90 | 0x9e => self.b.ins().nearest(v[0]),
            0x91 | 0x9f => self.b.ins().sqrt(v[0]),
            0x92 | 0xa0 => self.b.ins().fadd(v[0], v[1]),
            0x93 | 0xa1 => self.b.ins().fsub(v[0], v[1]),
            0x94 | 0xa2 => self.b.ins().fmul(v[0], v[1]),
            0x95 | 0xa3 => self.b.ins().fdiv(v[0], v[1]),
            0x96 | 0xa4 => self.b.ins().fmin(v[0], v[1]),
            0x97 | 0xa5 => self.b.ins().fmax(v[0], v[1]),
            0x98 | 0xa6 => self.b.ins().fcopysign(v[0], v[1]),
            0xa7 => self.b.ins().ireduce(I32, v[0]),
            0xa8 | 0xaa => self.b.ins().fcvt_to_sint(I32, v[0]),
            0xa9 | 0xab => self.b.ins().fcvt_to_uint(I32, v[0]),
            0xac => self.b.ins().sextend(I64, v[0]),
            0xad => self.b.ins().uextend(I64, v[0]),
            0xae | 0xb0 => self.b.ins().fcvt_to_sint(I64, v[0]),
            0xaf | 0xb1 => self.b.ins().fcvt_to_uint(I64, v[0]),
            0xb2 | 0xb4 => self.b.ins().fcvt_from_sint(F32, v[0]),
            0xb3 | 0xb5 => self.b.ins().fcvt_from_uint(F32, v[0]),
            0xb6 => self.b.ins().fdemote(F32, v[0]),
            0xb7 | 0xb9 => self.b.ins().fcvt_from_sint(F64, v[0]),
            0xb8 | 0xba => self.b.ins().fcvt_from_uint(F64, v[0]),
            0xbb => self.b.ins().fpromote(F64, v[0]),
            0xbc => self.b.ins().bitcast(I32, MemFlagsData::new(), v[0]),
            0xbd => self.b.ins().bitcast(I64, MemFlagsData::new(), v[0]),
            0xbe => self.b.ins().bitcast(F32, MemFlagsData::new(), v[0]),
            0xbf => self.b.ins().bitcast(F64, MemFlagsData::new(), v[0]),
            0xc0..=0xc4 => {
                let narrow = [I8, I16, I8, I16, I32][code as usize - 0xc0];
                let wide = if code < 0xc2 { I32 } else { I64 };
                let n = self.b.ins().ireduce(narrow, v[0]);
                self.b.ins().sextend(wide, n)
            }
            _ => return None,
        })
    }

    /// add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
    fn arithmetic(&mut self, place: u32, v: &[Value]) -> Value {
        let (a, b) = (v[0], v[1]);
        match place {
            0 => self.b.ins().iadd(a, b),
            1 => self.b.ins().isub(a, b),
            2 => self.b.ins().imul(a, b),
            3 => self.b.ins().sdiv(a, b),
            4 => self.b.ins().udiv(a, b),
            5 => self.b.ins().srem(a, b),
            6 => self.b.ins().urem(a, b),
            7 => self.b.ins().band(a, b),
            8 => self.b.ins().bor(a, b),
            9 => self.b.ins().bxor(a, b),
            10 => self.b.ins().ishl(a, b),
            11 => self.b.ins().sshr(a, b),
            12 => self.b.ins().ushr(a, b),
            13 => self.b.ins().rotl(a, b),
            _ => self.b.ins().rotr(a, b),
        }
    }

    /// WasmIR's own operators on `i8`, `i16` and `i128`: the same list for each width, then conversions.
    fn rust_integer(&mut self, code: u32, v: &[Value], result: Type) -> Option<Value> {
        let to = clif_type(result)?;
        if code < 0x5d {
            let place = code % 0x1f;
            // add sub mul and or xor div_s div_u rem_s rem_u shl shr_s shr_u rotl rotr
            const PLACES: [u32; 15] = [0, 1, 2, 7, 8, 9, 3, 4, 5, 6, 10, 11, 12, 13, 14];
            return Some(match place {
                0..=14 => self.arithmetic(PLACES[place as usize], v),
                15 => self.b.ins().clz(v[0]),
                16 => self.b.ins().ctz(v[0]),
                17 => self.b.ins().popcnt(v[0]),
                18 => self.eqz(v[0]),
                19..=28 => self.compare(place - 19, v),
                _ => return None,
            });
        }
        let from = self.b.func.dfg.value_type(v[0]);
        if code == 0x78 {
            return Some(self.b.ins().iconcat(v[0], v[1]));
        }
        if to.bits() < from.bits() {
            return Some(self.b.ins().ireduce(to, v[0]));
        }
        // Conversions come in threes (extend_s, extend_u, wrap) in the list.
        let signed = (code - 0x5d).is_multiple_of(3);
        Some(if signed {
            self.b.ins().sextend(to, v[0])
        } else {
            self.b.ins().uextend(to, v[0])
        })
    }
}
