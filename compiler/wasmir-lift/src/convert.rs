//! Types of `wasmparser` in terms of WasmIR.

use wasmir::{
    AbstractHeap, CompositeType, FieldType, FuncType, HeapType, RefType, Type, TypeDef, TypeId,
};
use wasmparser::{
    AbstractHeapType, CompositeInnerType, StorageType, SubType, UnpackedIndex, ValType,
};

use crate::LiftError;

/// Converts types; `offset` is only used in errors.
#[derive(Clone, Copy)]
pub(crate) struct Convert {
    pub(crate) offset: u64,
}

impl Convert {
    pub(crate) fn val(self, ty: ValType) -> Result<Type, LiftError> {
        Ok(match ty {
            ValType::I32 => Type::I32,
            ValType::I64 => Type::I64,
            ValType::F32 => Type::F32,
            ValType::F64 => Type::F64,
            ValType::V128 => Type::V128,
            ValType::Ref(r) => Type::Ref(self.reference(r)?),
        })
    }

    pub(crate) fn reference(self, ty: wasmparser::RefType) -> Result<RefType, LiftError> {
        Ok(RefType {
            nullable: ty.is_nullable(),
            heap: self.heap(ty.heap_type())?,
        })
    }

    pub(crate) fn heap(self, ty: wasmparser::HeapType) -> Result<HeapType, LiftError> {
        match ty {
            wasmparser::HeapType::Abstract { shared, ty } => {
                use AbstractHeapType as W;
                let kind = match ty {
                    W::Func => AbstractHeap::Func,
                    W::Extern => AbstractHeap::Extern,
                    W::Any => AbstractHeap::Any,
                    W::None => AbstractHeap::None,
                    W::NoExtern => AbstractHeap::NoExtern,
                    W::NoFunc => AbstractHeap::NoFunc,
                    W::Eq => AbstractHeap::Eq,
                    W::Struct => AbstractHeap::Struct,
                    W::Array => AbstractHeap::Array,
                    W::I31 => AbstractHeap::I31,
                    W::Exn => AbstractHeap::Exn,
                    W::NoExn => AbstractHeap::NoExn,
                    W::Cont | W::NoCont => {
                        return Err(LiftError::unsupported("a continuation type", self.offset));
                    }
                };
                Ok(HeapType::Abstract { shared, kind })
            }
            wasmparser::HeapType::Concrete(index) => Ok(HeapType::Concrete(self.index(index)?)),
            wasmparser::HeapType::Exact(_) => Err(LiftError::unsupported(
                "an exact reference type",
                self.offset,
            )),
        }
    }

    fn index(self, index: UnpackedIndex) -> Result<TypeId, LiftError> {
        match index {
            UnpackedIndex::Module(index) => Ok(TypeId::from_u32(index)),
            _ => Err(LiftError::unsupported(
                "a type index that is not one of the module",
                self.offset,
            )),
        }
    }

    fn field(self, field: &wasmparser::FieldType) -> Result<FieldType, LiftError> {
        let ty = match field.element_type {
            StorageType::I8 => Type::I8,
            StorageType::I16 => Type::I16,
            StorageType::Val(ty) => self.val(ty)?,
        };
        Ok(FieldType {
            ty,
            mutable: field.mutable,
        })
    }

    pub(crate) fn def(self, ty: &SubType) -> Result<TypeDef, LiftError> {
        let composite = &ty.composite_type;
        if composite.describes_idx.is_some() || composite.descriptor_idx.is_some() {
            return Err(LiftError::unsupported("a custom descriptor", self.offset));
        }
        let all = |types: &[ValType]| {
            types
                .iter()
                .map(|&ty| self.val(ty))
                .collect::<Result<Box<[Type]>, _>>()
        };
        let supertype = match ty.supertype_idxs.as_slice() {
            [] => None,
            [index] => Some(self.index(index.unpack())?),
            _ => {
                return Err(LiftError::unsupported(
                    "a type of several supertypes",
                    self.offset,
                ));
            }
        };
        Ok(TypeDef {
            is_final: ty.is_final,
            shared: composite.shared,
            supertype,
            composite: match &composite.inner {
                CompositeInnerType::Func(f) => CompositeType::Func(FuncType {
                    params: all(f.params())?,
                    results: all(f.results())?,
                }),
                CompositeInnerType::Struct(s) => CompositeType::Struct(
                    s.fields
                        .iter()
                        .map(|field| self.field(field))
                        .collect::<Result<_, _>>()?,
                ),
                CompositeInnerType::Array(a) => CompositeType::Array(self.field(&a.0)?),
                CompositeInnerType::Cont(_) => {
                    return Err(LiftError::unsupported("a continuation type", self.offset));
                }
            },
        })
    }
}
