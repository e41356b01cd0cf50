//! SIMD intrinsics: those of `core::intrinsics::simd`, and LLVM's for what only wasm has.
//!
//! An intrinsic becomes wasm's operator where one has its meaning for the vector's shape, found by the operator's name
//! (`i32x4.add`), and operations on the lanes otherwise; so every shape is compiled, and the common ones well. The meaning of
//! each intrinsic is that of its documentation in `core::intrinsics::simd`.

use crate::builder::{Builder, bits_shape, shape};
use crate::ops::{self, FloatOp, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_codegen_ssa::common::{IntPredicate, RealPredicate};
use rustc_codegen_ssa::mir::operand::{OperandRef, OperandValue};
use rustc_codegen_ssa::traits::{BuilderMethods, LayoutTypeCodegenMethods};
use rustc_middle::ty::layout::{LayoutOf, TyAndLayout};
use rustc_middle::ty::{self, GenericArgsRef, Ty};
use wasmir::{Imm, Inst, Opcode, Type as W};

/// What an intrinsic on vectors works with.
struct Vectors<'tcx> {
    /// The type of the lanes of the first operand.
    elem: Ty<'tcx>,
    signed: bool,
    float: bool,
    scalar: Scalar,
    count: usize,
    values: Vec<Value>,
    /// The result's type.
    result: Type,
}

impl Vectors<'_> {
    /// The operator of the first operand's shape.
    fn operator(&self, name: &str) -> Option<Opcode> {
        Opcode::from_name(&format!("{}.{name}", shape(self.scalar, self.count)?))
    }

    /// The same with the suffix for the sign of integers.
    fn signed_operator(&self, name: &str) -> Option<Opcode> {
        let sign = match (self.float, self.signed) {
            (true, _) => "",
            (false, true) => "_s",
            (false, false) => "_u",
        };
        self.operator(&format!("{name}{sign}"))
    }
}

fn float_op(name: &str) -> Option<FloatOp> {
    Some(match name {
        "add" => FloatOp::Add,
        "sub" => FloatOp::Sub,
        "mul" => FloatOp::Mul,
        "div" => FloatOp::Div,
        _ => return None,
    })
}

fn int_op(name: &str, signed: bool) -> Option<IntOp> {
    Some(match (name, signed) {
        ("add", _) => IntOp::Add,
        ("sub", _) => IntOp::Sub,
        ("mul", _) => IntOp::Mul,
        ("div", true) => IntOp::DivS,
        ("div", false) => IntOp::DivU,
        ("rem", true) => IntOp::RemS,
        ("rem", false) => IntOp::RemU,
        ("and", _) => IntOp::And,
        ("or", _) => IntOp::Or,
        ("xor", _) => IntOp::Xor,
        ("shl", _) => IntOp::Shl,
        ("shr", true) => IntOp::ShrS,
        ("shr", false) => IntOp::ShrU,
        _ => return None,
    })
}

fn int_predicate(name: &str, signed: bool) -> IntPredicate {
    match (name, signed) {
        ("eq", _) => IntPredicate::IntEQ,
        ("ne", _) => IntPredicate::IntNE,
        ("lt", true) => IntPredicate::IntSLT,
        ("lt", false) => IntPredicate::IntULT,
        ("le", true) => IntPredicate::IntSLE,
        ("le", false) => IntPredicate::IntULE,
        ("gt", true) => IntPredicate::IntSGT,
        ("gt", false) => IntPredicate::IntUGT,
        (_, true) => IntPredicate::IntSGE,
        (_, false) => IntPredicate::IntUGE,
    }
}

fn float_predicate(name: &str) -> RealPredicate {
    match name {
        "eq" => RealPredicate::RealOEQ,
        "ne" => RealPredicate::RealUNE,
        "lt" => RealPredicate::RealOLT,
        "le" => RealPredicate::RealOLE,
        "gt" => RealPredicate::RealOGT,
        _ => RealPredicate::RealOGE,
    }
}

