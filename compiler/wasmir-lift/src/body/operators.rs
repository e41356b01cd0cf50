//! Operators: one arm for each that has a form of its own, the list of operators for all others.

use smallvec::SmallVec;
use wasmir::{
    AbstractHeap, CompositeType, HeapType, Imm, ImmKind, Inst, Local, MemArg, OpClass, Opcode,
    OperandTy, RefType, Terminator, Type, TypeId,
};

use super::Lifter;
use crate::LiftError;
use crate::decode::index_type;

impl Lifter<'_> {
    pub(super) fn operator(&mut self, op: Opcode) -> Result<(), LiftError> {
        match op {
            Opcode::Nop => Ok(()),
            Opcode::Unreachable => {
                self.builder.terminate(Terminator::Unreachable);
                self.last = None;
                Ok(())
            }
            Opcode::Block => self.block(),
            Opcode::Loop => self.loop_(),
            Opcode::If => self.if_(),
            Opcode::Else => self.else_(),
            Opcode::End => self.end(),
            Opcode::Br | Opcode::BrIf => self.br(op),
            Opcode::BrTable => self.br_table(),
            Opcode::Return => self.return_(),
            Opcode::Call | Opcode::CallIndirect | Opcode::CallRef => {
                let callee = self.callee(op)?;
                self.call(callee)
            }
            Opcode::ReturnCall | Opcode::ReturnCallIndirect | Opcode::ReturnCallRef => {
                let callee = self.callee(op)?;
                self.return_call(callee)
            }
            Opcode::TryTable => self.try_table(),
            Opcode::Throw => self.throw(),
            Opcode::ThrowRef => self.throw_ref(),
            Opcode::BrOnNull => self.br_on_null(),
            Opcode::BrOnNonNull => self.br_on_non_null(),
            Opcode::BrOnCast => self.br_on_cast(false),
            Opcode::BrOnCastFail => self.br_on_cast(true),
            Opcode::Drop => {
                self.pop()?;
                self.last = None;
                Ok(())
            }
            Opcode::LocalGet => {
                let variable = self.variable()?;
                self.push_alias(variable);
                Ok(())
            }
            Opcode::LocalSet => self.assign_variable(false),
            Opcode::LocalTee => self.assign_variable(true),
            Opcode::GlobalGet => {
                let global = self.decoder.global()?;
                let ty = self.module.globals.get(global).map(|global| global.ty);
                let ty = ty.ok_or(self.error("a global that is gone"))?;
                self.define(ty, |dst| Inst::GlobalGet { dst, global })
            }
            Opcode::GlobalSet => {
                let global = self.decoder.global()?;
                let src = self.pop()?;
                self.push_inst(Inst::GlobalSet { global, src })
            }
            Opcode::I32Const | Opcode::I64Const if self.symbol_constant(op)? => Ok(()),
            Opcode::I32Const => {
                let bits = u64::from(self.decoder.i32()? as u32);
                self.define(Type::I32, |dst| Inst::Const { dst, bits })
            }
            Opcode::I64Const => {
                let bits = self.decoder.i64()? as u64;
                self.define(Type::I64, |dst| Inst::Const { dst, bits })
            }
            Opcode::F32Const => {
                let bits = u64::from(self.decoder.f32()?);
                self.define(Type::F32, |dst| Inst::Const { dst, bits })
            }
            Opcode::F64Const => {
                let bits = self.decoder.f64()?;
                self.define(Type::F64, |dst| Inst::Const { dst, bits })
            }
            Opcode::V128Const => {
                let value = self.decoder.v128()?;
                let value = self.builder.body_mut().pool.wides.push(value);
                self.define(Type::V128, |dst| Inst::ConstWide { dst, value })
            }
            Opcode::TypedSelect => {
                if self.decoder.u32()? != 1 {
                    return Err(self.error("a `select` of other than one type"));
                }
                let ty = self.decoder.val_type()?;
                self.select(ty)
            }
            Opcode::Select => {
                let value = self
                    .stack
                    .len()
                    .checked_sub(2)
                    .and_then(|at| self.stack.get(at));
                let value = value
                    .ok_or(self.error("an operator without operands"))?
                    .local;
                self.select(self.ty_of(value))
            }
            _ => match op.info().class {
                OpClass::Load => {
                    let arg = self.decoder.memarg()?;
                    let addr = self.pop()?;
                    let (addr, arg) = self.symbol_offset(addr, arg)?;
                    let [OperandTy::Val(ty)] = op.info().results else {
                        return Err(self.error("a load without result"));
                    };
                    let (access, memory, offset) = (arg.access, arg.memory, arg.offset);
                    self.define(*ty, |dst| Inst::Load {
                        op,
                        access,
                        dst,
                        addr,
                        memory,
                        offset,
                    })
                }
                OpClass::Store => {
                    let arg = self.decoder.memarg()?;
                    let value = self.pop()?;
                    let addr = self.pop()?;
                    let (addr, arg) = self.symbol_offset(addr, arg)?;
                    let (access, memory, offset) = (arg.access, arg.memory, arg.offset);
                    self.push_inst(Inst::Store {
                        op,
                        access,
                        addr,
                        value,
                        memory,
                        offset,
                    })
                }
                OpClass::Plain => self.plain(op),
                OpClass::Form => Err(self.error("an operator out of place")),
            },
        }
    }

    /// A constant that is the address of a symbol, if this is one.
    fn symbol_constant(&mut self, op: Opcode) -> Result<bool, LiftError> {
        let Some((item, addend)) = self.decoder.address()? else {
            return Ok(false);
        };
        self.decoder.skip(op.info().imm)?;
        let ty = if op == Opcode::I64Const {
            Type::I64
        } else {
            Type::I32
        };
        self.define(ty, |dst| Inst::SymAddr { dst, item, addend })?;
        Ok(true)
    }

    /// The address and argument of an access whose offset may be the address of a symbol.
    ///
    /// Compilers put a symbol there only where adding it to the address does not overflow.
    fn symbol_offset(&mut self, addr: Local, arg: MemArg) -> Result<(Local, MemArg), LiftError> {
        let Some((item, addend)) = self.decoder.offset_address()? else {
            return Ok((addr, arg));
        };
        let ty = self.ty_of(addr);
        let (symbol, sum) = (self.fresh(ty), self.fresh(ty));
        self.push_inst(Inst::SymAddr {
            dst: symbol,
            item,
            addend,
        })?;
        let op = if ty == Type::I64 {
            Opcode::I64Add
        } else {
            Opcode::I32Add
        };
        self.push_inst(Inst::Binary {
            op,
            dst: sum,
            args: [addr, symbol],
        })?;
        Ok((sum, MemArg { offset: 0, ..arg }))
    }

    fn select(&mut self, ty: Type) -> Result<(), LiftError> {
        let args = self.pop_many(3)?;
        let &[a, b, c] = args.as_slice() else {
            return Err(self.error("an operator without operands"));
        };
        self.define(ty, |dst| Inst::Ternary {
            op: Opcode::Select,
            dst,
            args: [a, b, c],
        })
    }

    /// An operator that is described by the list alone.
    fn plain(&mut self, op: Opcode) -> Result<(), LiftError> {
        let info = op.info();
        let mut imm = if info.imm == ImmKind::None {
            None
        } else {
            self.decoder.imm(info.imm)?
        };
        let params = match (info.params, imm) {
            ([OperandTy::Custom], Some(Imm::TyCount(_, count))) => count as usize,
            ([OperandTy::Custom], Some(Imm::Ty(ty))) => self.fields(ty)?,
            (params, _) => params.len(),
        };
        if params > self.stack.len() {
            return Err(self.error("an operator without operands"));
        }
        let mut args = self.pop_many(params)?;
        if let (Some(Imm::Memarg(arg) | Imm::MemargLane(arg, _)), Some(addr)) =
            (&mut imm, args.first_mut())
        {
            (*addr, *arg) = self.symbol_offset(*addr, *arg)?;
        }
        let mut results: SmallVec<[Local; 2]> = SmallVec::new();
        for &result in info.results {
            let ty = self.result_type(op, result, imm, &args)?;
            results.push(self.fresh(ty));
        }
        self.spend(1 + args.len())?;
        self.last = None;
        self.builder.op(op, imm, &results, &args);
        results.iter().for_each(|&local| self.push(local));
        if let [dst] = *results {
            self.last = Some(dst);
        }
        Ok(())
    }

    fn composite(&self, ty: TypeId) -> Result<&CompositeType, LiftError> {
        let def = self
            .module
            .types
            .get(ty)
            .ok_or(self.error("a type that is gone"))?;
        Ok(&def.composite)
    }

    fn fields(&self, ty: TypeId) -> Result<usize, LiftError> {
        match self.composite(ty)? {
            CompositeType::Struct(fields) => Ok(fields.len()),
            _ => Err(self.error("a struct operator on another type")),
        }
    }

    /// The type of a result, from the immediates and operands.
    fn result_type(
        &self,
        op: Opcode,
        result: OperandTy,
        imm: Option<Imm>,
        args: &[Local],
    ) -> Result<Type, LiftError> {
        let mismatch = self.error("an operator whose immediates do not say its type");
        let found = match result {
            OperandTy::Val(ty) => Some(ty),
            OperandTy::Any => args.first().map(|&arg| self.ty_of(arg)),
            OperandTy::Addr => index_type(self.module, imm, false),
            OperandTy::Addr2 => index_type(self.module, imm, true),
            OperandTy::Elem => match imm {
                Some(Imm::Table(table)) => self
                    .module
                    .tables
                    .get(table)
                    .map(|table| Type::Ref(table.ty)),
                _ => None,
            },
            OperandTy::Field => match imm {
                Some(Imm::TyField(ty, field)) => match self.composite(ty)? {
                    CompositeType::Struct(fields) => {
                        fields.get(field as usize).map(|field| field.ty.unpacked())
                    }
                    _ => None,
                },
                Some(Imm::Ty(ty)) => match self.composite(ty)? {
                    CompositeType::Array(element) => Some(element.ty.unpacked()),
                    _ => None,
                },
                _ => None,
            },
            OperandTy::Ref => return self.reference_result(op, imm, args).ok_or(mismatch),
            OperandTy::AddrMin | OperandTy::Custom => None,
        };
        found.ok_or(mismatch)
    }

    fn reference_result(&self, op: Opcode, imm: Option<Imm>, args: &[Local]) -> Option<Type> {
        let operand = || match self.ty_of(*args.first()?) {
            Type::Ref(r) => Some(r),
            _ => None,
        };
        let shared = |heap: HeapType| match heap {
            HeapType::Abstract { shared, .. } => shared,
            HeapType::Concrete(ty) => self.module.types.get(ty).is_some_and(|def| def.shared),
        };
        let (nullable, heap) = match (op, imm) {
            (Opcode::RefNull | Opcode::RefCastNullable, Some(Imm::Heap(heap))) => (true, heap),
            (Opcode::RefCastNonNull, Some(Imm::Heap(heap))) => (false, heap),
            (Opcode::RefFunc, Some(Imm::Func(func))) => {
                (false, HeapType::Concrete(self.module.funcs.get(func)?.ty))
            }
            (Opcode::RefI31, _) => (
                false,
                HeapType::Abstract {
                    shared: false,
                    kind: AbstractHeap::I31,
                },
            ),
            (Opcode::RefAsNonNull, _) => (false, operand()?.heap),
            (Opcode::AnyConvertExtern, _) => {
                let from = operand()?;
                (
                    from.nullable,
                    HeapType::Abstract {
                        shared: shared(from.heap),
                        kind: AbstractHeap::Any,
                    },
                )
            }
            (Opcode::ExternConvertAny, _) => {
                let from = operand()?;
                (
                    from.nullable,
                    HeapType::Abstract {
                        shared: shared(from.heap),
                        kind: AbstractHeap::Extern,
                    },
                )
            }
            (
                _,
                Some(Imm::Ty(ty) | Imm::TyCount(ty, _) | Imm::TyData(ty, _) | Imm::TyElem(ty, _)),
            ) => (false, HeapType::Concrete(ty)),
            _ => return None,
        };
        Some(Type::Ref(RefType { nullable, heap }))
    }

    // Branches that look at a reference.

    /// A test of `value` whose result is a fresh `i32`.
    fn test(&mut self, op: Opcode, imm: Option<Imm>, value: Local) -> Result<Local, LiftError> {
        self.spend(1)?;
        let cond = self.fresh(Type::I32);
        self.builder.op(op, imm, &[cond], &[value]);
        Ok(cond)
    }

    /// `value` as a reference of type `ty`, by an operator that cannot fail here.
    fn refine(
        &mut self,
        op: Opcode,
        imm: Option<Imm>,
        ty: RefType,
        value: Local,
    ) -> Result<Local, LiftError> {
        self.spend(1)?;
        let dst = self.fresh(Type::Ref(ty));
        self.builder.op(op, imm, &[dst], &[value]);
        Ok(dst)
    }

    fn pop_reference(&mut self) -> Result<(Local, RefType), LiftError> {
        let value = self.pop()?;
        match self.ty_of(value) {
            Type::Ref(ty) => Ok((value, ty)),
            _ => Err(self.error("a reference operator on another value")),
        }
    }

    fn non_null(&mut self, value: Local, ty: RefType) -> Result<Local, LiftError> {
        if !ty.nullable {
            return Ok(value);
        }
        self.refine(
            Opcode::RefAsNonNull,
            None,
            RefType {
                nullable: false,
                ..ty
            },
            value,
        )
    }

    /// Pushes `value`, which may be a variable.
    fn push_value(&mut self, value: Local) {
        if (value.as_u32() as usize) < self.heads.len() {
            self.push_alias(value);
        } else {
            self.push(value);
        }
    }

    fn br_on_null(&mut self) -> Result<(), LiftError> {
        let depth = self.depth()?;
        let (value, ty) = self.pop_reference()?;
        let cond = self.test(Opcode::RefIsNull, None, value)?;
        self.branch_if(cond, depth, false, None)?;
        let value = self.non_null(value, ty)?;
        self.push_value(value);
        Ok(())
    }

    fn br_on_non_null(&mut self) -> Result<(), LiftError> {
        let depth = self.depth()?;
        let (value, ty) = self.pop_reference()?;
        let cond = self.test(Opcode::RefIsNull, None, value)?;
        self.branch_if(
            cond,
            depth,
            true,
            Some(&mut |this| this.non_null(value, ty)),
        )
    }

    /// `br_on_cast`, and `br_on_cast_fail` with `fail`.
    fn br_on_cast(&mut self, fail: bool) -> Result<(), LiftError> {
        let flags = self.decoder.u8()?;
        let depth = self.depth()?;
        let from = RefType {
            nullable: flags & 1 != 0,
            heap: self.decoder.heap()?,
        };
        let to = RefType {
            nullable: flags & 2 != 0,
            heap: self.decoder.heap()?,
        };
        let (value, _) = self.pop_reference()?;
        let imm = Some(Imm::Heap(to.heap));
        let (test, cast) = if to.nullable {
            (Opcode::RefTestNullable, Opcode::RefCastNullable)
        } else {
            (Opcode::RefTestNonNull, Opcode::RefCastNonNull)
        };
        let cond = self.test(test, imm, value)?;
        // What is left when the cast fails: the source type, without null if the target takes null.
        let rest = RefType {
            nullable: from.nullable && to.nullable,
            ..from
        };
        let mut matched = |this: &mut Self| this.refine(cast, imm, to, value);
        let mut failed = |this: &mut Self| {
            if rest.nullable {
                this.non_null(value, rest)
            } else {
                Ok(value)
            }
        };
        if fail {
            self.branch_if(cond, depth, true, Some(&mut failed))?;
            let value = matched(self)?;
            self.push_value(value);
        } else {
            self.branch_if(cond, depth, false, Some(&mut matched))?;
            let value = failed(self)?;
            self.push_value(value);
        }
        Ok(())
    }
}
