//! Calls, returns, side operators and the shadow stack frame.

use super::{Ext, Frame, Selector, lower_type};
use crate::env::{NS_FUNC, NS_SIDE, SideOperand};
use crate::error::{ErrorKind, Result};
use crate::lir::{Imm, Symbol, Term, Ty, Val};
use crate::ops::{Effects, Op};
use cranelift_codegen::ir::{
    self, AbiParam, ArgumentExtension, ExternalName, FuncRef, InstructionData, Opcode, SigRef,
    UserExternalName, Value, types,
};
use smallvec::SmallVec;
use wasm_encoder::ValType;

/// What a signature promises of a narrow integer.
pub(super) fn abi_ext(extension: ArgumentExtension) -> Ext {
    match extension {
        ArgumentExtension::None => Ext::ANY,
        ArgumentExtension::Uext => Ext::ZERO,
        ArgumentExtension::Sext => Ext::SIGN,
    }
}

/// WebAssembly types of a list of CLIF parameters.
pub fn abi_types(params: &[AbiParam]) -> Result<Vec<ValType>> {
    let mut out = Vec::with_capacity(params.len());
    for p in params {
        let (lo, hi) = lower_type(p.value_type)?;
        out.push(lo.val_type());
        out.extend(hi.map(Ty::val_type));
    }
    Ok(out)
}

