//! Parameters, calls and returns by the C ABI of wasm32.
//!
//! What takes one wasm value travels as such, narrow integers as `i32`; `i128` as two `i64`; results that take more
//! than one value through a hidden pointer before all parameters; variadic arguments in a buffer whose address is the
//! last argument.

use super::Builder;
use crate::cx::RetLowering;
use crate::types;
use crate::value::{Param, Sig, SigId, Type, Value};
use rustc_codegen_ssa::MemFlags;
use rustc_codegen_ssa::mir::operand::OperandValue;
use rustc_codegen_ssa::mir::place::{PlaceRef, PlaceValue};
use rustc_codegen_ssa::traits::{AbiBuilderMethods, ArgAbiBuilderMethods, BuilderMethods, ConstCodegenMethods};
use rustc_middle::bug;
use rustc_middle::ty::Ty;
use rustc_span::Symbol;
use rustc_target::callconv::{ArgAbi, PassMode};
use wasmir::{Callee, Inst, Item, Local, Opcode, Operands, Terminator, Type as W};

/// A call in terms of wasm's values.
pub(super) struct Lowered {
    pub(super) callee: Callee,
    pub(super) operands: Operands,
    pub(super) result: Returned,
}

/// Where a call leaves its result.
#[derive(Clone, Copy)]
pub(super) enum Returned {
    /// There is none.
    Nothing,
    /// In a local.
    Local(Local),
    /// In memory, at this address.
    Slot(Value),
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// The wasm values that a value travels as.
    fn split(&mut self, param: Param, value: Value, out: &mut Vec<Local>) {
        match param.ty {
            Type::Void => {}
            Type::Scalar(scalar) if scalar.wir() == W::I128 => {
                let whole = self.use_value(value);
                out.push(self.unary(Opcode::I64WrapI128, W::I64, whole));
                let sixty_four = self.i32(64);
                let high = self.binary(Opcode::I128ShrU, W::I128, whole, sixty_four);
                out.push(self.unary(Opcode::I64WrapI128, W::I64, high));
            }
            Type::Scalar(_) => out.push(self.widen(value, param.signed)),
            Type::Vector(..) if param.ty.stride() == 16 => out.push(self.use_value(value)),
            Type::Vector(..) => {
                let bytes = param.ty.stride();
                self.cx.unsupported(self.span, format_args!("vectors of {bytes} bytes passed by value"));
                out.push(self.constant(W::V128, 0));
            }
            Type::Pair(..) | Type::Blob(_) => bug!("an argument of type {:?}", param.ty),
        }
    }

    /// The value that `parts` are.
    fn join(&mut self, ty: Type, parts: &[Local]) -> Value {
        match (ty, parts) {
            (Type::Void, []) => Value::Void,
            (Type::Scalar(scalar), &[low, high]) => {
                let whole = self.binary(Opcode::I128Concat, W::I128, low, high);
                self.value(scalar, whole)
            }
            (Type::Scalar(scalar), &[local]) => {
                let local = self.narrow(scalar, local);
                self.value(scalar, local)
            }
            (Type::Vector(..), &[local]) => Value::Local(ty, local),
            other => bug!("a value from {other:?}"),
        }
    }

    /// Takes the parameters apart; called once, in the entry block.
    fn receive_params(&mut self) -> Vec<Value> {
        let sig = self.with(|state| state.sig);
        let sig = self.cx.get_sig(sig);
        let mut next = u32::from(self.cx.ret_lowering(sig.ret) == RetLowering::Pointer);
        let mut values = Vec::with_capacity(sig.params.len());
        for param in &sig.params {
            let parts: Vec<Local> = self
                .cx
                .wasm_parts(param.ty)
                .iter()
                .map(|_| {
                    next += 1;
                    Local::from_u32(next - 1)
                })
                .collect();
            values.push(self.join(param.ty, &parts));
        }
        values
    }

