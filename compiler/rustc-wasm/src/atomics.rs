//! Atomic operations.
//!
//! Without the `atomics` target feature there is one thread, and each atomic operation is the plain sequence of a load,
//! a computation and a store, as LLVM does for single-threaded targets. With the feature it is wasm's atomic operator, all of
//! which are sequentially consistent; what wasm lacks (`nand`, `min`, `max`) is a loop of exchanges.

use crate::builder::Builder;
use crate::ops::{self, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_abi::Size;
use rustc_codegen_ssa::common::{AtomicRmwBinOp, IntPredicate};
use rustc_codegen_ssa::traits::BuilderMethods;
use rustc_middle::bug;
use rustc_span::sym;
use wasmir::{Imm, Local, MemArg, Opcode, Type as W};

/// The type that an atomic operator computes in, and the suffixes of its name for narrower memory.
fn shape(ty: W) -> (&'static str, &'static str, W) {
    match ty {
        W::I8 => ("i32", "8", W::I32),
        W::I16 => ("i32", "16", W::I32),
        W::I64 => ("i64", "", W::I64),
        _ => ("i32", "", W::I32),
    }
}

/// The atomic operator of that name on memory that holds `ty`: `load`, `store`, or what follows `rmw`.
fn operator(name: &str, ty: W) -> Opcode {
    let (prefix, width, _) = shape(ty);
    let zero_extended = if width.is_empty() || name == "store" { "" } else { "_u" };
    let text = match name {
        "load" | "store" => format!("{prefix}.atomic.{name}{width}{zero_extended}"),
        _ => format!("{prefix}.atomic.rmw{width}.{name}{zero_extended}"),
    };
    match Opcode::from_name(&text) {
        Some(op) => op,
        None => bug!("no operator `{text}`"),
    }
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// Whether other threads could observe what is between two operations.
    fn has_threads(&self) -> bool {
        self.cx.tcx.sess.unstable_target_features.contains(&sym::atomics)
    }

    /// The scalar behind an atomic value; wasm has operators for integers up to 64 bits and addresses.
    fn atomic_scalar(&self, ty: Type) -> Scalar {
        match ty {
            Type::Scalar(scalar) if scalar.is_int() && scalar.bytes() <= 8 => scalar,
            other => bug!("an atomic operation on {other:?}"),
        }
    }

    fn memarg(&self, pointer: Value, scalar: Scalar) -> (Local, Imm) {
        let (base, offset) = self.address(pointer);
        // Atomic accesses must state their natural alignment.
        let access = wasmir::Access::new(ops::log2(scalar.bytes()));
        (base, Imm::Memarg(MemArg { memory: self.cx.memory, offset, access }))
    }

    /// An operator that reads and writes memory: the old value.
    fn read_modify_write(&mut self, name: &str, pointer: Value, scalar: Scalar, operands: &[Value]) -> Value {
        let (base, imm) = self.memarg(pointer, scalar);
        let mut args = vec![base];
        args.extend(operands.iter().map(|&operand| self.widen(operand, false)));
        let (_, _, ty) = shape(scalar.wir());
        match self.general(operator(name, scalar.wir()), Some(imm), Some(ty), &args) {
            Some(old) => {
                let old = self.narrow(scalar, old);
                self.value(scalar, old)
            }
            None => bug!("`{name}` has a result"),
        }
    }

    /// Orders memory accesses.
    pub(crate) fn fence(&mut self) {
        if self.has_threads() {
            self.general(Opcode::AtomicFence, None, None, &[]);
        }
    }

    /// Loads atomically.
    pub(crate) fn atomic_load_value(&mut self, ty: Type, pointer: Value, size: Size) -> Value {
        let align = ops::log2(size.bytes());
        if !self.has_threads() {
            return self.load_value(ty, pointer, align, false);
        }
        let scalar = self.atomic_scalar(ty);
        let at = self.address(pointer);
        let (_, _, wide) = shape(scalar.wir());
        let local = self.load_raw(operator("load", scalar.wir()), wide, scalar.bytes(), at, align, false);
        let local = self.narrow(scalar, local);
        self.value(scalar, local)
    }

    /// Stores atomically.
    pub(crate) fn atomic_store_value(&mut self, value: Value, pointer: Value, size: Size) {
        let align = ops::log2(size.bytes());
        if !self.has_threads() {
            return self.store_value(value, pointer, align, false);
        }
        let scalar = self.atomic_scalar(self.cx.type_of(value));
        let local = self.widen(value, false);
        let at = self.address(pointer);
        self.store_raw(operator("store", scalar.wir()), local, scalar.bytes(), at, align, false);
    }

    /// Stores `new` if the memory holds `expected`; gives back what it held and whether it stored.
    pub(crate) fn atomic_exchange_if(&mut self, pointer: Value, expected: Value, new: Value) -> (Value, Value) {
        let ty = self.cx.type_of(expected);
        if self.has_threads() {
            let scalar = self.atomic_scalar(ty);
            let old = self.read_modify_write("cmpxchg", pointer, scalar, &[expected, new]);
            let same = self.compare(IntPredicate::IntEQ, old, expected);
            return (old, same);
        }
        let align = ops::log2(ty.stride());
        let old = self.load_value(ty, pointer, align, false);
        let same = self.compare(IntPredicate::IntEQ, old, expected);
        let (store, after) = (self.new_block(), self.new_block());
        let cond = self.use_value(same);
        self.branch(cond, store, after);
        self.switch_to_block(store);
        self.store_value(new, pointer, align, false);
        self.jump(after);
        self.switch_to_block(after);
        (old, same)
    }

    /// Replaces the memory by `op` of it and `operand`; gives back what it held.
    pub(crate) fn atomic_update(
        &mut self,
        op: AtomicRmwBinOp,
        pointer: Value,
        operand: Value,
        is_pointer: bool,
    ) -> Value {
        let ty = if is_pointer { Type::PTR } else { self.cx.type_of(operand) };
        let operand = match ty {
            Type::Scalar(Scalar::Ptr) => self.cast_int(operand, ty, false),
            _ => operand,
        };
        if !self.has_threads() {
            let align = ops::log2(ty.stride());
            let old = self.load_value(ty, pointer, align, false);
            let new = self.updated(op, old, operand);
            self.store_value(new, pointer, align, false);
            return old;
        }
        let scalar = self.atomic_scalar(ty);
        let name = match op {
            AtomicRmwBinOp::AtomicXchg => "xchg",
            AtomicRmwBinOp::AtomicAdd => "add",
            AtomicRmwBinOp::AtomicSub => "sub",
            AtomicRmwBinOp::AtomicAnd => "and",
            AtomicRmwBinOp::AtomicOr => "or",
            AtomicRmwBinOp::AtomicXor => "xor",
            _ => return self.update_in_loop(op, pointer, operand, scalar),
        };
        self.read_modify_write(name, pointer, scalar, &[operand])
    }

    /// Tries until nothing came between reading and writing.
    fn update_in_loop(&mut self, op: AtomicRmwBinOp, pointer: Value, operand: Value, scalar: Scalar) -> Value {
        let first = self.atomic_load_value(Type::Scalar(scalar), pointer, Size::from_bytes(scalar.bytes()));
        let first = self.use_value(first);
        let seen = self.local(scalar.wir());
        self.push(wasmir::Inst::Copy { dst: seen, src: first });
        let (again, after) = (self.new_block(), self.new_block());
        self.jump(again);
        self.switch_to_block(again);
        let old = self.value(scalar, seen);
        let new = self.updated(op, old, operand);
        let found = self.read_modify_write("cmpxchg", pointer, scalar, &[old, new]);
        let same = self.compare(IntPredicate::IntEQ, found, old);
        let (found, same) = (self.use_value(found), self.use_value(same));
        self.push(wasmir::Inst::Copy { dst: seen, src: found });
        self.branch(same, after, again);
        self.switch_to_block(after);
        self.value(scalar, seen)
    }

    /// What an update makes of the old value.
    fn updated(&mut self, op: AtomicRmwBinOp, old: Value, operand: Value) -> Value {
        let pick = |bx: &mut Self, pred| {
            let keep = bx.compare(pred, old, operand);
            bx.select_value(keep, old, operand)
        };
        match op {
            AtomicRmwBinOp::AtomicXchg => operand,
            AtomicRmwBinOp::AtomicAdd => self.int_op(IntOp::Add, old, operand),
            AtomicRmwBinOp::AtomicSub => self.int_op(IntOp::Sub, old, operand),
            AtomicRmwBinOp::AtomicAnd => self.int_op(IntOp::And, old, operand),
            AtomicRmwBinOp::AtomicOr => self.int_op(IntOp::Or, old, operand),
            AtomicRmwBinOp::AtomicXor => self.int_op(IntOp::Xor, old, operand),
            AtomicRmwBinOp::AtomicNand => {
                let and = self.int_op(IntOp::And, old, operand);
                self.not(and)
            }
            AtomicRmwBinOp::AtomicMax => pick(self, IntPredicate::IntSGT),
            AtomicRmwBinOp::AtomicMin => pick(self, IntPredicate::IntSLT),
            AtomicRmwBinOp::AtomicUMax => pick(self, IntPredicate::IntUGT),
            AtomicRmwBinOp::AtomicUMin => pick(self, IntPredicate::IntULT),
        }
    }

    /// `memory.atomic.wait32`, `memory.atomic.wait64` and `memory.atomic.notify`, by the last part of the name.
    pub(crate) fn wait_or_notify(&mut self, name: &str, operands: &[Value]) -> Option<Value> {
        let op = Opcode::from_name(&format!("memory.atomic.{name}"))?;
        let scalar = if name == "wait64" { Scalar::Int(64) } else { Scalar::Int(32) };
        let (base, imm) = self.memarg(*operands.first()?, scalar);
        let mut args = vec![base];
        args.extend(operands[1..].iter().map(|&operand| self.use_value(operand)));
        let result = self.general(op, Some(imm), Some(W::I32), &args)?;
        Some(self.value(Scalar::Int(32), result))
    }
}
