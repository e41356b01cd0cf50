//! The signatures of operators, as their immediates make them.

use crate::inst::Imm;
use crate::module::Module;
use crate::op::{ImmKind, Opcode, OperandTy};
use crate::types::*;
use smallvec::SmallVec;

/// The operand and result types of an operator with given immediates. `None` stands for any
/// reference.
pub(super) struct Signature {
    pub(super) op: Opcode,
    pub(super) params: SmallVec<[Option<Type>; 4]>,
    pub(super) results: SmallVec<[Option<Type>; 2]>,
}

pub(super) fn reference(nullable: bool, heap: HeapType) -> Option<Type> {
    Some(Type::Ref(RefType { nullable, heap }))
}

fn nullable(kind: AbstractHeap) -> Option<Type> {
    reference(
        true,
        HeapType::Abstract {
            shared: false,
            kind,
        },
    )
}

impl Signature {
    /// The signature; the immediates refer to things that exist.
    pub(super) fn of(m: &Module, op: Opcode, imm: Option<&Imm>) -> Result<Signature, String> {
        let info = op.info();
        let mut sig = Signature {
            op,
            params: SmallVec::new(),
            results: SmallVec::new(),
        };
        let fits = matches!(
            (info.imm, imm),
            (ImmKind::None | ImmKind::Fence, None)
                | (ImmKind::Memarg, Some(Imm::Memarg(_)))
                | (ImmKind::MemargLane, Some(Imm::MemargLane(..)))
                | (ImmKind::Lane, Some(Imm::Lane(_)))
                | (ImmKind::Shuffle, Some(Imm::Shuffle(_)))
                | (ImmKind::Memory, Some(Imm::Memory(_)))
                | (ImmKind::MemoryMemory, Some(Imm::MemoryMemory(..)))
                | (ImmKind::DataMemory, Some(Imm::DataMemory(..)))
                | (ImmKind::Data, Some(Imm::Data(_)))
                | (ImmKind::Table, Some(Imm::Table(_)))
                | (ImmKind::TableTable, Some(Imm::TableTable(..)))
                | (ImmKind::ElemTable, Some(Imm::ElemTable(..)))
                | (ImmKind::Elem, Some(Imm::Elem(_)))
                | (ImmKind::Ty, Some(Imm::Ty(_)))
                | (ImmKind::TyField, Some(Imm::TyField(..)))
                | (ImmKind::TyTy, Some(Imm::TyTy(..)))
                | (ImmKind::TyData, Some(Imm::TyData(..)))
                | (ImmKind::TyElem, Some(Imm::TyElem(..)))
                | (ImmKind::TyCount, Some(Imm::TyCount(..)))
                | (ImmKind::Heap, Some(Imm::Heap(_)))
                | (ImmKind::Func, Some(Imm::Func(_)))
        );
        if !fits {
            return Err(format!("`{op}` has the wrong immediates"));
        }
        let addr64 = |imm: &Imm, second: bool| match *imm {
            Imm::Memarg(a) | Imm::MemargLane(a, _) => m.memories[a.memory].index64,
            Imm::Memory(x) | Imm::DataMemory(_, x) => m.memories[x].index64,
            Imm::MemoryMemory(a, b) => m.memories[if second { b } else { a }].index64,
            Imm::Table(x) | Imm::ElemTable(_, x) => m.tables[x].index64,
            Imm::TableTable(a, b) => m.tables[if second { b } else { a }].index64,
            _ => false,
        };
        let index = |wide: bool| Some(if wide { Type::I64 } else { Type::I32 });
        for (i, &want) in info.params.iter().enumerate() {
            sig.params.push(match want {
                OperandTy::Val(ty) => Some(ty),
                OperandTy::Any => return Err(format!("`{op}` has no fixed signature")),
                OperandTy::Ref => sig.ref_param(i, imm),
                OperandTy::Addr => index(imm.is_some_and(|imm| addr64(imm, false))),
                OperandTy::Addr2 => index(imm.is_some_and(|imm| addr64(imm, true))),
                OperandTy::AddrMin => {
                    index(imm.is_some_and(|imm| addr64(imm, false) && addr64(imm, true)))
                }
                OperandTy::Elem => sig.elem(m, imm),
                OperandTy::Field => Some(sig.field(m, imm)?),
                OperandTy::Custom => {
                    sig.custom(m, imm)?;
                    continue;
                }
            });
        }
        for &want in info.results {
            sig.results.push(match want {
                OperandTy::Val(ty) => Some(ty),
                OperandTy::Ref => sig.fixed_ref(m, imm)?,
                OperandTy::Addr => index(imm.is_some_and(|imm| addr64(imm, false))),
                OperandTy::Elem => sig.elem(m, imm),
                OperandTy::Field => Some(sig.field(m, imm)?),
                _ => return Err(format!("`{op}` has no fixed signature")),
            });
        }
        Ok(sig)
    }

