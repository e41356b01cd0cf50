//! Compiler intrinsics.
//!
//! Those with a body in the standard library fall back to it; the rest becomes operators or calls of libm, which the
//! run-time library holds under its C names.

use crate::builder::Builder;
use crate::ops::{FloatOp, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_codegen_ssa::common::IntPredicate;
use rustc_codegen_ssa::mir::operand::{OperandRef, OperandValue};
use rustc_codegen_ssa::mir::place::{PlaceRef, PlaceValue};
use rustc_codegen_ssa::traits::{
    BuilderMethods, ConstCodegenMethods, IntrinsicCallBuilderMethods, LayoutTypeCodegenMethods,
};
use rustc_middle::ty::layout::LayoutOf;
use rustc_middle::ty::{self, Instance};
use rustc_span::{Span, Symbol, sym};

/// A function of libm by the name of the intrinsic, with how many operands of the result's type it takes.
fn libm(name: Symbol) -> Option<(&'static str, usize)> {
    Some(match name {
        sym::sinf32 => ("sinf", 1),
        sym::sinf64 => ("sin", 1),
        sym::cosf32 => ("cosf", 1),
        sym::cosf64 => ("cos", 1),
        sym::powf32 => ("powf", 2),
        sym::powf64 => ("pow", 2),
        sym::expf32 => ("expf", 1),
        sym::expf64 => ("exp", 1),
        sym::exp2f32 => ("exp2f", 1),
        sym::exp2f64 => ("exp2", 1),
        sym::logf32 => ("logf", 1),
        sym::logf64 => ("log", 1),
        sym::log2f32 => ("log2f", 1),
        sym::log2f64 => ("log2", 1),
        sym::log10f32 => ("log10f", 1),
        sym::log10f64 => ("log10", 1),
        sym::fmaf32 => ("fmaf", 3),
        sym::fmaf64 => ("fma", 3),
        sym::roundf32 => ("roundf", 1),
        sym::roundf64 => ("round", 1),
        _ => return None,
    })
}

fn float_unary(name: Symbol) -> Option<FloatOp> {
    Some(match name {
        sym::sqrtf32 | sym::sqrtf64 => FloatOp::Sqrt,
        sym::floorf32 | sym::floorf64 => FloatOp::Floor,
        sym::ceilf32 | sym::ceilf64 => FloatOp::Ceil,
        sym::truncf32 | sym::truncf64 => FloatOp::Trunc,
        sym::round_ties_even_f32 | sym::round_ties_even_f64 => FloatOp::Nearest,
        sym::fabs => FloatOp::Abs,
        _ => return None,
    })
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// The value of an intrinsic that only computes; `None` if it is not one.
    fn pure_intrinsic(&mut self, name: Symbol, args: &[OperandRef<'tcx, Value>]) -> Option<Value> {
        if let Some((function, count)) = libm(name) {
            let values: Vec<Value> = args[..count].iter().map(|arg| arg.immediate()).collect();
            let ty = self.cx.type_of(values[0]);
            return Some(self.call_runtime(function, &vec![ty; count], ty, &values));
        }
        if let Some(op) = float_unary(name) {
            return Some(self.float_unary(op, args[0].immediate()));
        }
        Some(match name {
            sym::copysignf32 | sym::copysignf64 => {
                self.float_op(FloatOp::Copysign, args[0].immediate(), args[1].immediate())
            }
            sym::minimumf32 | sym::minimumf64 => self.float_op(FloatOp::Min, args[0].immediate(), args[1].immediate()),
            sym::maximumf32 | sym::maximumf64 => self.float_op(FloatOp::Max, args[0].immediate(), args[1].immediate()),
            // "May fuse": two operations are as allowed as one.
            sym::fmuladdf32 | sym::fmuladdf64 => {
                let product = self.float_op(FloatOp::Mul, args[0].immediate(), args[1].immediate());
                self.float_op(FloatOp::Add, product, args[2].immediate())
            }
            sym::powif32 | sym::powif64 => {
                let base = args[0].immediate();
                let ty = self.cx.type_of(base);
                let function = if name == sym::powif32 { "__powisf2" } else { "__powidf2" };
                self.call_runtime(function, &[ty, Type::I32], ty, &[base, args[1].immediate()])
            }
            sym::ctlz | sym::ctlz_nonzero => self.count(IntOp::Clz, args[0].immediate()),
            sym::cttz | sym::cttz_nonzero => self.count(IntOp::Ctz, args[0].immediate()),
            sym::ctpop => self.count(IntOp::Popcnt, args[0].immediate()),
            sym::bswap => self.byte_swap(args[0].immediate()),
            sym::bitreverse => self.bit_reverse(args[0].immediate()),
            sym::rotate_left => self.rotate(IntOp::Rotl, args),
            sym::rotate_right => self.rotate(IntOp::Rotr, args),
            sym::saturating_add | sym::saturating_sub => self.saturating(name == sym::saturating_add, args),
            _ => return None,
        })
    }

    /// A bit count as `u32`, whatever the operand's width.
    fn count(&mut self, op: IntOp, value: Value) -> Value {
        let count = self.int_unary(op, value);
        self.cast_int(count, Type::I32, false)
    }

    fn rotate(&mut self, op: IntOp, args: &[OperandRef<'tcx, Value>]) -> Value {
        let value = args[0].immediate();
        let by = self.cast_int(args[1].immediate(), self.cx.type_of(value), false);
        self.int_op(op, value, by)
    }

    fn saturating(&mut self, add: bool, args: &[OperandRef<'tcx, Value>]) -> Value {
        use rustc_codegen_ssa::traits::OverflowOp;
        let ty = args[0].layout.ty;
        let (_, signed) = ty.int_size_and_signed(self.cx.tcx);
        let (a, b) = (args[0].immediate(), args[1].immediate());
        let (result, overflow) = self.checked_binop(if add { OverflowOp::Add } else { OverflowOp::Sub }, ty, a, b);
        let scalar = self.scalar_of(a);
        let limit = if signed {
            // The limit on the side of the first operand: all its sign bits, with the top bit flipped.
            let by = Value::Const(scalar, u128::from(scalar.bits() - 1));
            let sign = self.int_op(IntOp::ShrS, a, by);
            let max = Value::Const(scalar, scalar.mask() >> 1);
            self.int_op(IntOp::Xor, sign, max)
        } else {
            Value::Const(scalar, if add { scalar.mask() } else { 0 })
        };
        self.select_value(overflow, limit, result)
    }

    fn compare_memory(&mut self, a: Value, b: Value, size: Value) -> Value {
        self.call_runtime("memcmp", &[Type::PTR, Type::PTR, Type::I32], Type::I32, &[a, b, size])
    }

    /// Whether two values of `layout` have the same bytes.
    fn raw_eq(&mut self, layout: ty::layout::TyAndLayout<'tcx>, a: Value, b: Value) -> Value {
        let size = layout.size.bytes();
        let scalar = match size {
            0 => return self.cx.const_bool(true),
            1 | 2 | 4 | 8 | 16 => Type::Scalar(Scalar::Int(size as u8 * 8)),
            _ => {
                let size = self.cx.const_usize(size);
                let order = self.compare_memory(a, b, size);
                let zero = self.cx.const_u32(0);
                return self.compare(IntPredicate::IntEQ, order, zero);
            }
        };
        let align = layout.align.abi.bytes().trailing_zeros() as u8;
        let (x, y) = (self.load_value(scalar, a, align, false), self.load_value(scalar, b, align, false));
        self.compare(IntPredicate::IntEQ, x, y)
    }

    fn select_unpredictable(&mut self, args: &[OperandRef<'tcx, Value>], result: PlaceRef<'tcx, Value>) {
        let cond = args[0].immediate();
        let chosen = match (args[1].val, args[2].val) {
            (OperandValue::Ref(a), OperandValue::Ref(b)) => {
                let pointer = self.select_value(cond, a.llval, b.llval);
                OperandValue::Ref(PlaceValue::new_sized(pointer, a.align.min(b.align)))
            }
            (OperandValue::Immediate(a), OperandValue::Immediate(b)) => {
                OperandValue::Immediate(self.select_value(cond, a, b))
            }
            (OperandValue::Pair(a0, a1), OperandValue::Pair(b0, b1)) => {
                OperandValue::Pair(self.select_value(cond, a0, b0), self.select_value(cond, a1, b1))
            }
            _ => return,
        };
        chosen.store(self, result);
    }
}

impl<'tcx> IntrinsicCallBuilderMethods<'tcx> for Builder<'_, 'tcx> {
    fn codegen_intrinsic_call(
        &mut self,
        instance: Instance<'tcx>,
        args: &[OperandRef<'tcx, Value>],
        result: PlaceRef<'tcx, Value>,
        span: Span,
    ) -> Result<(), Instance<'tcx>> {
        let tcx = self.cx.tcx;
        let name = tcx.item_name(instance.def_id());
        let generic = instance.args;
        let value = match name {
            sym::raw_eq => {
                let layout = self.cx.layout_of(generic.type_at(0));
                self.raw_eq(layout, args[0].immediate(), args[1].immediate())
            }
            sym::compare_bytes => self.compare_memory(args[0].immediate(), args[1].immediate(), args[2].immediate()),
            sym::ptr_mask => self.int_op(IntOp::And, args[0].immediate(), args[1].immediate()),
            sym::is_val_statically_known => {
                self.cx.const_bool(matches!(args[0].val, OperandValue::Immediate(Value::Const(..))))
            }
            sym::select_unpredictable => {
                self.select_unpredictable(args, result);
                return Ok(());
            }
            sym::black_box => {
                // A store to memory that is read back: passes that promote memory see no more than the copy.
                args[0].val.store(self, result);
                return Ok(());
            }
            sym::catch_unwind => {
                // Nothing unwinds, so the call returns and nothing was caught.
                let sig = self.cx.simple_sig(&[Type::PTR], Type::Void);
                self.call(sig, None, None, args[0].immediate(), &[args[1].immediate()], None, None);
                self.cx.const_i32(0)
            }
            sym::volatile_load | sym::unaligned_volatile_load => {
                if !result.layout.is_zst() {
                    let align = if name == sym::volatile_load {
                        result.layout.align.abi.bytes().trailing_zeros() as u8
                    } else {
                        0
                    };
                    let pointer = args[0].immediate();
                    match self.cx.backend_type(result.layout) {
                        ty @ (Type::Scalar(_) | Type::Vector(..)) => {
                            let value = self.load_value(ty, pointer, align, true);
                            self.store_value(value, result.val.llval, align, false);
                        }
                        _ => {
                            let size = self.cx.const_usize(result.layout.size.bytes());
                            self.copy_bytes(result.val.llval, align, pointer, align, size, true);
                        }
                    }
                }
                return Ok(());
            }
            sym::breakpoint
            | sym::prefetch_read_data
            | sym::prefetch_write_data
            | sym::prefetch_read_instruction
            | sym::prefetch_write_instruction => return Ok(()),
            _ => match self.pure_intrinsic(name, args) {
                Some(value) => value,
                None => {
                    if tcx.intrinsic(instance.def_id()).is_some_and(|intrinsic| intrinsic.must_be_overridden) {
                        self.cx.unsupported(span, format_args!("the intrinsic `{name}`"));
                        return Ok(());
                    }
                    return Err(Instance::new_raw(instance.def_id(), generic));
                }
            },
        };
        if result.layout.is_zst() {
            return Ok(());
        }
        OperandRef::from_immediate_or_packed_pair(self, value, result.layout).val.store(self, result);
        Ok(())
    }

    fn codegen_llvm_intrinsic_call(
        &mut self,
        instance: Instance<'tcx>,
        _args: &[OperandRef<'tcx, Value>],
        _is_cleanup: bool,
    ) -> Value {
        let name = self.cx.tcx.symbol_name(instance).name;
        self.cx.unsupported(self.span, format_args!("the LLVM intrinsic `{name}`"));
        let sig = self.cx.tcx.fn_sig(instance.def_id()).instantiate(self.cx.tcx, instance.args);
        let output = self.cx.tcx.instantiate_bound_regions_with_erased(sig).output();
        let layout = self.cx.layout_of(output);
        if layout.is_zst() { Value::Void } else { Value::Undef(self.cx.immediate_backend_type(layout)) }
    }

    fn abort(&mut self) {
        self.unreachable_nonterminator();
    }

    fn assume(&mut self, _value: Value) {}

    fn expect(&mut self, cond: Value, _expected: bool) -> Value {
        cond
    }

    fn type_checked_load(&mut self, _vtable: Value, _offset: u64, _typeid: &[u8]) -> Value {
        self.cx.unsupported(self.span, "virtual function elimination");
        Value::Undef(Type::PTR)
    }

    fn va_start(&mut self, list: Value) -> Value {
        self.cx.unsupported(self.span, "definitions of variadic functions");
        list
    }

    fn va_end(&mut self, list: Value) -> Value {
        list
    }
}