    /// Calls `callee` and gives back its result.
    pub(super) fn emit_call(&mut self, sig: SigId, callee: Value, args: &[Value]) -> Value {
        if self.cx.is_throw(callee) {
            self.emit_throw(args, None.into());
            return Value::Void;
        }
        let Lowered { callee, operands, result } = self.lower_call(sig, callee, args);
        self.push(Inst::Call { callee, operands });
        self.take_result(sig, result)
    }

    /// The operands of a call, and where its result will be.
    pub(super) fn lower_call(&mut self, sig_id: SigId, callee: Value, args: &[Value]) -> Lowered {
        let sig = self.cx.get_sig(sig_id);
        let mut wasm_args = Vec::with_capacity(args.len() + 2);
        let lowering = self.cx.ret_lowering(sig.ret);
        let mut result = Returned::Nothing;
        if lowering == RetLowering::Pointer {
            let slot = self.alloca_bytes(sig.ret.stride() as u32, 4);
            wasm_args.push(self.use_value(slot));
            result = Returned::Slot(slot);
        }
        for (param, &arg) in sig.params.iter().zip(args) {
            self.split(*param, arg, &mut wasm_args);
        }
        if sig.variadic {
            let buffer = self.variadic_buffer(&args[sig.params.len()..]);
            wasm_args.push(buffer);
        }
        let mut results = None;
        if lowering == RetLowering::Direct {
            let local = self.local(self.cx.wasm_parts(sig.ret)[0]);
            results = Some(local);
            result = Returned::Local(local);
        }
        let callee = self.callee(sig_id, callee, &mut wasm_args);
        let operands = self.with(|state| state.body.pool.operands(results.as_slice(), &wasm_args));
        Lowered { callee, operands, result }
    }

    /// The result of a call that has returned.
    pub(super) fn take_result(&mut self, sig: SigId, result: Returned) -> Value {
        let ret = self.cx.get_sig(sig).ret;
        match result {
            Returned::Slot(slot) => self.load_value(ret, slot, 4, false),
            Returned::Local(local) => self.join(ret, &[local]),
            Returned::Nothing => Value::Void,
        }
    }

    /// Calls `callee` in place of the rest of this function, whose result its result becomes.
    pub(super) fn emit_tail_call(&mut self, sig_id: SigId, callee: Value, args: &[Value]) {
        if !self.cx.tcx.sess.unstable_target_features.contains(&Symbol::intern("tail-call")) {
            self.cx.unsupported(self.span, "`become` without the target feature `tail-call`");
        }
        let sig = self.cx.get_sig(sig_id);
        // Caller and callee have the same signature, hence the same place for the result.
        let mut wasm_args: Vec<Local> = self.with(|state| state.ret_ptr).into_iter().collect();
        for (param, &arg) in sig.params.iter().zip(args) {
            self.split(*param, arg, &mut wasm_args);
        }
        let callee = self.callee(sig_id, callee, &mut wasm_args);
        let operands = self.with(|state| state.body.pool.operands(&[], &wasm_args));
        self.terminate(Terminator::ReturnCall { callee, operands });
    }

    /// What to call; an address goes last into the arguments.
    fn callee(&mut self, sig: SigId, callee: Value, args: &mut Vec<Local>) -> Callee {
        let ty = self.cx.wasm_type(sig);
        if let Value::Addr(_, Item::Func(func), 0) = callee
            && self.cx.module.borrow().funcs[func].ty == ty
        {
            return Callee::Direct(func);
        }
        args.push(self.use_value(callee));
        Callee::Indirect { table: self.cx.table, ty }
    }

    fn variadic_buffer(&mut self, args: &[Value]) -> Local {
        let mut size = 0u64;
        let mut places = Vec::with_capacity(args.len());
        for &arg in args {
            let bytes = self.cx.type_of(arg).stride();
            size = size.next_multiple_of(bytes.clamp(4, 16));
            places.push(size);
            size += bytes.max(4);
        }
        if places.is_empty() {
            return self.i32(0);
        }
        let buffer = self.alloca_bytes(size as u32, 4);
        for (&arg, offset) in args.iter().zip(places) {
            let at = self.offset(buffer, offset);
            self.store_value(arg, at, 2, false);
        }
        self.use_value(buffer)
    }

