//! Loads, stores, atomics, globals and addresses.

use super::{Ext, Selector};
use crate::bounds::ones;
use crate::env::{NS_CONST, NS_DATA, NS_GLOBAL};
use crate::error::{ErrorKind, Result};
use crate::lir::{Imm, Symbol, Ty, Val};
use crate::ops::Op;
use cranelift_codegen::ir::{
    self, AtomicRmwOp, ExternalName, GlobalValue, GlobalValueData, InstructionData, MemFlags,
    Opcode, Type, UserExternalName, Value, types,
};

/// A decoded address.
struct Addr {
    base: Val,
    offset: u64,
}

impl Selector<'_> {
    fn global_name(&self, gv: GlobalValue) -> Result<(UserExternalName, i64)> {
        match &self.func.global_values[gv] {
            GlobalValueData::Symbol {
                name: ExternalName::User(name),
                offset,
                ..
            } => Ok((
                self.func.params.user_named_funcs()[*name].clone(),
                offset.bits(),
            )),
            other => Err(ErrorKind::UnknownName(format!("{other:?}"))),
        }
    }

    /// The global behind an address, if the address is a global's.
    fn global_of(&self, addr: Value) -> Option<u32> {
        let inst = self.func.dfg.value_def(addr).inst()?;
        let InstructionData::UnaryGlobalValue { global_value, .. } = self.func.dfg.insts[inst]
        else {
            return None;
        };
        let (name, _) = self.global_name(global_value).ok()?;
        (name.namespace == NS_GLOBAL).then_some(name.index)
    }

    /// An upper bound of an unsigned value, by its last few operators.
    pub(super) fn bound(&self, v: Value, depth: u32) -> u64 {
        let ty = self.ty(v);
        let all = if ty.bits() >= 64 {
            u64::MAX
        } else {
            (1 << ty.bits()) - 1
        };
        let Some(inst) = self.func.dfg.value_def(v).inst() else {
            return all;
        };
        if depth == 0 {
            return all;
        }
        let constant = |v: Value| match self
            .func
            .dfg
            .value_def(v)
            .inst()
            .map(|i| self.func.dfg.insts[i])
        {
            Some(InstructionData::UnaryImm { imm, .. }) => Some(imm.bits() as u64 & all),
            _ => None,
        };
        match self.func.dfg.insts[inst] {
            InstructionData::UnaryImm { imm, .. } => imm.bits() as u64 & all,
            InstructionData::Unary {
                opcode: Opcode::Uextend,
                arg,
            } => self.bound(arg, depth - 1),
            InstructionData::Load {
                opcode: Opcode::Uload8,
                ..
            } => 0xff,
            InstructionData::Load {
                opcode: Opcode::Uload16,
                ..
            } => 0xffff,
            InstructionData::Binary {
                opcode: Opcode::Band,
                args: [a, b],
            } => self.bound(a, depth - 1).min(self.bound(b, depth - 1)),
            InstructionData::Binary {
                opcode: Opcode::Ushr,
                args: [a, b],
            } => match constant(b) {
                Some(k) => self.bound(a, depth - 1) >> (k & u64::from(ty.bits() - 1)),
                None => all,
            },
            InstructionData::Binary {
                opcode: Opcode::Ishl,
                args: [a, b],
            } => match constant(b) {
                Some(k) => {
                    let k = k & u64::from(ty.bits() - 1);
                    let bound = u128::from(self.bound(a, depth - 1)) << k;
                    if bound <= u128::from(all) {
                        bound as u64
                    } else {
                        all
                    }
                }
                None => all,
            },
            InstructionData::Binary {
                opcode: Opcode::Iadd,
                args: [a, b],
            } => {
                let sum =
                    u128::from(self.bound(a, depth - 1)) + u128::from(self.bound(b, depth - 1));
                if sum <= u128::from(all) {
                    sum as u64
                } else {
                    all
                }
            }
            InstructionData::IntCompare { .. } | InstructionData::FloatCompare { .. } => 1,
            InstructionData::Ternary {
                opcode: Opcode::Select,
                args: [_, a, b],
            } => self.bound(a, depth - 1).max(self.bound(b, depth - 1)),
            InstructionData::Binary {
                opcode: Opcode::Bor | Opcode::Bxor,
                args: [a, b],
            } => {
                let bits = self.bound(a, depth - 1) | self.bound(b, depth - 1);
                all.min(ones(bits))
            }
            _ => all,
        }
    }

    /// Splits an address: a constant moves into the unsigned offset only where the sum cannot wrap.
    fn address(&mut self, addr: Value, offset: i32) -> Result<Addr> {
        let ty = self.ty(addr);
        if ty != types::I32 && ty != types::I64 {
            return Err(ErrorKind::Invalid(format!("address of type {ty}")));
        }
        let limit = if ty == types::I32 {
            u64::from(u32::MAX)
        } else {
            u64::MAX
        };
        let max_offset = u64::from(u32::MAX);
        if let Some(inst) = self.func.dfg.value_def(addr).inst() {
            match self.func.dfg.insts[inst] {
                InstructionData::StackAddr {
                    stack_slot,
                    offset: slot_offset,
                    ..
                } => {
                    let total = i32::from(slot_offset).wrapping_add(offset);
                    let (base, offset) = self.slot_address(stack_slot, total)?;
                    return Ok(Addr {
                        base,
                        offset: u64::from(offset),
                    });
                }
                InstructionData::UnaryImm { imm, .. } => {
                    let c = (imm.bits() as u64) & limit;
                    if let Some(sum) = c.checked_add_signed(i64::from(offset))
                        && sum <= max_offset
                        && offset >= 0
                    {
                        let base = if ty == types::I64 {
                            self.i64c(0)
                        } else {
                            self.i32c(0)
                        };
                        return Ok(Addr { base, offset: sum });
                    }
                }
                InstructionData::Binary {
                    opcode: Opcode::Iadd,
                    args: [a, b],
                } if offset >= 0 => {
                    for (x, k) in [(a, b), (b, a)] {
                        let Some(def) = self.func.dfg.value_def(k).inst() else {
                            continue;
                        };
                        let InstructionData::UnaryImm { imm, .. } = self.func.dfg.insts[def] else {
                            continue;
                        };
                        let k = imm.bits() as u64 & limit;
                        let fits = self.bound(x, 6).checked_add(k).is_some_and(|s| s <= limit);
                        if fits && k + offset as u64 <= max_offset {
                            let base = self.val(x);
                            return Ok(Addr {
                                base,
                                offset: k + offset as u64,
                            });
                        }
                    }
                }
                _ => {}
            }
        }
        let base = self.val(addr);
        if offset < 0 {
            return Ok(Addr {
                base: self.add_const(base, i64::from(offset)),
                offset: 0,
            });
        }
        Ok(Addr {
            base,
            offset: offset as u64,
        })
    }

    fn memarg(&self, flags: MemFlags, offset: u64, natural: u8) -> Imm {
        let data = self.func.dfg.mem_flags[flags];
        let memory = data
            .alias_region()
            .map_or(0, |r| self.func.dfg.alias_regions[r].user_id);
        Imm::Mem {
            offset,
            align: if data.aligned() { natural } else { 0 },
            memory: memory as u16,
            lane: 255,
        }
    }

    pub(super) fn memory(&mut self, inst: ir::Inst) -> Result<()> {
        match self.func.dfg.insts[inst] {
            InstructionData::Load {
                opcode,
                arg,
                flags,
                offset,
            } => self.load(inst, opcode, arg, flags, offset.into()),
            InstructionData::Store {
                opcode,
                args: [v, addr],
                flags,
                offset,
            } => self.store(inst, opcode, v, addr, flags, offset.into()),
            InstructionData::LoadNoOffset {
                opcode: Opcode::AtomicLoad,
                arg,
                flags,
            } => self.atomic_load(inst, arg, flags),
            InstructionData::StoreNoOffset {
                opcode: Opcode::AtomicStore,
                args: [v, addr],
                flags,
            } => self.atomic_store(inst, v, addr, flags),
            InstructionData::AtomicRmw {
                args: [addr, v],
                flags,
                op,
                ..
            } => self.atomic_rmw(inst, addr, v, flags, op),
            InstructionData::AtomicCas {
                args: [addr, expected, new],
                flags,
                ..
            } => {
                let ty = self.ty(self.result(inst));
                let a = self.address(addr, 0)?;
                let (x, y) = (self.zx(expected), self.zx(new));
                self.atomic(inst, Op::I32_ATOMIC_RMW_CMPXCHG, ty, a, &[x, y], flags)
            }
            InstructionData::StackAddr {
                stack_slot, offset, ..
            } => {
                let (base, offset) = self.slot_address(stack_slot, offset.into())?;
                let v = self.add_const(base, i64::from(offset));
                self.define(self.result(inst), v, Ext::ANY);
                Ok(())
            }
            InstructionData::UnaryGlobalValue { global_value, .. } => {
                let (name, offset) = self.global_name(global_value)?;
                let result = self.result(inst);
                let ty = super::lower_type(self.ty(result))?.0;
                let v = match name.namespace {
                    NS_CONST => {
                        let c = if self.ty(result) == types::I64 {
                            offset
                        } else {
                            i64::from(offset as i32)
                        };
                        self.int_const(ty, c)
                    }
                    NS_DATA => self.symbol(Symbol::Data(name.index, offset), ty),
                    // A global's address only names it; loads and stores look through it.
                    NS_GLOBAL => self.int_const(ty, 0),
                    _ => {
                        return Err(ErrorKind::UnknownName(format!(
                            "u{}:{}",
                            name.namespace, name.index
                        )));
                    }
                };
                self.define(result, v, Ext::ANY);
                Ok(())
            }
            _ => self.unsupported(inst),
        }
    }

    fn load(
        &mut self,
        inst: ir::Inst,
        opcode: Opcode,
        addr: Value,
        flags: MemFlags,
        offset: i32,
    ) -> Result<()> {
        let result = self.result(inst);
        let ty = self.ty(result);
        if let Some(global) = self.global_of(addr) {
            let ty = super::lower_type(ty)?.0;
            let get = self.push(Op::GLOBAL_GET, Imm::Index(global), &[], &[ty]);
            self.define(result, self.lir.insts[get].first, Ext::ANY);
            return Ok(());
        }
        let wide = ty == types::I64;
        let pick = |narrow, w| if wide { w } else { narrow };
        let (op, natural, ext) = match opcode {
            Opcode::Load => match ty {
                types::I8 => (Op::I32_LOAD8_U, 0, Ext::ZERO),
                types::I16 => (Op::I32_LOAD16_U, 1, Ext::ZERO),
                types::I32 => (Op::I32_LOAD, 2, Ext::ANY),
                types::I64 => (Op::I64_LOAD, 3, Ext::ANY),
                types::F32 => (Op::F32_LOAD, 2, Ext::ANY),
                types::F64 => (Op::F64_LOAD, 3, Ext::ANY),
                types::I128 => {
                    let a = self.address(addr, offset)?;
                    let lo = self.push(
                        Op::I64_LOAD,
                        self.memarg(flags, a.offset, 3),
                        &[a.base],
                        &[Ty::I64],
                    );
                    let hi = self.push(
                        Op::I64_LOAD,
                        self.memarg(flags, a.offset + 8, 3),
                        &[a.base],
                        &[Ty::I64],
                    );
                    self.define_pair(result, self.lir.insts[lo].first, self.lir.insts[hi].first);
                    return Ok(());
                }
                t if t.is_vector() && t.bits() == 128 => (Op::V128_LOAD, 4, Ext::ANY),
                _ => return self.unsupported(inst),
            },
            Opcode::Uload8 => (
                pick(Op::I32_LOAD8_U, Op::I64_LOAD8_U),
                0,
                if ty == types::I16 {
                    Ext::BOTH
                } else {
                    Ext::ZERO
                },
            ),
            Opcode::Sload8 => (pick(Op::I32_LOAD8_S, Op::I64_LOAD8_S), 0, Ext::SIGN),
            Opcode::Uload16 => (pick(Op::I32_LOAD16_U, Op::I64_LOAD16_U), 1, Ext::ZERO),
            Opcode::Sload16 => (pick(Op::I32_LOAD16_S, Op::I64_LOAD16_S), 1, Ext::SIGN),
            Opcode::Uload32 => (Op::I64_LOAD32_U, 2, Ext::ANY),
            Opcode::Sload32 => (Op::I64_LOAD32_S, 2, Ext::ANY),
            Opcode::Sload8x8 => (Op::V128_LOAD8X8_S, 3, Ext::ANY),
            Opcode::Uload8x8 => (Op::V128_LOAD8X8_U, 3, Ext::ANY),
            Opcode::Sload16x4 => (Op::V128_LOAD16X4_S, 3, Ext::ANY),
            Opcode::Uload16x4 => (Op::V128_LOAD16X4_U, 3, Ext::ANY),
            Opcode::Sload32x2 => (Op::V128_LOAD32X2_S, 3, Ext::ANY),
            Opcode::Uload32x2 => (Op::V128_LOAD32X2_U, 3, Ext::ANY),
            _ => return self.unsupported(inst),
        };
        let a = self.address(addr, offset)?;
        let imm = self.memarg(flags, a.offset, natural);
        let i = self.push(op, imm, &[a.base], &[super::lower_type(ty)?.0]);
        self.define(result, self.lir.insts[i].first, ext);
        Ok(())
    }

    fn store(
        &mut self,
        inst: ir::Inst,
        opcode: Opcode,
        v: Value,
        addr: Value,
        flags: MemFlags,
        offset: i32,
    ) -> Result<()> {
        let ty = self.ty(v);
        if let Some(global) = self.global_of(addr) {
            let val = self.val(v);
            self.push(Op::GLOBAL_SET, Imm::Index(global), &[val], &[]);
            return Ok(());
        }
        let wide = ty == types::I64;
        let pick = |narrow, w| if wide { w } else { narrow };
        let (op, natural) = match opcode {
            Opcode::Store => match ty {
                types::I8 => (Op::I32_STORE8, 0),
                types::I16 => (Op::I32_STORE16, 1),
                types::I32 => (Op::I32_STORE, 2),
                types::I64 => (Op::I64_STORE, 3),
                types::F32 => (Op::F32_STORE, 2),
                types::F64 => (Op::F64_STORE, 3),
                types::I128 => {
                    let a = self.address(addr, offset)?;
                    let (lo, hi) = self.pair(v);
                    // High half first: nothing is written when only the end is out of bounds.
                    self.push(
                        Op::I64_STORE,
                        self.memarg(flags, a.offset + 8, 3),
                        &[a.base, hi],
                        &[],
                    );
                    self.push(
                        Op::I64_STORE,
                        self.memarg(flags, a.offset, 3),
                        &[a.base, lo],
                        &[],
                    );
                    return Ok(());
                }
                t if t.is_vector() && t.bits() == 128 => (Op::V128_STORE, 4),
                _ => return self.unsupported(inst),
            },
            Opcode::Istore8 => (pick(Op::I32_STORE8, Op::I64_STORE8), 0),
            Opcode::Istore16 => (pick(Op::I32_STORE16, Op::I64_STORE16), 1),
            Opcode::Istore32 => (pick(Op::I32_STORE, Op::I64_STORE32), 2),
            _ => return self.unsupported(inst),
        };
        let a = self.address(addr, offset)?;
        let mut val = self.val(v);
        let mut op = op;
        // A narrow store does not see what a wrap cuts off.
        if let Some(def) = self.lir.sole_def(val)
            && self.lir.insts[def].op == Op::I32_WRAP_I64
        {
            let wide_op = match op {
                Op::I32_STORE8 => Some(Op::I64_STORE8),
                Op::I32_STORE16 => Some(Op::I64_STORE16),
                Op::I32_STORE => Some(Op::I64_STORE32),
                _ => None,
            };
            if let Some(w) = wide_op {
                op = w;
                val = self.lir.args(def)[0];
            }
        }
        // Nor does memory care whether bits are a float.
        if let Some(def) = self.lir.sole_def(val) {
            let other = match (op, self.lir.insts[def].op) {
                (Op::I32_STORE, Op::I32_REINTERPRET_F32) => Some(Op::F32_STORE),
                (Op::I64_STORE, Op::I64_REINTERPRET_F64) => Some(Op::F64_STORE),
                (Op::F32_STORE, Op::F32_REINTERPRET_I32) => Some(Op::I32_STORE),
                (Op::F64_STORE, Op::F64_REINTERPRET_I64) => Some(Op::I64_STORE),
                _ => None,
            };
            if let Some(other) = other {
                op = other;
                val = self.lir.args(def)[0];
            }
        }
        let imm = self.memarg(flags, a.offset, natural);
        self.push(op, imm, &[a.base, val], &[]);
        Ok(())
    }

    /// Place of a width in the families of atomic operators, and its log2 alignment.
    fn atomic_width(ty: Type, value: Ty) -> Option<(u32, u8)> {
        Some(match (ty.bits(), value) {
            (32, Ty::I32) => (0, 2),
            (64, Ty::I64) => (1, 3),
            (8, Ty::I32) => (2, 0),
            (16, Ty::I32) => (3, 1),
            _ => return None,
        })
    }

    fn atomic_load(&mut self, inst: ir::Inst, addr: Value, flags: MemFlags) -> Result<()> {
        let ty = self.ty(self.result(inst));
        let a = self.address(addr, 0)?;
        self.atomic(inst, Op::I32_ATOMIC_LOAD, ty, a, &[], flags)
    }

    fn atomic_store(
        &mut self,
        inst: ir::Inst,
        v: Value,
        addr: Value,
        flags: MemFlags,
    ) -> Result<()> {
        let ty = self.ty(v);
        let a = self.address(addr, 0)?;
        let val = self.val(v);
        let Some((place, align)) = Self::atomic_width(ty, self.lir.vals[val].ty) else {
            return self.unsupported(inst);
        };
        let imm = self.atomic_memarg(flags, a.offset, align);
        self.push(Op(Op::I32_ATOMIC_STORE.0 + place), imm, &[a.base, val], &[]);
        Ok(())
    }

    fn atomic_memarg(&self, flags: MemFlags, offset: u64, align: u8) -> Imm {
        match self.memarg(flags, offset, align) {
            Imm::Mem { offset, memory, .. } => Imm::Mem {
                offset,
                align,
                memory,
                lane: 255,
            },
            other => other,
        }
    }

    fn atomic(
        &mut self,
        inst: ir::Inst,
        base: Op,
        ty: Type,
        a: Addr,
        vals: &[Val],
        flags: MemFlags,
    ) -> Result<()> {
        let lowered = super::lower_type(ty)?.0;
        let Some((place, align)) = Self::atomic_width(ty, lowered) else {
            return self.unsupported(inst);
        };
        let mut args = vec![a.base];
        args.extend_from_slice(vals);
        let imm = self.atomic_memarg(flags, a.offset, align);
        let i = self.push(Op(base.0 + place), imm, &args, &[lowered]);
        self.define(
            self.result(inst),
            self.lir.insts[i].first,
            if ty.bits() < 32 { Ext::ZERO } else { Ext::ANY },
        );
        Ok(())
    }

    fn atomic_rmw(
        &mut self,
        inst: ir::Inst,
        addr: Value,
        v: Value,
        flags: MemFlags,
        op: AtomicRmwOp,
    ) -> Result<()> {
        let ty = self.ty(v);
        let base = match op {
            AtomicRmwOp::Add => Op::I32_ATOMIC_RMW_ADD,
            AtomicRmwOp::Sub => Op::I32_ATOMIC_RMW_SUB,
            AtomicRmwOp::And => Op::I32_ATOMIC_RMW_AND,
            AtomicRmwOp::Or => Op::I32_ATOMIC_RMW_OR,
            AtomicRmwOp::Xor => Op::I32_ATOMIC_RMW_XOR,
            AtomicRmwOp::Xchg => Op::I32_ATOMIC_RMW_XCHG,
            // The rest need a loop of compare and exchange, which front ends build.
            _ => return self.unsupported(inst),
        };
        let a = self.address(addr, 0)?;
        let val = self.val(v);
        self.atomic(inst, base, ty, a, &[val], flags)
    }
}
