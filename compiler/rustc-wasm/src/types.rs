//! Layouts and ABIs as backend types.
//!
//! The calling convention is LLVM's for wasm32, so that our objects link with its objects, with C and with wasi-libc:
//! `rustc_target` decides how each argument travels, and [`CodegenCx::wasm_type`] splits that into wasm values.

use crate::cx::CodegenCx;
use crate::value::{Param, Scalar, Sig, SigId, Type, Value};
use rustc_abi::{self as abi, AddressSpace, BackendRepr, Float, Integer, Primitive, Reg, RegKind};
use rustc_codegen_ssa::common::TypeKind;
use rustc_codegen_ssa::traits::{BaseTypeCodegenMethods, LayoutTypeCodegenMethods, TypeMembershipCodegenMethods};
use rustc_middle::bug;
use rustc_middle::ty::Ty;
use rustc_middle::ty::layout::{LayoutOf, TyAndLayout};
use rustc_span::DUMMY_SP;
use rustc_target::callconv::{ArgAttributes, ArgExtension, CastTarget, FnAbi, PassMode};

/// The scalar for a scalar of a layout; a truth value only as an immediate.
pub(crate) fn scalar(scalar: abi::Scalar, immediate: bool) -> Scalar {
    if immediate && scalar.is_bool() {
        return Scalar::Bool;
    }
    match scalar.primitive() {
        Primitive::Int(int, _) => Scalar::Int(match int {
            Integer::I8 => 8,
            Integer::I16 => 16,
            Integer::I32 => 32,
            Integer::I64 => 64,
            Integer::I128 => 128,
        }),
        Primitive::Float(Float::F16) => Scalar::F16,
        Primitive::Float(Float::F32) => Scalar::F32,
        Primitive::Float(Float::F64) => Scalar::F64,
        Primitive::Float(Float::F128) => Scalar::F128,
        Primitive::Pointer(_) => Scalar::Ptr,
    }
}

fn signed(attrs: &ArgAttributes) -> bool {
    attrs.arg_ext == ArgExtension::Sext
}

impl<'tcx> CodegenCx<'tcx> {
    /// The signature of an ABI.
    pub(crate) fn fn_abi_sig(&self, fn_abi: &FnAbi<'tcx, Ty<'tcx>>) -> SigId {
        let mut params = Vec::with_capacity(fn_abi.args.len() + 1);
        let mut ret_signed = false;
        let ret = match &fn_abi.ret.mode {
            PassMode::Ignore => Type::Void,
            PassMode::Direct(attrs) => {
                ret_signed = signed(attrs);
                self.immediate_backend_type(fn_abi.ret.layout)
            }
            PassMode::Pair(..) => self.immediate_backend_type(fn_abi.ret.layout),
            PassMode::Cast { cast, .. } => self.cast_backend_type(cast),
            PassMode::Indirect { .. } => {
                params.push(Param::new(Type::PTR));
                Type::Void
            }
        };
        let fixed = if fn_abi.c_variadic { fn_abi.fixed_count as usize } else { fn_abi.args.len() };
        for arg in &fn_abi.args[..fixed] {
            match &arg.mode {
                PassMode::Ignore => {}
                PassMode::Direct(attrs) => {
                    params.push(Param { ty: self.immediate_backend_type(arg.layout), signed: signed(attrs) })
                }
                PassMode::Pair(a, b) => {
                    for (index, attrs) in [a, b].into_iter().enumerate() {
                        let ty = self.scalar_pair_element_backend_type(arg.layout, index, true);
                        params.push(Param { ty, signed: signed(attrs) });
                    }
                }
                PassMode::Indirect { meta_attrs: Some(_), .. } => {
                    let pointer = self.layout_of(Ty::new_mut_ptr(self.tcx, arg.layout.ty));
                    for index in 0..2 {
                        params.push(Param::new(self.scalar_pair_element_backend_type(pointer, index, true)));
                    }
                }
                PassMode::Indirect { meta_attrs: None, .. } => params.push(Param::new(Type::PTR)),
                PassMode::Cast { cast, .. } => params.push(Param::new(self.cast_backend_type(cast))),
            }
        }
        let ret_in_first = matches!(fn_abi.ret.mode, PassMode::Indirect { .. });
        self.sig(Sig { params, ret, ret_in_first, ret_signed, variadic: fn_abi.c_variadic })
    }
}

impl<'tcx> BaseTypeCodegenMethods for CodegenCx<'tcx> {
    fn type_i8(&self) -> Type {
        Type::I8
    }
    fn type_i16(&self) -> Type {
        Type::Scalar(Scalar::Int(16))
    }
    fn type_i32(&self) -> Type {
        Type::I32
    }
    fn type_i64(&self) -> Type {
        Type::I64
    }
    fn type_i128(&self) -> Type {
        Type::I128
    }
    fn type_isize(&self) -> Type {
        Type::I32
    }
    fn type_f16(&self) -> Type {
        Type::Scalar(Scalar::F16)
    }
    fn type_f32(&self) -> Type {
        Type::Scalar(Scalar::F32)
    }
    fn type_f64(&self) -> Type {
        Type::Scalar(Scalar::F64)
    }
    fn type_f128(&self) -> Type {
        Type::Scalar(Scalar::F128)
    }

    fn type_array(&self, ty: Type, len: u64) -> Type {
        Type::Blob(ty.stride() * len)
    }

