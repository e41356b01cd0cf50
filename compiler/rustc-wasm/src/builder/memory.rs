//! Loads, stores, stack slots, address arithmetic and block copies.

use super::Builder;
use crate::ops::{self, IntOp};
use crate::types;
use crate::value::{Scalar, Type, Value, pair_offset};
use rustc_abi::{Align, BackendRepr, HasDataLayout, Size};
use rustc_codegen_ssa::mir::operand::{OperandRef, OperandValue};
use rustc_codegen_ssa::mir::place::PlaceRef;
use rustc_codegen_ssa::traits::{BuilderMethods, ConstCodegenMethods};
use rustc_middle::bug;
use wasmir::{Access, Imm, Inst, Local, Opcode, StackSlotData, Type as W};

/// Copies of at most this many loads and stores are written out; longer ones are `memory.copy`.
const INLINE_PIECES: usize = 4;

/// The alignment of a frame, as a binary logarithm: that of the stack pointer by the C ABI.
const FRAME_ALIGN_LOG2: u8 = 4;

/// The binary logarithm of an alignment.
pub(crate) fn align_log2(align: Align) -> u8 {
    align.bytes().trailing_zeros() as u8
}

/// Whether wasm has values of a type.
fn is_wasm(ty: W) -> bool {
    !matches!(ty, W::I8 | W::I16 | W::I128)
}