/// The operator of an LLVM intrinsic whose operands are vectors: those that `core::arch::wasm32` names.
fn llvm_operator(name: &str) -> Option<Opcode> {
    let operator = match name.strip_prefix("llvm.wasm.").unwrap_or(name) {
        "llvm.minimum.v4f32" => "f32x4.min",
        "llvm.minimum.v2f64" => "f64x2.min",
        "llvm.maximum.v4f32" => "f32x4.max",
        "llvm.maximum.v2f64" => "f64x2.max",
        "llvm.nearbyint.v4f32" => "f32x4.nearest",
        "llvm.nearbyint.v2f64" => "f64x2.nearest",
        "alltrue.v16i8" => "i8x16.all_true",
        "alltrue.v8i16" => "i16x8.all_true",
        "alltrue.v4i32" => "i32x4.all_true",
        "alltrue.v2i64" => "i64x2.all_true",
        "anytrue.v16i8" => "v128.any_true",
        "bitmask.v16i8" => "i8x16.bitmask",
        "bitmask.v8i16" => "i16x8.bitmask",
        "bitmask.v4i32" => "i32x4.bitmask",
        "bitmask.v2i64" => "i64x2.bitmask",
        "bitselect.v16i8" => "v128.bitselect",
        "swizzle" => "i8x16.swizzle",
        "dot" => "i32x4.dot_i16x8_s",
        "q15mulr.sat.signed" => "i16x8.q15mulr_sat_s",
        "avgr.unsigned.v16i8" => "i8x16.avgr_u",
        "avgr.unsigned.v8i16" => "i16x8.avgr_u",
        "extadd.pairwise.signed.v8i16" => "i16x8.extadd_pairwise_i8x16_s",
        "extadd.pairwise.unsigned.v8i16" => "i16x8.extadd_pairwise_i8x16_u",
        "extadd.pairwise.signed.v4i32" => "i32x4.extadd_pairwise_i16x8_s",
        "extadd.pairwise.unsigned.v4i32" => "i32x4.extadd_pairwise_i16x8_u",
        "relaxed.swizzle" => "i8x16.relaxed_swizzle",
        "relaxed.trunc.signed" => "i32x4.relaxed_trunc_f32x4_s",
        "relaxed.trunc.unsigned" => "i32x4.relaxed_trunc_f32x4_u",
        "relaxed.trunc.signed.zero" => "i32x4.relaxed_trunc_f64x2_s_zero",
        "relaxed.trunc.unsigned.zero" => "i32x4.relaxed_trunc_f64x2_u_zero",
        "relaxed.madd.v4f32" => "f32x4.relaxed_madd",
        "relaxed.madd.v2f64" => "f64x2.relaxed_madd",
        "relaxed.nmadd.v4f32" => "f32x4.relaxed_nmadd",
        "relaxed.nmadd.v2f64" => "f64x2.relaxed_nmadd",
        "relaxed.laneselect.v16i8" => "i8x16.relaxed_laneselect",
        "relaxed.laneselect.v8i16" => "i16x8.relaxed_laneselect",
        "relaxed.laneselect.v4i32" => "i32x4.relaxed_laneselect",
        "relaxed.laneselect.v2i64" => "i64x2.relaxed_laneselect",
        "relaxed.min.v4f32" => "f32x4.relaxed_min",
        "relaxed.min.v2f64" => "f64x2.relaxed_min",
        "relaxed.max.v4f32" => "f32x4.relaxed_max",
        "relaxed.max.v2f64" => "f64x2.relaxed_max",
        "relaxed.q15mulr.signed" => "i16x8.relaxed_q15mulr_s",
        "relaxed.dot.i8x16.i7x16.signed" => "i16x8.relaxed_dot_i8x16_i7x16_s",
        "relaxed.dot.i8x16.i7x16.add.signed" => "i32x4.relaxed_dot_i8x16_i7x16_add_s",
        _ => return None,
    };
    Opcode::from_name(operator)
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// The value of an LLVM intrinsic for wasm; `None` if it is not known.
    pub(crate) fn llvm_intrinsic(
        &mut self,
        name: &str,
        args: &[OperandRef<'tcx, Value>],
        output: TyAndLayout<'tcx>,
    ) -> Option<Value> {
        let memory = Some(Imm::Memory(self.cx.memory));
        match name {
            "llvm.wasm.memory.size" => {
                let pages = self.general(Opcode::MemorySize, memory, Some(W::I32), &[])?;
                return Some(self.value(Scalar::Int(32), pages));
            }
            "llvm.wasm.memory.grow" => {
                // The first operand is the memory, of which there is one.
                let delta = self.use_value(args.get(1)?.immediate());
                let pages = self.general(Opcode::MemoryGrow, memory, Some(W::I32), &[delta])?;
                return Some(self.value(Scalar::Int(32), pages));
            }
            _ => {}
        }
        if let Some(name) = name.strip_prefix("llvm.wasm.memory.atomic.") {
            let operands: Vec<Value> = args.iter().map(|arg| arg.immediate()).collect();
            return self.wait_or_notify(name, &operands);
        }
        let op = llvm_operator(name)?;
        let values: Vec<Value> = args.iter().map(|arg| arg.immediate()).collect();
        Some(match self.cx.immediate_backend_type(output) {
            ty @ Type::Vector(..) => self.whole(op, ty, &values),
            Type::Scalar(scalar) => {
                let arg = self.use_value(*values.first()?);
                let result = self.unary(op, W::I32, arg);
                let result = self.value(Scalar::Int(32), result);
                self.cast_int(result, Type::Scalar(scalar), false)
            }
            _ => return None,
        })
    }

    /// The value of an intrinsic on vectors, by its name without `simd_`; `None` if it is not known.
    pub(crate) fn simd_intrinsic(
        &mut self,
        name: &str,
        generic: GenericArgsRef<'tcx>,
        args: &[OperandRef<'tcx, Value>],
        result: TyAndLayout<'tcx>,
    ) -> Option<Value> {
        let tcx = self.cx.tcx;
        let values = args.iter().map(|arg| self.simd_operand(arg)).collect::<Option<Vec<Value>>>()?;
        let result_type = self.simd_type(result)?;
        if name == "splat" {
            let Type::Vector(elem, count) = result_type else { return None };
            return Some(self.from_lanes(elem, vec![values[0]; count as usize]));
        }
        if name == "select_bitmask" {
            return self.select_by_bits(&values, result);
        }
        if let Some(value) = self.simd_memory(name, generic, &values, result_type) {
            return Some(value);
        }
        let first = args.first()?.layout.ty;
        if !first.is_simd() {
            return None;
        }
        let (_, elem) = first.simd_size_and_type(tcx);
        let (scalar, count) = self.vector_type_of(values[0]);
        let v = Vectors {
            elem,
            signed: elem.is_signed(),
            float: elem.is_floating_point(),
            scalar,
            count,
            values,
            result: result_type,
        };
        match name {
            "add" | "sub" | "mul" | "div" | "rem" | "and" | "or" | "xor" => self.simd_binary(name, &v),
            "shl" | "shr" => self.simd_shift(name, &v),
            "eq" | "ne" | "lt" | "le" | "gt" | "ge" => self.simd_compare(name, &v),
            "saturating_add" | "saturating_sub" => Some(self.simd_saturating(name == "saturating_add", &v)),
            "minimum_number_nsz" | "maximum_number_nsz" => Some(self.simd_number(name == "minimum_number_nsz", &v)),
            "cast" | "as" | "cast_ptr" | "expose_provenance" | "with_exposed_provenance" => self.simd_cast(result, &v),
            "funnel_shl" | "funnel_shr" => Some(self.simd_funnel(name == "funnel_shl", &v)),
            "carryless_mul" => {
                Some(self.zip_lanes(v.scalar, v.values[0], v.values[1], |bx, x, y| bx.carryless_product(x, y)))
            }
            "shuffle" => self.simd_shuffle(&v),
            "select" => Some(self.simd_select(&v)),
            "insert" | "insert_dyn" | "extract" | "extract_dyn" => self.simd_lane(name, &v),
            "bitmask" => self.simd_bitmask(result, &v),
            "arith_offset" => {
                let pointee = elem.builtin_deref(true)?;
                let stride = self.cx.layout_of(pointee).size.bytes();
                Some(self.zip_lanes(v.scalar, v.values[0], v.values[1], |bx, pointer, index| {
                    let by = bx.int_op(IntOp::Mul, index, Value::Const(Scalar::Int(32), stride.into()));
                    let by = bx.cast_int(by, Type::PTR, false);
                    bx.int_op(IntOp::Add, pointer, by)
                }))
            }
            _ if name.starts_with("reduce_") => self.simd_reduce(&name["reduce_".len()..], &v),
            _ => self.simd_unary(name, &v),
        }
    }

    /// An operand; vectors that lie in memory (packed ones) by their lanes.
    fn simd_operand(&mut self, arg: &OperandRef<'tcx, Value>) -> Option<Value> {
        match arg.val {
            OperandValue::Immediate(value) => Some(value),
            OperandValue::Ref(place) if arg.layout.ty.is_simd() => {
                let ty = self.simd_type(arg.layout)?;
                let align = place.align.bytes().trailing_zeros() as u8;
                Some(self.load_value(ty, place.llval, align, false))
            }
            OperandValue::Ref(place) => {
                let bits = self.bit_array(arg.layout)?;
                Some(self.load_value(Type::Scalar(bits), place.llval, 0, false))
            }
            _ => None,
        }
    }

    /// The integer that an array of bytes is as a bit mask.
    fn bit_array(&self, layout: TyAndLayout<'tcx>) -> Option<Scalar> {
        let ty::Array(elem, _) = layout.ty.kind() else { return None };
        let is_bytes = *elem == self.cx.tcx.types.u8;
        match layout.size.bytes() {
            bytes @ (1..=8 | 16) if is_bytes => Some(Scalar::Int(bytes as u8 * 8)),
            _ => None,
        }
    }

    /// The type of a value that may be a packed vector.
    fn simd_type(&mut self, layout: TyAndLayout<'tcx>) -> Option<Type> {
        if !layout.ty.is_simd() {
            return Some(self.cx.immediate_backend_type(layout));
        }
        let (count, elem) = layout.ty.simd_size_and_type(self.cx.tcx);
        match self.cx.backend_type(self.cx.layout_of(elem)) {
            Type::Scalar(elem) => Some(Type::Vector(elem, u32::try_from(count).ok()?)),
            _ => None,
        }
    }

    fn simd_binary(&mut self, name: &str, v: &Vectors<'tcx>) -> Option<Value> {
        let (a, b) = (v.values[0], v.values[1]);
        let whole = match name {
            "and" | "or" | "xor" if shape(v.scalar, v.count).is_some() => Opcode::from_name(&format!("v128.{name}")),
            "add" | "sub" | "mul" => v.operator(name),
            "div" if v.float => v.operator(name),
            _ => None,
        };
        if let Some(op) = whole {
            return Some(self.whole(op, v.result, &[a, b]));
        }
        if v.float {
            return Some(match float_op(name) {
                Some(op) => self.zip_lanes(v.scalar, a, b, |bx, x, y| bx.float_op(op, x, y)),
                None => self.zip_lanes(v.scalar, a, b, |bx, x, y| bx.frem(x, y)),
            });
        }
        let op = int_op(name, v.signed)?;
        Some(self.zip_lanes(v.scalar, a, b, |bx, x, y| bx.int_op(op, x, y)))
    }

    fn simd_shift(&mut self, name: &str, v: &Vectors<'tcx>) -> Option<Value> {
        let (a, by) = (v.values[0], v.values[1]);
        let whole = if name == "shl" { v.operator(name) } else { v.signed_operator(name) };
        // Wasm shifts every lane by the same amount.
        if let (Some(op), Some(by)) = (whole, self.splatted(by)) {
            let by = self.cast_int(by, Type::I32, false);
            let (a, by) = (self.use_value(a), self.use_value(by));
            let shifted = self.binary(op, W::V128, a, by);
            return Some(Value::Local(v.result, shifted));
        }
        let op = int_op(name, v.signed)?;
        Some(self.zip_lanes(v.scalar, a, by, |bx, x, y| bx.int_op(op, x, y)))
    }

    /// One half of two concatenated lanes, shifted. An amount is less than the lane's width, so that the other lane's shift, one step
    /// apart from the rest, is too.
    fn simd_funnel(&mut self, left: bool, v: &Vectors<'tcx>) -> Value {
        let (high, low, by) = (v.values[0], v.values[1], v.values[2]);
        let (high, low, by) = (self.to_lanes(high), self.to_lanes(low), self.to_lanes(by));
        let scalar = v.scalar;
        let one = Value::Const(scalar, 1);
        let top = Value::Const(scalar, u128::from(scalar.bits() - 1));
        let lanes = high.into_iter().zip(low).zip(by).map(|((high, low), by)| {
            let rest = self.int_op(IntOp::Sub, top, by);
            let (a, b) = if left {
                let low = self.int_op(IntOp::ShrU, low, one);
                (self.int_op(IntOp::Shl, high, by), self.int_op(IntOp::ShrU, low, rest))
            } else {
                let high = self.int_op(IntOp::Shl, high, one);
                (self.int_op(IntOp::ShrU, low, by), self.int_op(IntOp::Shl, high, rest))
            };
            self.int_op(IntOp::Or, a, b)
        });
        let lanes = lanes.collect();
        self.from_lanes(scalar, lanes)
    }

    /// The low half of the product without carries: the sum modulo 2 of `x`, shifted by each bit that `y` has. A loop over the bits.
    fn carryless_product(&mut self, x: Value, y: Value) -> Value {
        let scalar = self.scalar_of(x);
        let wir = scalar.wir();
        let (x, y) = (self.use_value(x), self.use_value(y));
        let zero = self.constant(wir, 0);
        let [shifted, rest, sum] = [x, y, zero].map(|from| {
            let local = self.local(wir);
            self.push(Inst::Copy { dst: local, src: from });
            local
        });
        let (again, after) = (self.new_block(), self.new_block());
        self.jump(again);
        self.switch_to_block(again);
        let one = Value::Const(scalar, 1);
        let [s, r, all] = [shifted, rest, sum].map(|local| self.value(scalar, local));
        let bit = self.int_op(IntOp::And, r, one);
        let mask = self.neg(bit);
        let part = self.int_op(IntOp::And, s, mask);
        let next =
            [self.int_op(IntOp::Shl, s, one), self.int_op(IntOp::ShrU, r, one), self.int_op(IntOp::Xor, all, part)];
        for (local, value) in [shifted, rest, sum].into_iter().zip(next) {
            let value = self.use_value(value);
            self.push(Inst::Copy { dst: local, src: value });
        }
        let more = self.compare(IntPredicate::IntNE, r, Value::Const(scalar, 0));
        let more = self.use_value(more);
        self.branch(more, again, after);
        self.switch_to_block(after);
        self.value(scalar, sum)
    }

    fn simd_compare(&mut self, name: &str, v: &Vectors<'tcx>) -> Option<Value> {
        let (a, b) = (v.values[0], v.values[1]);
        let whole = if matches!(name, "eq" | "ne") { v.operator(name) } else { v.signed_operator(name) };
        if let Some(op) = whole {
            return Some(self.whole(op, v.result, &[a, b]));
        }
        let Type::Vector(to, _) = v.result else { return None };
        let (float, signed) = (v.float, v.signed);
        Some(self.zip_lanes(to, a, b, |bx, x, y| {
            let is = if float {
                bx.compare_floats(float_predicate(name), x, y)
            } else {
                bx.compare(int_predicate(name, signed), x, y)
            };
            bx.cast_int(is, Type::Scalar(to), true)
        }))
    }

    fn simd_saturating(&mut self, add: bool, v: &Vectors<'tcx>) -> Value {
        let (a, b) = (v.values[0], v.values[1]);
        if let Some(op) = v.signed_operator(if add { "add_sat" } else { "sub_sat" }) {
            return self.whole(op, v.result, &[a, b]);
        }
        let elem = v.elem;
        self.zip_lanes(v.scalar, a, b, |bx, x, y| bx.saturating(add, elem, x, y))
    }

    /// The smaller or larger of two numbers, and the number where the other is none.
    fn simd_number(&mut self, min: bool, v: &Vectors<'tcx>) -> Value {
        self.zip_lanes(v.scalar, v.values[0], v.values[1], |bx, x, y| {
            let pred = if min { RealPredicate::RealOLT } else { RealPredicate::RealOGT };
            let better = bx.compare_floats(pred, x, y);
            let other_is_none = bx.compare_floats(RealPredicate::RealUNO, y, y);
            let keep = bx.int_op(IntOp::Or, better, other_is_none);
            bx.select_value(keep, x, y)
        })
    }

    fn simd_cast(&mut self, result: TyAndLayout<'tcx>, v: &Vectors<'tcx>) -> Option<Value> {
        let (_, to_elem) = result.ty.simd_size_and_type(self.cx.tcx);
        let Type::Vector(to, _) = v.result else { return None };
        let ty = Type::Scalar(to);
        let to_float = to_elem.is_floating_point();
        let to_signed = to_elem.is_signed();
        let (from_float, signed) = (v.float, v.signed);
        if to == v.scalar && to_float == from_float {
            return Some(v.values[0]);
        }
        let name = match (from_float, to_float) {
            (true, false) => Some(if to_signed { "trunc_sat_f32x4_s" } else { "trunc_sat_f32x4_u" }),
            (false, true) => Some(if signed { "convert_i32x4_s" } else { "convert_i32x4_u" }),
            _ => None,
        };
        if let (Some(name), 4, 4) = (name, v.scalar.bytes(), to.bytes())
            && v.count == 4
        {
            let shape = if to_float { "f32x4" } else { "i32x4" };
            let op = Opcode::from_name(&format!("{shape}.{name}"))?;
            return Some(self.whole(op, v.result, &[v.values[0]]));
        }
        Some(self.map_lanes(to, v.values[0], |bx, lane| match (from_float, to_float) {
            (false, false) => bx.cast_int(lane, ty, signed),
            (false, true) => bx.int_to_float(lane, ty, signed),
            (true, false) => bx.float_to_int(lane, ty, to_signed),
            (true, true) => bx.float_to_float(lane, ty),
        }))
    }

    fn simd_shuffle(&mut self, v: &Vectors<'tcx>) -> Option<Value> {
        let [a, b, indices] = v.values[..] else { return None };
        let Type::Vector(elem, _) = v.result else { return None };
        let chosen: Vec<usize> = self
            .to_lanes(indices)
            .into_iter()
            .map(|lane| match lane {
                Value::Const(_, index) => usize::try_from(index).ok().filter(|&index| index < 2 * v.count),
                Value::Undef(_) => Some(0),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let bytes = v.scalar.bytes() as usize;
        if v.count * bytes == 16 && chosen.len() * bytes == 16 {
            let mut mask = [0u8; 16];
            for (to, from) in chosen.iter().enumerate() {
                for byte in 0..bytes {
                    mask[to * bytes + byte] = (from * bytes + byte) as u8;
                }
            }
            let (a, b) = (self.use_value(a), self.use_value(b));
            let shuffled = self.general(Opcode::I8x16Shuffle, Some(Imm::Shuffle(mask)), Some(W::V128), &[a, b])?;
            return Some(Value::Local(v.result, shuffled));
        }
        let mut lanes = self.to_lanes(a);
        lanes.extend(self.to_lanes(b));
        let lanes = chosen.into_iter().map(|lane| lanes[lane]).collect();
        Some(self.from_lanes(elem, lanes))
    }

    fn simd_select(&mut self, v: &Vectors<'tcx>) -> Value {
        let (mask, a, b) = (v.values[0], v.values[1], v.values[2]);
        let (elem, count) = self.vector_type_of(a);
        // A lane of a mask has all its bits or none, so bits and lanes are selected alike.
        if v.scalar.bytes() == elem.bytes() && shape(elem, count).is_some() {
            return self.whole(Opcode::V128Bitselect, v.result, &[a, b, mask]);
        }
        let (masks, a, b) = (self.to_lanes(mask), self.to_lanes(a), self.to_lanes(b));
        let lanes = masks.into_iter().zip(a.into_iter().zip(b)).map(|(mask, (a, b))| {
            let bit = self.mask_bit(mask);
            self.select_value(bit, a, b)
        });
        let lanes = lanes.collect();
        self.from_lanes(elem, lanes)
    }

    /// Lanes chosen by the bits of an integer, the lowest for the first lane.
    fn select_by_bits(&mut self, values: &[Value], result: TyAndLayout<'tcx>) -> Option<Value> {
        let &[bits, a, b] = values else { return None };
        let Type::Vector(elem, _) = self.simd_type(result)? else { return None };
        let Type::Scalar(scalar) = self.cx.type_of(bits) else { return None };
        let (a, b) = (self.to_lanes(a), self.to_lanes(b));
        let lanes = a.into_iter().zip(b).enumerate().map(|(lane, (a, b))| {
            let bit = self.int_op(IntOp::ShrU, bits, Value::Const(scalar, lane as u128));
            let bit = self.cast_int(bit, Type::BOOL, false);
            self.select_value(bit, a, b)
        });
        let lanes = lanes.collect();
        Some(self.from_lanes(elem, lanes))
    }

    fn simd_lane(&mut self, name: &str, v: &Vectors<'tcx>) -> Option<Value> {
        let (whole, index) = (v.values[0], v.values[1]);
        if let Value::Const(_, lane) = index {
            let lane = usize::try_from(lane).ok().filter(|&lane| lane < v.count)?;
            let mut lanes = self.to_lanes(whole);
            if name.starts_with("extract") {
                return Some(lanes[lane]);
            }
            lanes[lane] = v.values[2];
            return Some(self.from_lanes(v.scalar, lanes));
        }
        let size = (v.scalar.bytes() * v.count as u64) as u32;
        let slot = self.alloca_bytes(size, 4);
        self.store_value(whole, slot, 4, false);
        let by = self.int_op(IntOp::Mul, index, Value::Const(Scalar::Int(32), v.scalar.bytes().into()));
        let by = self.cast_int(by, Type::PTR, false);
        let at = self.int_op(IntOp::Add, slot, by);
        let align = ops::log2(v.scalar.bytes());
        if name.starts_with("extract") {
            return Some(self.load_value(Type::Scalar(v.scalar), at, align, false));
        }
        self.store_value(v.values[2], at, align, false);
        Some(self.load_value(v.result, slot, 4, false))
    }

    fn simd_bitmask(&mut self, result: TyAndLayout<'tcx>, v: &Vectors<'tcx>) -> Option<Value> {
        let to = match self.cx.immediate_backend_type(result) {
            Type::Scalar(to) => to,
            _ => self.bit_array(result)?,
        };
        if let Some(shape) = bits_shape(v.scalar, v.count) {
            let op = Opcode::from_name(&format!("{shape}.bitmask"))?;
            let whole = self.use_value(v.values[0]);
            let bits = self.unary(op, W::I32, whole);
            let bits = self.value(Scalar::Int(32), bits);
            return Some(self.cast_int(bits, Type::Scalar(to), false));
        }
        let mut bits = Value::Const(to, 0);
        for (at, lane) in self.to_lanes(v.values[0]).into_iter().enumerate() {
            let bit = self.mask_bit(lane);
            let bit = self.cast_int(bit, Type::Scalar(to), false);
            let bit = self.int_op(IntOp::Shl, bit, Value::Const(to, at as u128));
            bits = self.int_op(IntOp::Or, bits, bit);
        }
        Some(bits)
    }

    fn simd_reduce(&mut self, name: &str, v: &Vectors<'tcx>) -> Option<Value> {
        let mut lanes = self.to_lanes(v.values[0]).into_iter();
        let (float, signed) = (v.float, v.signed);
        if matches!(name, "all" | "any") {
            let op = if name == "all" { IntOp::And } else { IntOp::Or };
            let first = lanes.next()?;
            let whole = lanes.fold(first, |all, lane| self.int_op(op, all, lane));
            return Some(self.mask_bit(whole));
        }
        let base = name.split('_').next()?;
        let first = if name.ends_with("_ordered") { v.values[1] } else { lanes.next()? };
        let mut all = first;
        for lane in lanes {
            all = match base {
                "min" | "max" if float => {
                    let pred = if base == "min" { RealPredicate::RealOLT } else { RealPredicate::RealOGT };
                    let better = self.compare_floats(pred, all, lane);
                    let other_is_none = self.compare_floats(RealPredicate::RealUNO, lane, lane);
                    let keep = self.int_op(IntOp::Or, better, other_is_none);
                    self.select_value(keep, all, lane)
                }
                "min" | "max" => {
                    let keep = self.compare(int_predicate(if base == "min" { "lt" } else { "gt" }, signed), all, lane);
                    self.select_value(keep, all, lane)
                }
                _ if float => self.float_op(float_op(base)?, all, lane),
                _ => self.int_op(int_op(base, signed)?, all, lane),
            };
        }
        Some(all)
    }

    fn simd_unary(&mut self, name: &str, v: &Vectors<'tcx>) -> Option<Value> {
        let a = v.values[0];
        let operator = match name {
            "neg" => "neg",
            "fabs" => "abs",
            "fsqrt" => "sqrt",
            "floor" => "floor",
            "ceil" => "ceil",
            "trunc" => "trunc",
            "round_ties_even" => "nearest",
            "ctpop" if v.scalar == Scalar::Int(8) => "popcnt",
            _ => "",
        };
        if let Some(op) = v.operator(operator) {
            return Some(self.whole(op, v.result, &[a]));
        }
        let scalar = v.scalar;
        if name == "fma" || name == "relaxed_fma" {
            let (b, c) = (self.to_lanes(v.values[1]), self.to_lanes(v.values[2]));
            let a = self.to_lanes(a);
            let lanes = a.into_iter().zip(b.into_iter().zip(c));
            let lanes = lanes.map(|(a, (b, c))| self.libm_call("fma", scalar, &[a, b, c])).collect();
            return Some(self.from_lanes(scalar, lanes));
        }
        if v.float {
            let op = match name {
                "neg" => Some(FloatOp::Neg),
                "fabs" => Some(FloatOp::Abs),
                "fsqrt" => Some(FloatOp::Sqrt),
                "floor" => Some(FloatOp::Floor),
                "ceil" => Some(FloatOp::Ceil),
                "trunc" => Some(FloatOp::Trunc),
                "round_ties_even" => Some(FloatOp::Nearest),
                _ => None,
            };
            if let Some(op) = op {
                return Some(self.map_lanes(scalar, a, |bx, lane| bx.float_unary(op, lane)));
            }
            let base = match name {
                "round" => "round",
                "fsin" | "fcos" | "fexp" | "fexp2" | "flog" | "flog2" | "flog10" => &name[1..],
                _ => return None,
            };
            return Some(self.map_lanes(scalar, a, |bx, lane| bx.libm_call(base, scalar, &[lane])));
        }
        Some(match name {
            "neg" => self.map_lanes(scalar, a, |bx, lane| bx.neg(lane)),
            "ctlz" => self.map_lanes(scalar, a, |bx, lane| bx.int_unary(IntOp::Clz, lane)),
            "cttz" => self.map_lanes(scalar, a, |bx, lane| bx.int_unary(IntOp::Ctz, lane)),
            "ctpop" => self.map_lanes(scalar, a, |bx, lane| bx.int_unary(IntOp::Popcnt, lane)),
            "bswap" => self.map_lanes(scalar, a, |bx, lane| bx.byte_swap(lane)),
            "bitreverse" => self.map_lanes(scalar, a, |bx, lane| bx.bit_reverse(lane)),
            _ => return None,
        })
    }
}
