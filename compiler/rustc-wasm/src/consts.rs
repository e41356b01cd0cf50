//! Constants: scalars, and addresses into the memory that constant evaluation made.

use crate::cx::CodegenCx;
use crate::value::{Scalar, Type, Value};
use rustc_abi as abi;
use rustc_codegen_ssa::traits::{ConstCodegenMethods, MiscCodegenMethods};
use rustc_middle::bug;
use rustc_middle::mir::interpret::{self, GlobalAlloc};
use wasmir::Item;

impl<'tcx> CodegenCx<'tcx> {
    fn const_bits(&self, ty: Type, bits: u128) -> Value {
        match ty {
            Type::Scalar(scalar) => Value::Const(scalar, bits & scalar.mask()),
            other => bug!("a constant of type {other:?}"),
        }
    }

    /// The symbol a pointer of constant evaluation points into; `None` if it has an address without memory.
    pub(crate) fn global_alloc_item(&self, alloc_id: interpret::AllocId) -> Result<Item, u64> {
        let tcx = self.tcx;
        Ok(match tcx.global_alloc(alloc_id) {
            GlobalAlloc::Memory(alloc) => {
                if alloc.inner().len() == 0 {
                    // A zero-sized constant needs no memory, only an aligned address.
                    return Err(alloc.inner().align.bytes());
                }
                Item::Data(self.const_data(alloc, "anon"))
            }
            GlobalAlloc::Function { instance, .. } => Item::Func(self.get_fn(instance)),
            GlobalAlloc::VTable(ty, dyn_ty) => {
                let principal =
                    dyn_ty.principal().map(|principal| tcx.instantiate_bound_regions_with_erased(principal));
                let alloc = tcx.global_alloc(tcx.vtable_allocation((ty, principal))).unwrap_memory();
                Item::Data(self.const_data(alloc, "vtable"))
            }
            GlobalAlloc::Static(def_id) => Item::Data(self.static_data(def_id)),
            // The offset holds bits of the hash; the address itself means nothing.
            GlobalAlloc::TypeId { .. } => return Err(0),
        })
    }
}

impl<'tcx> ConstCodegenMethods for CodegenCx<'tcx> {
    fn const_null(&self, ty: Type) -> Value {
        self.const_bits(ty, 0)
    }

    fn const_undef(&self, ty: Type) -> Value {
        Value::Undef(ty)
    }

    fn const_poison(&self, ty: Type) -> Value {
        Value::Undef(ty)
    }

    fn const_bool(&self, value: bool) -> Value {
        Value::Const(Scalar::Bool, u128::from(value))
    }

    fn const_i8(&self, value: i8) -> Value {
        self.const_bits(Type::I8, value as u128)
    }

    fn const_i16(&self, value: i16) -> Value {
        self.const_bits(Type::Scalar(Scalar::Int(16)), value as u128)
    }

    fn const_i32(&self, value: i32) -> Value {
        self.const_bits(Type::I32, value as u128)
    }

    fn const_i64(&self, value: i64) -> Value {
        self.const_bits(Type::I64, value as u128)
    }

    fn const_int(&self, ty: Type, value: i64) -> Value {
        self.const_bits(ty, i128::from(value) as u128)
    }

    fn const_u8(&self, value: u8) -> Value {
        self.const_bits(Type::I8, u128::from(value))
    }

    fn const_u32(&self, value: u32) -> Value {
        self.const_bits(Type::I32, u128::from(value))
    }

    fn const_u64(&self, value: u64) -> Value {
        self.const_bits(Type::I64, u128::from(value))
    }

    fn const_u128(&self, value: u128) -> Value {
        self.const_bits(Type::I128, value)
    }

    fn const_usize(&self, value: u64) -> Value {
        self.const_bits(Type::I32, u128::from(value))
    }

    fn const_uint(&self, ty: Type, value: u64) -> Value {
        self.const_bits(ty, u128::from(value))
    }

    fn const_uint_big(&self, ty: Type, value: u128) -> Value {
        self.const_bits(ty, value)
    }

    fn const_real(&self, ty: Type, value: f64) -> Value {
        match ty {
            Type::Scalar(Scalar::F32) => Value::Const(Scalar::F32, u128::from((value as f32).to_bits())),
            Type::Scalar(Scalar::F64) => Value::Const(Scalar::F64, u128::from(value.to_bits())),
            other => bug!("a floating-point constant of type {other:?}"),
        }
    }

    fn const_str(&self, text: &str) -> (Value, Value) {
        let known = self.strings.borrow().get(text).copied();
        let data = known.unwrap_or_else(|| {
            let data = self.anonymous_data("str", text.as_bytes().to_vec(), Vec::new(), abi::Align::ONE, false);
            self.strings.borrow_mut().insert(text.to_owned(), data);
            data
        });
        (Value::Addr(Scalar::Ptr, Item::Data(data), 0), self.const_usize(text.len() as u64))
    }

    fn const_struct(&self, elts: &[Value], _packed: bool) -> Value {
        match elts {
            &[one] => one,
            &[a, b] => match (self.type_of(a), self.type_of(b)) {
                (Type::Scalar(ta), Type::Scalar(tb)) => self.pair(a, b, (ta, tb)),
                types => bug!("a constant struct of {types:?}"),
            },
            other => bug!("a constant struct of {} fields", other.len()),
        }
    }

    fn const_vector(&self, elts: &[Value]) -> Value {
        match elts.first().map(|&first| self.type_of(first)) {
            Some(Type::Scalar(elem)) => self.lanes(elem, elts.to_vec()),
            other => bug!("a constant vector of {other:?}"),
        }
    }

    fn const_to_opt_uint(&self, value: Value) -> Option<u64> {
        match value {
            Value::Const(scalar, bits) if scalar.is_int() => u64::try_from(bits).ok(),
            _ => None,
        }
    }

    fn const_to_opt_u128(&self, value: Value, sign_ext: bool) -> Option<u128> {
        match value {
            Value::Const(scalar, bits) if scalar.is_int() => {
                if !sign_ext {
                    return Some(bits);
                }
                let unused = 128 - scalar.bits();
                Some((((bits << unused) as i128) >> unused) as u128)
            }
            _ => None,
        }
    }

    fn scalar_to_backend(&self, value: interpret::Scalar, layout: abi::Scalar, ty: Type) -> Value {
        let Type::Scalar(scalar) = ty else { bug!("a scalar constant of type {ty:?}") };
        match value {
            interpret::Scalar::Int(int) => Value::Const(scalar, int.to_bits(layout.size(self))),
            interpret::Scalar::Ptr(pointer, _) => {
                let (provenance, offset) = pointer.prov_and_relative_offset();
                match self.global_alloc_item(provenance.alloc_id()) {
                    Ok(item) => Value::Addr(scalar, item, offset.bytes() as i32 as i64),
                    Err(address) => Value::Const(scalar, u128::from(address.wrapping_add(offset.bytes()) as u32)),
                }
            }
        }
    }

    fn const_ptr_byte_offset(&self, base: Value, offset: abi::Size) -> Value {
        match base {
            Value::Addr(scalar, item, addend) => Value::Addr(scalar, item, addend + offset.bytes() as i64),
            Value::Const(scalar, bits) => self.const_bits(Type::Scalar(scalar), bits + u128::from(offset.bytes())),
            other => bug!("a constant offset from {other:?}"),
        }
    }
}