/// Splits `size` bytes into pieces of 8, 4, 2 and 1, of at most `widest`: (offset, size).
fn pieces(size: u64, widest: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let left = size - at;
        if left == 0 {
            return None;
        }
        let piece = if left >= widest { widest } else { 1 << left.ilog2() };
        let start = at;
        at += piece;
        Some((start, piece))
    })
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// The address of a new stack slot.
    ///
    /// Frames are aligned to 16 bytes. A slot that needs more is made larger by the difference, and its address is rounded up within it.
    pub(crate) fn alloca_bytes(&mut self, size: u32, align_log2: u8) -> Value {
        if align_log2 > FRAME_ALIGN_LOG2 {
            let align = 1u32 << align_log2;
            let larger = size.saturating_add(align - (1 << FRAME_ALIGN_LOG2));
            let slot = self.alloca_bytes(larger, FRAME_ALIGN_LOG2);
            let base = Value::Local(Type::PTR, self.use_value(slot));
            let up = self.int_op(IntOp::Add, base, Value::Const(Scalar::Ptr, u128::from(align - 1)));
            let mask = Scalar::Ptr.mask() & !u128::from(align - 1);
            return self.int_op(IntOp::And, up, Value::Const(Scalar::Ptr, mask));
        }
        let slot = self.with(|state| state.body.slots.push(StackSlotData { size, align_log2 }));
        Value::Slot(slot, 0)
    }

    pub(super) fn alloca_slot(&mut self, size: Size, align: Align) -> Value {
        match u32::try_from(size.bytes()) {
            Ok(size) if size <= i32::MAX as u32 => self.alloca_bytes(size, align_log2(align)),
            _ => {
                self.cx.unsupported(self.span, format_args!("a local variable of {} bytes", size.bytes()));
                self.alloca_bytes(0, 0)
            }
        }
    }

    /// A pointer as a base address and an offset that a memory argument can hold.
    pub(crate) fn address(&self, pointer: Value) -> (Local, u64) {
        match pointer {
            Value::Offset(base, offset) => (base, u64::from(offset)),
            other => (self.use_value(other), 0),
        }
    }

    fn access(align_log2: u8, size: u64, volatile: bool) -> Access {
        // wasm allows no hint beyond the size of the access.
        let access = Access::new(align_log2.min(size.trailing_zeros() as u8));
        if volatile { access.volatile() } else { access }
    }

    /// A load of `size` bytes by the operator `op`.
    pub(crate) fn load_raw(&self, op: Opcode, ty: W, size: u64, at: (Local, u64), align: u8, volatile: bool) -> Local {
        let dst = self.local(ty);
        let access = Self::access(align, size, volatile);
        self.push(Inst::Load {
            op,
            // Whoever reads what is not there has undefined behaviour; volatile accesses alone are made whether the value is wanted or not.
            access: if volatile { access } else { access.notrap() },
            dst,
            addr: at.0,
            memory: self.cx.memory,
            offset: at.1,
        });
        dst
    }

    /// A store of `size` bytes by the operator `op`.
    pub(crate) fn store_raw(&self, op: Opcode, value: Local, size: u64, at: (Local, u64), align: u8, volatile: bool) {
        self.push(Inst::Store {
            op,
            access: Self::access(align, size, volatile),
            addr: at.0,
            value,
            memory: self.cx.memory,
            offset: at.1,
        });
    }

    /// A value of `ty` from memory.
    pub(crate) fn load_value(&mut self, ty: Type, pointer: Value, align: u8, volatile: bool) -> Value {
        match ty {
            Type::Scalar(Scalar::Bool) => {
                let at = self.address(pointer);
                let local = self.load_raw(Opcode::I32Load8U, W::I32, 1, at, align, volatile);
                self.value(Scalar::Bool, local)
            }
            Type::Scalar(scalar) if volatile && !is_wasm(scalar.wir()) => self.load_volatile(scalar, pointer, align),
            Type::Scalar(scalar) if scalar.bytes().is_power_of_two() => {
                let at = self.address(pointer);
                let wir = scalar.wir();
                let local = self.load_raw(ops::load(wir), wir, scalar.bytes(), at, align, volatile);
                self.value(scalar, local)
            }
            Type::Scalar(scalar) => self.load_odd(scalar, pointer, align),
            Type::Vector(elem, count) if ty.stride() != 16 => self.load_lanes(elem, count, pointer, align, volatile),
            Type::Vector(..) => {
                let at = self.address(pointer);
                Value::Local(ty, self.load_raw(Opcode::V128Load, W::V128, 16, at, align, volatile))
            }
            Type::Pair(a, b) => {
                let first = self.load_value(Type::Scalar(a), pointer, align, volatile);
                let second = self.offset(pointer, pair_offset(a, b));
                let second = self.load_value(Type::Scalar(b), second, align, volatile);
                self.cx.pair(first, second, (a, b))
            }
            Type::Void | Type::Blob(_) => bug!("a load of {ty:?}"),
        }
    }

    /// A volatile load by wasm's own operators: what is volatile is not taken apart or joined later.
    fn load_volatile(&mut self, scalar: Scalar, pointer: Value, align: u8) -> Value {
        let at = self.address(pointer);
        let local = match scalar.wir() {
            W::I8 => self.load_raw(Opcode::I32Load8U, W::I32, 1, at, align, true),
            W::I16 => self.load_raw(Opcode::I32Load16U, W::I32, 2, at, align, true),
            _ => {
                let low = self.load_raw(Opcode::I64Load, W::I64, 8, at, align, true);
                let high = self.load_raw(Opcode::I64Load, W::I64, 8, (at.0, at.1 + 8), align.min(3), true);
                self.binary(Opcode::I128Concat, W::I128, low, high)
            }
        };
        let local = self.narrow(scalar, local);
        self.value(scalar, local)
    }

    /// A volatile store by wasm's own operators.
    fn store_volatile(&mut self, scalar: Scalar, value: Value, pointer: Value, align: u8) {
        let local = self.widen(value, false);
        let at = self.address(pointer);
        match scalar.wir() {
            W::I8 => self.store_raw(Opcode::I32Store8, local, 1, at, align, true),
            W::I16 => self.store_raw(Opcode::I32Store16, local, 2, at, align, true),
            _ => {
                let low = self.unary(Opcode::I64WrapI128, W::I64, local);
                let by = self.i32(64);
                let high = self.binary(Opcode::I128ShrU, W::I128, local, by);
                let high = self.unary(Opcode::I64WrapI128, W::I64, high);
                self.store_raw(Opcode::I64Store, low, 8, at, align, true);
                self.store_raw(Opcode::I64Store, high, 8, (at.0, at.1 + 8), align.min(3), true);
            }
        }
    }

    /// An integer of 3, 5, 6 or 7 bytes: its pieces, shifted into place.
    fn load_odd(&mut self, scalar: Scalar, pointer: Value, align: u8) -> Value {
        let wir = scalar.wir();
        let at = self.address(pointer);
        let mut whole = None;
        for (offset, size) in pieces(scalar.bytes(), 8) {
            let op = match (size, wir) {
                (1, W::I32) => Opcode::I32Load8U,
                (2, W::I32) => Opcode::I32Load16U,
                (1, _) => Opcode::I64Load8U,
                (2, _) => Opcode::I64Load16U,
                _ => Opcode::I64Load32U,
            };
            let align = align.min(offset.trailing_zeros().min(63) as u8);
            let piece = self.load_raw(op, wir, size, (at.0, at.1 + offset), align, false);
            whole = Some(match whole {
                None => piece,
                Some(whole) => {
                    let by = self.constant(wir, u128::from(offset * 8));
                    let piece = self.binary(ops::int(IntOp::Shl, wir), wir, piece, by);
                    self.binary(ops::int(IntOp::Or, wir), wir, whole, piece)
                }
            });
        }
        match whole {
            Some(local) => self.value(scalar, local),
            None => Value::Undef(Type::Scalar(scalar)),
        }
    }

    /// Stores a value.
    pub(crate) fn store_value(&mut self, value: Value, pointer: Value, align: u8, volatile: bool) {
        match self.cx.type_of(value) {
            Type::Void => {}
            Type::Scalar(Scalar::Bool) => {
                let local = self.use_value(value);
                let at = self.address(pointer);
                self.store_raw(Opcode::I32Store8, local, 1, at, align, volatile);
            }
            Type::Scalar(scalar) if volatile && !is_wasm(scalar.wir()) => {
                self.store_volatile(scalar, value, pointer, align);
            }
            Type::Scalar(scalar) if scalar.bytes().is_power_of_two() => {
                if matches!(value, Value::Undef(_)) {
                    return;
                }
                let local = self.use_value(value);
                let at = self.address(pointer);
                self.store_raw(ops::store(scalar.wir()), local, scalar.bytes(), at, align, volatile);
            }
            Type::Scalar(scalar) => self.store_odd(scalar, value, pointer, align),
            ty @ Type::Vector(..) if ty.stride() != 16 => self.store_lanes(value, pointer, align, volatile),
            Type::Vector(..) => {
                let local = self.use_value(value);
                let at = self.address(pointer);
                self.store_raw(Opcode::V128Store, local, 16, at, align, volatile);
            }
            Type::Pair(a, b) => {
                let [first, second] = self.halves(value);
                self.store_value(first, pointer, align, volatile);
                let at = self.offset(pointer, pair_offset(a, b));
                self.store_value(second, at, align, volatile);
            }
            Type::Blob(_) => bug!("a store of {value:?}"),
        }
    }

    fn store_odd(&mut self, scalar: Scalar, value: Value, pointer: Value, align: u8) {
        let wir = scalar.wir();
        let local = self.use_value(value);
        let at = self.address(pointer);
        for (offset, size) in pieces(scalar.bytes(), 8) {
            let op = match (size, wir) {
                (1, W::I32) => Opcode::I32Store8,
                (2, W::I32) => Opcode::I32Store16,
                (1, _) => Opcode::I64Store8,
                (2, _) => Opcode::I64Store16,
                _ => Opcode::I64Store32,
            };
            let piece = if offset == 0 {
                local
            } else {
                let by = self.constant(wir, u128::from(offset * 8));
                self.binary(ops::int(IntOp::ShrU, wir), wir, local, by)
            };
            let align = align.min(offset.trailing_zeros().min(63) as u8);
            self.store_raw(op, piece, size, (at.0, at.1 + offset), align, false);
        }
    }

    /// `pointer + bytes`, known to stay inside the object `pointer` points into.
    pub(crate) fn offset(&mut self, pointer: Value, bytes: u64) -> Value {
        let Ok(bytes32) = u32::try_from(bytes) else { bug!("an offset of {bytes} bytes in a 32-bit address space") };
        match pointer {
            _ if bytes == 0 => pointer,
            Value::Slot(slot, offset) => Value::Slot(slot, offset.wrapping_add(bytes32 as i32)),
            Value::Addr(scalar, item, addend) => Value::Addr(scalar, item, addend + bytes as i64),
            Value::Local(_, base) => Value::Offset(base, bytes32),
            Value::Offset(base, offset) => match offset.checked_add(bytes32) {
                Some(sum) => Value::Offset(base, sum),
                None => Value::Offset(self.use_value(pointer), bytes32),
            },
            other => {
                let by = Value::Const(Scalar::Ptr, u128::from(bytes));
                self.int_op(IntOp::Add, other, by)
            }
        }
    }

    /// `pointer + index * size of ty`; `inbounds` if the result stays inside the object.
    pub(super) fn index(&mut self, ty: Type, pointer: Value, indices: &[Value], inbounds: bool) -> Value {
        let &[index] = indices else { bug!("an address computation with {} indices", indices.len()) };
        let stride = ty.stride();
        if let Value::Const(scalar, bits) = index {
            let unused = 128 - scalar.bits();
            let signed = ((bits << unused) as i128) >> unused;
            let bytes = signed.wrapping_mul(i128::from(stride));
            if inbounds
                && let Ok(bytes) = u32::try_from(bytes)
                && bytes <= i32::MAX as u32
            {
                return self.offset(pointer, u64::from(bytes));
            }
            let bytes = Value::Const(Scalar::Ptr, (bytes as u32).into());
            return self.add_pointer(pointer, bytes);
        }
        let index = self.cast_int(index, Type::PTR, true);
        let bytes = if stride.is_power_of_two() {
            let by = Value::Const(Scalar::Ptr, u128::from(stride.trailing_zeros()));
            if stride == 1 { index } else { self.int_op(IntOp::Shl, index, by) }
        } else {
            self.int_op(IntOp::Mul, index, Value::Const(Scalar::Ptr, u128::from(stride as u32)))
        };
        self.add_pointer(pointer, bytes)
    }

    fn add_pointer(&mut self, pointer: Value, bytes: Value) -> Value {
        if let Value::Const(_, 0) = bytes {
            return pointer;
        }
        let (a, b) = (self.use_value(pointer), self.use_value(bytes));
        let sum = self.binary(Opcode::I32Add, W::I32, a, b);
        self.value(Scalar::Ptr, sum)
    }

    /// The operand that a place holds.
    pub(super) fn operand_at(&mut self, place: PlaceRef<'tcx, Value>) -> OperandRef<'tcx, Value> {
        let layout = place.layout;
        if layout.is_zst() {
            return OperandRef::zero_sized(layout);
        }
        let align = align_log2(place.val.align);
        let val = if place.val.llextra.is_some() {
            OperandValue::Ref(place.val)
        } else {
            match layout.backend_repr {
                BackendRepr::Scalar(s) => {
                    let ty = Type::Scalar(types::scalar(s, true));
                    OperandValue::Immediate(self.load_value(ty, place.val.llval, align, false))
                }
                BackendRepr::SimdVector { .. } => {
                    let ty = rustc_codegen_ssa::traits::LayoutTypeCodegenMethods::backend_type(self.cx, layout);
                    OperandValue::Immediate(self.load_value(ty, place.val.llval, align, false))
                }
                BackendRepr::ScalarPair(a, b) => {
                    let b_offset = a.size(self.data_layout()).align_to(b.align(self.data_layout()).abi);
                    let first = Type::Scalar(types::scalar(a, true));
                    let second = Type::Scalar(types::scalar(b, true));
                    let b_align = align_log2(place.val.align.restrict_for_offset(b_offset));
                    let first = self.load_value(first, place.val.llval, align, false);
                    let at = self.offset(place.val.llval, b_offset.bytes());
                    let second = self.load_value(second, at, b_align, false);
                    OperandValue::Pair(first, second)
                }
                _ => OperandValue::Ref(place.val),
            }
        };
        OperandRef { val, layout, move_annotation: None }
    }

    /// Fills an array with copies of one element by a loop.
    pub(super) fn repeat(&mut self, elem: OperandRef<'tcx, Value>, count: u64, dest: PlaceRef<'tcx, Value>) {
        let stride = elem.layout.size.bytes();
        let base = self.use_value(dest.val.llval);
        let bytes = (stride * count) as u32;
        let end = self.i32(bytes);
        let end = self.binary(Opcode::I32Add, W::I32, base, end);
        let cursor = self.local(W::I32);
        self.push(Inst::Copy { dst: cursor, src: base });
        let (body, after) = (self.new_block(), self.new_block());
        self.jump(body);
        self.switch_to_block(body);
        let at = Value::Local(Type::PTR, cursor);
        let align = dest.val.align.restrict_for_offset(elem.layout.size);
        let place = rustc_codegen_ssa::mir::place::PlaceValue::new_sized(at, align).with_type(elem.layout);
        elem.val.store(self, place);
        let step = self.i32(stride as u32);
        self.push(Inst::Binary { op: Opcode::I32Add, dst: cursor, args: [cursor, step] });
        let done = self.binary(Opcode::I32Eq, W::I32, cursor, end);
        self.branch(done, after, body);
        self.switch_to_block(after);
    }

    /// Copies `size` bytes; the regions may overlap.
    pub(crate) fn copy_bytes(
        &mut self,
        dst: Value,
        dst_align: u8,
        src: Value,
        src_align: u8,
        size: Value,
        volatile: bool,
    ) {
        if let Some(size) = self.cx.const_to_opt_uint(size) {
            if pieces(size, 8).count() <= INLINE_PIECES {
                // What is aligned to 4 bytes has been written 4 bytes at a time, most likely just now: a wider load would have to wait for
                // both stores to leave the processor's store buffer, where it could take one piece from each.
                let widest = if src_align.min(dst_align) == 2 { 4 } else { 8 };
                // All loads before all stores, so that overlap does no harm.
                let mut held = Vec::with_capacity(2 * INLINE_PIECES);
                for (offset, piece) in pieces(size, widest) {
                    let ty = Type::Scalar(Scalar::Int(piece as u8 * 8));
                    let at = self.offset(src, offset);
                    let align = src_align.min(offset.trailing_zeros().min(63) as u8);
                    held.push(self.load_value(ty, at, align, volatile));
                }
                for ((offset, _), value) in pieces(size, widest).zip(held) {
                    let at = self.offset(dst, offset);
                    let align = dst_align.min(offset.trailing_zeros().min(63) as u8);
                    self.store_value(value, at, align, volatile);
                }
                return;
            }
            let size = self.i32(size as u32);
            let (dst, src) = (self.use_value(dst), self.use_value(src));
            self.memory_copy(dst, src, size);
            return;
        }
        let (dst, src, size) = (self.use_value(dst), self.use_value(src), self.use_value(size));
        self.unless_empty(size, |bx| bx.memory_copy(dst, src, size));
    }

    fn memory_copy(&mut self, dst: Local, src: Local, size: Local) {
        let memory = self.cx.memory;
        self.immediate_op(Opcode::MemoryCopy, Imm::MemoryMemory(memory, memory), &[dst, src, size]);
    }

    /// Fills `size` bytes.
    pub(super) fn fill_bytes(&mut self, dst: Value, byte: Value, size: Value) {
        if matches!(byte, Value::Undef(_)) {
            return;
        }
        let byte = self.widen(byte, false);
        let memory = self.cx.memory;
        let known = self.cx.const_to_opt_uint(size);
        let (dst, size) = (self.use_value(dst), self.use_value(size));
        let fill = |bx: &mut Self| bx.immediate_op(Opcode::MemoryFill, Imm::Memory(memory), &[dst, byte, size]);
        match known {
            Some(0) => {}
            Some(_) => fill(self),
            None => self.unless_empty(size, fill),
        }
    }

    /// wasm's bulk operations trap on addresses outside memory even for no bytes, where Rust allows any address.
    fn unless_empty(&mut self, size: Local, f: impl FnOnce(&mut Self)) {
        let (body, after) = (self.new_block(), self.new_block());
        self.branch(size, body, after);
        self.switch_to_block(body);
        f(self);
        self.jump(after);
        self.switch_to_block(after);
    }

    pub(crate) fn immediate_op(&mut self, op: Opcode, imm: Imm, args: &[Local]) {
        let inst = self.with(|state| {
            let imm = state.body.pool.imms.push(imm).into();
            let operands = state.body.pool.operands(&[], args);
            Inst::Op { op, imm, operands }
        });
        self.push(inst);
    }
}
