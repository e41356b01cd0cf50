//! Compiler intrinsics.
//!
//! Those with a body in the standard library fall back to it; the rest becomes operators or calls of libm, which the
//! run-time library holds under its C names.

use crate::builder::Builder;
use crate::builder::is_soft;
use crate::ops::{FloatOp, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_codegen_ssa::common::IntPredicate;
use rustc_codegen_ssa::mir::operand::{OperandRef, OperandValue};
use rustc_codegen_ssa::mir::place::{PlaceRef, PlaceValue};
use rustc_codegen_ssa::traits::{
    BuilderMethods, ConstCodegenMethods, IntrinsicCallBuilderMethods, LayoutTypeCodegenMethods,
};
use rustc_middle::ty::layout::LayoutOf;
use rustc_middle::ty::{self, Instance, Ty};
use rustc_span::{Span, Symbol, sym};
use wasmir::Local;

/// The name of an intrinsic on floats without its format: `sqrtf64` is `sqrt`, `round_ties_even_f16` is `round_ties_even`.
fn without_format(name: &str) -> Option<&str> {
    let base = ["f16", "f32", "f64", "f128"].iter().find_map(|format| name.strip_suffix(format))?;
    Some(base.trim_end_matches('_'))
}

/// Whether an intrinsic is a function of libm, all of whose operands are of the result's type.
fn is_libm(base: &str) -> bool {
    matches!(base, "sin" | "cos" | "exp" | "exp2" | "log" | "log2" | "log10" | "round" | "pow" | "fma")
}

/// The C name of a function of libm. The run-time library holds exact functions on `f128` under names of its own; the others
/// are found where `long double` is `f128`, as it is in wasi-libc.
fn libm_name(base: &str, scalar: Scalar) -> String {
    let suffix = match (scalar, base) {
        (Scalar::F32, _) => "f",
        (Scalar::F128, "fma" | "round") => "f128",
        (Scalar::F128, _) => "l",
        _ => "",
    };
    format!("{base}{suffix}")
}

fn float_unary(base: &str) -> Option<FloatOp> {
    Some(match base {
        "sqrt" => FloatOp::Sqrt,
        "floor" => FloatOp::Floor,
        "ceil" => FloatOp::Ceil,
        "trunc" => FloatOp::Trunc,
        "round_ties_even" => FloatOp::Nearest,
        _ => return None,
    })
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// The value of an intrinsic that only computes; `None` if it is not one.
    fn pure_intrinsic(&mut self, name: Symbol, args: &[OperandRef<'tcx, Value>]) -> Option<Value> {
        if let Some(base) = without_format(name.as_str())
            && let Some(value) = self.float_intrinsic(base, args)
        {
            return Some(value);
        }
        Some(match name {
            sym::fabs => self.float_unary(FloatOp::Abs, args[0].immediate()),
            sym::ctlz | sym::ctlz_nonzero => self.count(IntOp::Clz, args[0].immediate()),
            sym::cttz | sym::cttz_nonzero => self.count(IntOp::Ctz, args[0].immediate()),
            sym::ctpop => self.count(IntOp::Popcnt, args[0].immediate()),
            sym::bswap => self.byte_swap(args[0].immediate()),
            sym::bitreverse => self.bit_reverse(args[0].immediate()),
            sym::rotate_left => self.rotate(IntOp::Rotl, args),
            sym::rotate_right => self.rotate(IntOp::Rotr, args),
            sym::saturating_add | sym::saturating_sub => {
                let add = name == sym::saturating_add;
                self.saturating(add, args[0].layout.ty, args[0].immediate(), args[1].immediate())
            }
            _ => return None,
        })
    }

    /// An intrinsic that exists for every format of floats, by its name without the format.
    fn float_intrinsic(&mut self, base: &str, args: &[OperandRef<'tcx, Value>]) -> Option<Value> {
        let values: Vec<Value> = args.iter().map(|arg| arg.immediate()).collect();
        let scalar = match self.cx.type_of(*values.first()?) {
            Type::Scalar(scalar) => scalar,
            _ => return None,
        };
        if let Some(op) = float_unary(base) {
            return Some(self.float_unary(op, values[0]));
        }
        if is_libm(base) {
            return Some(self.libm_call(base, scalar, &values));
        }
        Some(match base {
            "copysign" => self.float_op(FloatOp::Copysign, values[0], values[1]),
            // For the formats without operators the standard library's own definition serves.
            "minimum" if !is_soft(scalar) => self.float_op(FloatOp::Min, values[0], values[1]),
            "maximum" if !is_soft(scalar) => self.float_op(FloatOp::Max, values[0], values[1]),
            // "May fuse": two operations are as allowed as one.
            "fmuladd" => {
                let product = self.float_op(FloatOp::Mul, values[0], values[1]);
                self.float_op(FloatOp::Add, product, values[2])
            }
            "powi" => self.power(scalar, values[0], values[1]),
            _ => return None,
        })
    }

    /// A function of libm on operands of one format.
    pub(crate) fn libm_call(&mut self, base: &str, scalar: Scalar, values: &[Value]) -> Value {
        let ty = Type::Scalar(scalar);
        match (scalar, base) {
            (Scalar::F16, "fma") => {
                // A product of `f16` is exact in `f64`; where the sum is not, the lost bits lie below half of what is kept and
                // cannot make a tie, because the larger operand is a value of `f16` then.
                let wide = Type::Scalar(Scalar::F64);
                let [a, b, c] = [0, 1, 2].map(|i| self.float_to_float(values[i], wide));
                let product = self.float_op(FloatOp::Mul, a, b);
                let sum = self.float_op(FloatOp::Add, product, c);
                self.float_to_float(sum, ty)
            }
            (Scalar::F16, _) => self.in_single(values, |bx, wide| bx.libm_call(base, Scalar::F32, wide)),
            _ => {
                let name = libm_name(base, scalar);
                self.call_runtime(&name, &vec![ty; values.len()], ty, values)
            }
        }
    }

    fn power(&mut self, scalar: Scalar, base: Value, exponent: Value) -> Value {
        let name = match scalar {
            Scalar::F16 => return self.in_single(&[base], |bx, wide| bx.power(Scalar::F32, wide[0], exponent)),
            Scalar::F32 => "__powisf2",
            Scalar::F64 => "__powidf2",
            _ => "__powitf2",
        };
        let ty = Type::Scalar(scalar);
        self.call_runtime(name, &[ty, Type::I32], ty, &[base, exponent])
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

    /// `a + b` or `a - b`, kept at the limit of the type `ty` that it passes.
    pub(crate) fn saturating(&mut self, add: bool, ty: Ty<'tcx>, a: Value, b: Value) -> Value {
        use rustc_codegen_ssa::traits::OverflowOp;
        let (_, signed) = ty.int_size_and_signed(self.cx.tcx);
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

    /// The next variadic argument: takes it from the buffer that `list` points into, and moves `list` behind it.
    fn next_variadic(&mut self, list: Value, layout: ty::layout::TyAndLayout<'tcx>) -> Value {
        let ty = self.cx.immediate_backend_type(layout);
        let (bytes, align) = (layout.size.bytes().max(4), layout.align.abi.bytes());
        let mut at = self.load_value(Type::PTR, list, 2, false);
        if align > 4 {
            let up = self.int_op(IntOp::Add, at, Value::Const(Scalar::Ptr, u128::from(align - 1)));
            let mask = Scalar::Ptr.mask() & !u128::from(align - 1);
            at = self.int_op(IntOp::And, up, Value::Const(Scalar::Ptr, mask));
        }
        let value = self.load_value(ty, at, align.max(4).trailing_zeros() as u8, false);
        let next = self.int_op(IntOp::Add, at, Value::Const(Scalar::Ptr, u128::from(bytes)));
        self.store_value(next, list, 2, false);
        value
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
            sym::va_arg => self.next_variadic(args[0].immediate(), result.layout),
            sym::catch_unwind => self.catch_unwind(args[0].immediate(), args[1].immediate(), args[2].immediate()),
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
            _ if name.as_str().starts_with("simd_") => {
                let base = &name.as_str()["simd_".len()..];
                match self.simd_intrinsic(base, generic, args, result.layout) {
                    // What writes to memory has no result.
                    Some(Value::Void) => {}
                    Some(value) => {
                        let align = result.layout.align.abi.bytes().trailing_zeros() as u8;
                        match self.cx.type_of(value) {
                            // A packed vector lies in memory, where nothing pads its lanes.
                            Type::Vector(..) => self.store_value(value, result.val.llval, align, false),
                            // A bit mask that is an array of bytes.
                            Type::Scalar(_) if !self.cx.is_backend_immediate(result.layout) => {
                                self.store_value(value, result.val.llval, align, false);
                            }
                            _ => OperandRef::from_immediate_or_packed_pair(self, value, result.layout)
                                .val
                                .store(self, result),
                        }
                    }
                    None => self.cx.unsupported(span, format_args!("the intrinsic `{name}` on these types")),
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
        args: &[OperandRef<'tcx, Value>],
        _is_cleanup: bool,
    ) -> Value {
        let name = self.cx.tcx.symbol_name(instance).name;
        let sig = self.cx.tcx.fn_sig(instance.def_id()).instantiate(self.cx.tcx, instance.args);
        let output = self.cx.tcx.instantiate_bound_regions_with_erased(sig).output();
        let layout = self.cx.layout_of(output);
        if let Some(value) = self.llvm_intrinsic(name, args, layout) {
            return value;
        }
        self.cx.unsupported(self.span, format_args!("the LLVM intrinsic `{name}`"));
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
        let (sig, ret_ptr) = self.with(|state| (state.sig, state.ret_ptr));
        let sig = self.cx.get_sig(sig);
        let parts: usize = sig.params.iter().map(|param| self.cx.wasm_parts(param.ty).len()).sum();
        // The buffer's address is the last parameter; nothing else of the list has to be set up.
        let buffer = Local::from_u32(parts as u32 + u32::from(ret_ptr.is_some()));
        self.store_value(Value::Local(Type::PTR, buffer), list, 2, false);
        list
    }

    fn va_end(&mut self, list: Value) -> Value {
        list
    }
}