    fn type_func(&self, args: &[Type], ret: Type) -> SigId {
        self.simple_sig(args, ret)
    }

    fn type_kind(&self, ty: Type) -> TypeKind {
        match ty {
            Type::Void => TypeKind::Void,
            Type::Scalar(scalar) => match scalar {
                Scalar::Bool | Scalar::Int(_) => TypeKind::Integer,
                Scalar::F16 => TypeKind::Half,
                Scalar::F32 => TypeKind::Float,
                Scalar::F64 => TypeKind::Double,
                Scalar::F128 => TypeKind::FP128,
                Scalar::Ptr => TypeKind::Pointer,
            },
            Type::Pair(..) => TypeKind::Struct,
            Type::Vector(..) => TypeKind::Vector,
            Type::Blob(_) => TypeKind::Array,
        }
    }

    fn type_ptr(&self) -> Type {
        Type::PTR
    }

    fn type_ptr_ext(&self, _address_space: AddressSpace) -> Type {
        Type::PTR
    }

    fn element_type(&self, ty: Type) -> Type {
        match ty {
            Type::Vector(elem, _) => Type::Scalar(elem),
            other => bug!("{other:?} has no elements"),
        }
    }

    fn vector_length(&self, ty: Type) -> usize {
        match ty {
            Type::Vector(_, count) => count as usize,
            other => bug!("{other:?} is not a vector"),
        }
    }

    fn float_width(&self, ty: Type) -> usize {
        match ty {
            Type::Scalar(scalar) => scalar.bits() as usize,
            other => bug!("{other:?} is not a float"),
        }
    }

    fn int_width(&self, ty: Type) -> u64 {
        match ty {
            Type::Scalar(scalar) => u64::from(scalar.bits()),
            other => bug!("{other:?} is not an integer"),
        }
    }

    fn val_ty(&self, value: Value) -> Type {
        self.type_of(value)
    }
}

impl<'tcx> LayoutTypeCodegenMethods<'tcx> for CodegenCx<'tcx> {
    fn backend_type(&self, layout: TyAndLayout<'tcx>) -> Type {
        match layout.backend_repr {
            BackendRepr::Scalar(s) => Type::Scalar(scalar(s, false)),
            BackendRepr::SimdVector { element, count } => self.vector_type(element, count),
            BackendRepr::SimdScalableVector { .. } => {
                self.unsupported(DUMMY_SP, format_args!("the scalable vector type `{}`", layout.ty));
                Type::Blob(layout.size.bytes())
            }
            BackendRepr::ScalarPair(..) => Type::Blob(layout.size.bytes()),
            BackendRepr::Memory { .. } => Type::Blob(layout.size.bytes()),
        }
    }

    fn cast_backend_type(&self, cast: &CastTarget) -> Type {
        let unit = self.reg_backend_type(&cast.rest.unit);
        if cast.prefix.iter().all(Option::is_none) && cast.rest.total <= cast.rest.unit.size {
            return unit;
        }
        bug!("wasm passes nothing in more than one register: {cast:?}")
    }

    fn fn_decl_backend_type(&self, fn_abi: &FnAbi<'tcx, Ty<'tcx>>) -> SigId {
        self.fn_abi_sig(fn_abi)
    }

    fn fn_ptr_backend_type(&self, _fn_abi: &FnAbi<'tcx, Ty<'tcx>>) -> Type {
        Type::PTR
    }

    fn reg_backend_type(&self, reg: &Reg) -> Type {
        match (&reg.kind, reg.size.bits()) {
            (RegKind::Integer, bits) => Type::Scalar(Scalar::Int(bits as u8)),
            (RegKind::Float, 16) => Type::Scalar(Scalar::F16),
            (RegKind::Float, 32) => Type::Scalar(Scalar::F32),
            (RegKind::Float, 64) => Type::Scalar(Scalar::F64),
            (RegKind::Float, 128) => Type::Scalar(Scalar::F128),
            (kind, bits) => bug!("no register of kind {kind:?} has {bits} bits"),
        }
    }

    fn immediate_backend_type(&self, layout: TyAndLayout<'tcx>) -> Type {
        match layout.backend_repr {
            BackendRepr::Scalar(s) => Type::Scalar(scalar(s, true)),
            BackendRepr::ScalarPair(a, b) => Type::Pair(scalar(a, true), scalar(b, true)),
            _ => self.backend_type(layout),
        }
    }

    fn is_backend_immediate(&self, layout: TyAndLayout<'tcx>) -> bool {
        matches!(layout.backend_repr, BackendRepr::Scalar(_) | BackendRepr::SimdVector { .. })
    }

    fn is_backend_scalar_pair(&self, layout: TyAndLayout<'tcx>) -> bool {
        matches!(layout.backend_repr, BackendRepr::ScalarPair(..))
    }

    fn scalar_pair_element_backend_type(&self, layout: TyAndLayout<'tcx>, index: usize, immediate: bool) -> Type {
        let BackendRepr::ScalarPair(a, b) = layout.backend_repr else {
            bug!("{layout:?} is not a scalar pair");
        };
        Type::Scalar(scalar([a, b][index], immediate))
    }
}

impl<'tcx> CodegenCx<'tcx> {
    fn vector_type(&self, element: abi::Scalar, count: u64) -> Type {
        let element = scalar(element, false);
        Type::Vector(element, count as u32)
    }
}

impl<'tcx> TypeMembershipCodegenMethods<'tcx> for CodegenCx<'tcx> {}