    /// Returns `value`.
    pub(super) fn emit_return(&mut self, value: Value) {
        let (sig, ret_ptr) = self.with(|state| (state.sig, state.ret_ptr));
        let sig: Sig = self.cx.get_sig(sig);
        let mut results = Vec::new();
        if let Some(pointer) = ret_ptr {
            // The slot has the alignment of the wider half at least.
            self.store_value(value, Value::Local(Type::PTR, pointer), 0, false);
        } else {
            self.split(Param { ty: sig.ret, signed: sig.ret_signed }, value, &mut results);
        }
        let operands: Operands = self.with(|state| state.body.pool.operands(&[], &results));
        self.terminate(Terminator::Return(operands));
    }

    /// Stores an argument or result in its Rust form.
    fn store_abi(&mut self, arg: &ArgAbi<'tcx, Ty<'tcx>>, value: Value, dst: PlaceRef<'tcx, Value>) {
        match &arg.mode {
            PassMode::Ignore => {}
            PassMode::Indirect { attrs, meta_attrs: None, .. } => {
                let align = attrs.pointee_align.unwrap_or(arg.layout.align.abi);
                OperandValue::Ref(PlaceValue::new_sized(value, align)).store(self, dst);
            }
            PassMode::Indirect { meta_attrs: Some(_), .. } => bug!("an unsized argument cannot be stored"),
            PassMode::Cast { cast, .. } => {
                let scratch = self.alloca(cast.size(self.cx), cast.align(self.cx));
                rustc_codegen_ssa::mir::store_cast(self, cast, value, scratch, cast.align(self.cx));
                let bytes = cast.unaligned_size(self.cx).bytes().min(arg.layout.size.bytes());
                let bytes = self.cx.const_usize(bytes);
                let align = arg.layout.align.abi;
                let from = cast.align(self.cx);
                self.memcpy(dst.val.llval, align, scratch, from, bytes, MemFlags::empty(), None);
            }
            PassMode::Direct(_) | PassMode::Pair(..) => match (arg.layout.backend_repr, value) {
                (rustc_abi::BackendRepr::ScalarPair(a, b), _) => {
                    let [first, second] = self.halves(value);
                    debug_assert_eq!(
                        (self.scalar_of(first), self.scalar_of(second)),
                        (types::scalar(a, true), types::scalar(b, true))
                    );
                    OperandValue::Pair(first, second).store(self, dst);
                }
                _ => OperandValue::Immediate(value).store(self, dst),
            },
        }
    }
}

impl<'tcx> ArgAbiBuilderMethods<'tcx> for Builder<'_, 'tcx> {
    fn store_fn_arg(&mut self, arg: &ArgAbi<'tcx, Ty<'tcx>>, idx: &mut usize, dst: PlaceRef<'tcx, Value>) {
        let mut next = || {
            let value = self.get_param(*idx);
            *idx += 1;
            value
        };
        match arg.mode {
            PassMode::Ignore => {}
            PassMode::Pair(..) => {
                let (first, second) = (next(), next());
                OperandValue::Pair(first, second).store(self, dst);
            }
            _ => {
                let value = next();
                self.store_abi(arg, value, dst);
            }
        }
    }

    fn store_arg(&mut self, arg: &ArgAbi<'tcx, Ty<'tcx>>, value: Value, dst: PlaceRef<'tcx, Value>) {
        self.store_abi(arg, value, dst);
    }
}

impl AbiBuilderMethods for Builder<'_, '_> {
    fn get_param(&mut self, index: usize) -> Value {
        if let Some(value) = self.with(|state| state.params.get(index).copied()) {
            return value;
        }
        let params = self.receive_params();
        let value = params[index];
        self.with(|state| state.params = params);
        value
    }
}