impl Selector<'_> {
    /// Reserves the frame of the function's stack slots.
    pub(super) fn prologue(&mut self) -> Result<()> {
        let mut size = 0u32;
        let mut offsets = Vec::new();
        for (_, slot) in self.func.sized_stack_slots.iter() {
            let align = 1u32 << slot.align_shift.min(4);
            size = size.next_multiple_of(align);
            offsets.push(size);
            size = size
                .checked_add(slot.size)
                .ok_or(ErrorKind::Limit("a stack frame of 4 GiB"))?;
        }
        if offsets.is_empty() {
            return Ok(());
        }
        let size = size.next_multiple_of(16);
        let global = self.env.stack_pointer().ok_or_else(|| {
            ErrorKind::UnknownName("the shadow stack's pointer, needed for stack slots".into())
        })?;
        let get = self.push(Op::GLOBAL_GET, Imm::Index(global), &[], &[Ty::I32]);
        let sp = self.lir.insts[get].first;
        let k = self.i32c(size as i32);
        let pointer = self.op2(Op::I32_SUB, sp, k, Ty::I32);
        self.push(Op::GLOBAL_SET, Imm::Index(global), &[pointer], &[]);
        self.frame = Some(Frame {
            pointer,
            size,
            global,
            offsets,
        });
        Ok(())
    }

    fn epilogue(&mut self) {
        if let Some(Frame {
            pointer,
            size,
            global,
            ..
        }) = self.frame
        {
            let top = self.add_const(pointer, i64::from(size));
            self.push(Op::GLOBAL_SET, Imm::Index(global), &[top], &[]);
        }
    }

    /// The address of a stack slot, as a base and an offset that cannot overflow.
    pub(super) fn slot_address(&self, slot: ir::StackSlot, offset: i32) -> Result<(Val, u32)> {
        let frame = self
            .frame
            .as_ref()
            .ok_or_else(|| ErrorKind::Invalid("stack slot without a frame".into()))?;
        let base = frame.offsets[slot.as_u32() as usize];
        let offset = base
            .checked_add_signed(offset)
            .ok_or_else(|| ErrorKind::Invalid("negative slot offset".into()))?;
        Ok((frame.pointer, offset))
    }

    /// Values as a signature's parameters (or results) want them.
    fn abi_values(&mut self, values: &[Value], params: &[AbiParam]) -> SmallVec<[Val; 8]> {
        let mut out = SmallVec::new();
        for (i, &v) in values.iter().enumerate() {
            if self.ty(v) == types::I128 {
                let (lo, hi) = self.pair(v);
                out.extend([lo, hi]);
                continue;
            }
            let val = match params
                .get(i)
                .map_or(ArgumentExtension::None, |p| p.extension)
            {
                ArgumentExtension::None => self.val(v),
                ArgumentExtension::Uext => self.zx(v),
                ArgumentExtension::Sext => self.sx(v),
            };
            out.push(val);
        }
        out
    }

    pub(super) fn return_(&mut self, inst: ir::Inst) -> Result<()> {
        let args = self.func.dfg.inst_args(inst);
        let vals = self.abi_values(args, &self.func.signature.returns);
        self.epilogue();
        let (start, len) = self.lir.list(&vals);
        self.terminate(Term::Return(start, len));
        Ok(())
    }

    fn user_name(&self, func: FuncRef) -> Result<UserExternalName> {
        match &self.func.dfg.ext_funcs[func].name {
            ExternalName::User(name) => Ok(self.func.params.user_named_funcs()[*name].clone()),
            other => Err(ErrorKind::UnknownName(format!("{other:?}"))),
        }
    }

    pub(super) fn call(&mut self, inst: ir::Inst) -> Result<()> {
        match self.func.dfg.insts[inst] {
            InstructionData::FuncAddr { func_ref, .. } => {
                let name = self.user_name(func_ref)?;
                let result = self.result(inst);
                let ty = lower_type(self.ty(result))?.0;
                let v = self.symbol(Symbol::Func(name.index), ty);
                self.define(result, v, Ext::ANY);
                Ok(())
            }
            InstructionData::Call {
                opcode, func_ref, ..
            } => {
                let name = self.user_name(func_ref)?;
                let sig = self.func.dfg.ext_funcs[func_ref].signature;
                match name.namespace {
                    NS_SIDE => self.side(inst, name.index),
                    NS_FUNC => {
                        let tail = opcode == Opcode::ReturnCall;
                        let op = if tail { Op::RETURN_CALL } else { Op::CALL };
                        let args = self.func.dfg.inst_args(inst);
                        self.emit_call(inst, op, Imm::Index(name.index), sig, args, None, tail)
                    }
                    _ => Err(ErrorKind::UnknownName(format!(
                        "u{}:{}",
                        name.namespace, name.index
                    ))),
                }
            }
            InstructionData::CallIndirect {
                opcode, sig_ref, ..
            } => {
                let sig = &self.func.dfg.signatures[sig_ref];
                let (params, results) = (abi_types(&sig.params)?, abi_types(&sig.returns)?);
                let ty = self.env.type_index(&params, &results).ok_or_else(|| {
                    ErrorKind::UnknownName(format!("a function type for `{sig}`"))
                })?;
                let tail = opcode == Opcode::ReturnCallIndirect;
                let op = if tail {
                    Op::RETURN_CALL_INDIRECT
                } else {
                    Op::CALL_INDIRECT
                };
                let args = self.func.dfg.inst_args(inst);
                let (callee, args) = (args[0], &args[1..]);
                let callee = match self.ty(callee) {
                    types::I64 => self.op1(Op::I32_WRAP_I64, self.val(callee), Ty::I32),
                    _ => self.val(callee),
                };
                self.emit_call(
                    inst,
                    op,
                    Imm::Indirect { ty, table: 0 },
                    sig_ref,
                    args,
                    Some(callee),
                    tail,
                )
            }
            _ => self.unsupported(inst),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a call; private to this file"
    )]
    fn emit_call(
        &mut self,
        inst: ir::Inst,
        op: Op,
        imm: Imm,
        sig: SigRef,
        args: &[Value],
        last: Option<Val>,
        tail: bool,
    ) -> Result<()> {
        let func = self.func;
        let signature = &func.dfg.signatures[sig];
        let mut vals = self.abi_values(args, &signature.params);
        vals.extend(last);
        if tail {
            self.epilogue();
            self.push(op, imm, &vals, &[]);
            self.terminate(Term::Diverge);
            return Ok(());
        }
        let results = self.result_types(inst)?;
        let call = self.push(op, imm, &vals, &results);
        self.define_results(inst, call, &signature.returns);
        Ok(())
    }

    fn result_types(&self, inst: ir::Inst) -> Result<SmallVec<[Ty; 4]>> {
        let mut out = SmallVec::new();
        for &r in self.func.dfg.inst_results(inst) {
            let (lo, hi) = lower_type(self.ty(r))?;
            out.push(lo);
            out.extend(hi);
        }
        Ok(out)
    }

    fn define_results(&mut self, inst: ir::Inst, call: crate::lir::Inst, returns: &[AbiParam]) {
        let mut vals = self.lir.results(call);
        for (i, &r) in self.func.dfg.inst_results(inst).iter().enumerate() {
            let Some(lo) = vals.next() else { return };
            if self.ty(r) == types::I128 {
                let hi = vals.next().unwrap_or(lo);
                self.define_pair(r, lo, hi);
            } else {
                let ext = returns.get(i).map_or(Ext::ANY, |p| abi_ext(p.extension));
                self.define(r, lo, ext);
            }
        }
    }

    /// A side operator: the instruction itself is a child of the reads of its pinned locals, which are ordered
    /// like any other state.
    fn side(&mut self, inst: ir::Inst, index: u32) -> Result<()> {
        let env = self.env;
        let op = env
            .side_op(index)
            .ok_or_else(|| ErrorKind::UnknownName(format!("side operator {index}")))?;
        let mut args = self.func.dfg.inst_args(inst).iter();
        let mut vals = SmallVec::<[Val; 8]>::new();
        for operand in &op.operands {
            match operand {
                SideOperand::Arg => {
                    let &v = args
                        .next()
                        .ok_or_else(|| ErrorKind::Invalid("too few side operands".into()))?;
                    vals.push(self.val(v));
                }
                SideOperand::Pinned(local) => {
                    // The type of a pinned local is never looked at: it does not reach an allocated local.
                    let get = self.push(Op::PIN_GET, Imm::Index(*local), &[], &[Ty::I32]);
                    vals.push(self.lir.insts[get].first);
                }
            }
        }
        let results = self.result_types(inst)?;
        let pinned = op.results.iter().any(Option::is_some)
            || op
                .operands
                .iter()
                .any(|o| matches!(o, SideOperand::Pinned(_)));
        let mut effects = op.effects;
        if pinned {
            effects = effects.with(Effects::WRITE_STATE);
        }
        let side = self.push_with(Op::SIDE, effects, Imm::Index(index), &vals, &results);
        let mut lowered = self.lir.results(side);
        for &r in self.func.dfg.inst_results(inst) {
            if let Some(v) = lowered.next() {
                self.define(r, v, Ext::ANY);
            }
        }
        if op.diverges {
            self.terminate(Term::Diverge);
        }
        Ok(())
    }
}