    fn elem(&self, m: &Module, imm: Option<&Imm>) -> Option<Type> {
        match imm {
            Some(Imm::Table(t)) => Some(Type::Ref(m.tables[*t].ty)),
            _ => None,
        }
    }

    fn field(&self, m: &Module, imm: Option<&Imm>) -> Result<Type, String> {
        let wrong = || format!("`{}` names a type that does not fit", self.op);
        let ty = match imm {
            Some(Imm::TyField(t, n)) => match &m.types[*t].composite {
                CompositeType::Struct(fields) => fields.get(*n as usize).ok_or_else(wrong)?.ty,
                _ => return Err(wrong()),
            },
            Some(Imm::Ty(t)) => match &m.types[*t].composite {
                CompositeType::Array(element) => element.ty,
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        Ok(ty.unpacked())
    }

    fn custom(&mut self, m: &Module, imm: Option<&Imm>) -> Result<(), String> {
        match imm {
            Some(Imm::Ty(t)) => {
                if let CompositeType::Struct(fields) = &m.types[*t].composite {
                    self.params
                        .extend(fields.iter().map(|f| Some(f.ty.unpacked())));
                    return Ok(());
                }
            }
            Some(Imm::TyCount(t, n)) => {
                if let CompositeType::Array(element) = &m.types[*t].composite {
                    if *n > u32::from(u16::MAX) {
                        return Err(format!("`{}` has more than 65,535 operands", self.op));
                    }
                    let ty = Some(element.ty.unpacked());
                    self.params.extend(std::iter::repeat_n(ty, *n as usize));
                    return Ok(());
                }
            }
            _ => {}
        }
        Err(format!("`{}` names a type that does not fit", self.op))
    }

    fn ref_param(&self, index: usize, imm: Option<&Imm>) -> Option<Type> {
        match (self.op, imm) {
            (Opcode::RefEq, _) => nullable(AbstractHeap::Eq),
            (Opcode::I31GetS | Opcode::I31GetU, _) => nullable(AbstractHeap::I31),
            (Opcode::ArrayLen, _) => nullable(AbstractHeap::Array),
            (Opcode::AnyConvertExtern, _) => nullable(AbstractHeap::Extern),
            (Opcode::ExternConvertAny, _) => nullable(AbstractHeap::Any),
            (_, Some(Imm::TyTy(_, source))) if index > 0 => {
                reference(true, HeapType::Concrete(*source))
            }
            (
                _,
                Some(
                    Imm::Ty(t)
                    | Imm::TyField(t, _)
                    | Imm::TyTy(t, _)
                    | Imm::TyData(t, _)
                    | Imm::TyElem(t, _),
                ),
            ) => reference(true, HeapType::Concrete(*t)),
            _ => None,
        }
    }

    fn fixed_ref(&self, m: &Module, imm: Option<&Imm>) -> Result<Option<Type>, String> {
        Ok(match (self.op, imm) {
            (Opcode::RefNull | Opcode::RefCastNullable, Some(Imm::Heap(heap))) => {
                reference(true, *heap)
            }
            (Opcode::RefCastNonNull, Some(Imm::Heap(heap))) => reference(false, *heap),
            (Opcode::RefFunc, Some(Imm::Func(f))) => {
                reference(false, HeapType::Concrete(m.funcs[*f].ty))
            }
            (Opcode::RefI31, _) => {
                let heap = HeapType::Abstract {
                    shared: false,
                    kind: AbstractHeap::I31,
                };
                reference(false, heap)
            }
            (_, Some(Imm::Ty(t) | Imm::TyCount(t, _) | Imm::TyData(t, _) | Imm::TyElem(t, _))) => {
                let is_struct = matches!(m.types[*t].composite, CompositeType::Struct(_));
                let wants_struct = matches!(self.op, Opcode::StructNew | Opcode::StructNewDefault);
                let is_array = matches!(m.types[*t].composite, CompositeType::Array(_));
                if if wants_struct { !is_struct } else { !is_array } {
                    return Err(format!("`{}` names a type that does not fit", self.op));
                }
                reference(false, HeapType::Concrete(*t))
            }
            _ => None,
        })
    }

    /// The type of a reference result that depends on the operands.
    pub(super) fn ref_result(&self, args: &[Type]) -> Option<Type> {
        let Some(Type::Ref(arg)) = args.first() else {
            return None;
        };
        let heap = |kind| HeapType::Abstract {
            shared: false,
            kind,
        };
        match self.op {
            Opcode::RefAsNonNull => reference(false, arg.heap),
            Opcode::AnyConvertExtern => reference(arg.nullable, heap(AbstractHeap::Any)),
            Opcode::ExternConvertAny => reference(arg.nullable, heap(AbstractHeap::Extern)),
            _ => None,
        }
    }
}
