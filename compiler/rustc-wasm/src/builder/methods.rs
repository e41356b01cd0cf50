//! The interface through which `rustc_codegen_ssa` lowers MIR, in terms of the steps of this folder.

use super::memory::align_log2;
use super::{Builder, Funclet};
use crate::cx::CodegenCx;
use crate::ops::{FloatOp, IntOp};
use crate::value::{Scalar, SigId, Type, Value};
use rustc_abi::{self as abi, Align, Size, WrappingRange};
use rustc_codegen_ssa::MemFlags;
use rustc_codegen_ssa::common::{AtomicRmwBinOp, IntPredicate, RealPredicate, SynchronizationScope};
use rustc_codegen_ssa::mir::operand::OperandRef;
use rustc_codegen_ssa::mir::place::PlaceRef;
use rustc_codegen_ssa::traits::{
    BackendTypes, BuilderMethods, CoverageInfoBuilderMethods, OverflowOp, StaticBuilderMethods,
};
use rustc_hir::def_id::DefId;
use rustc_middle::bug;
use rustc_middle::middle::codegen_fn_attrs::CodegenFnAttrs;
use rustc_middle::mir::coverage::CoverageKind;
use rustc_middle::ty::layout::TyAndLayout;
use rustc_middle::ty::{AtomicOrdering, Instance, Ty};
use rustc_span::Span;
use rustc_target::callconv::FnAbi;
use wasmir::{Block, Func, Inst, Item, Opcode, Terminator, Type as W};

macro_rules! int_methods {
    ($($method:ident $op:ident,)*) => {
        $(fn $method(&mut self, a: Value, b: Value) -> Value {
            self.int_op(IntOp::$op, a, b)
        })*
    };
}

macro_rules! float_methods {
    ($($method:ident $op:ident,)*) => {
        $(fn $method(&mut self, a: Value, b: Value) -> Value {
            self.float_op(FloatOp::$op, a, b)
        })*
    };
}

impl<'a, 'tcx> BuilderMethods<'a, 'tcx> for Builder<'a, 'tcx> {
    type CodegenCx = CodegenCx<'tcx>;

    fn build(cx: &'a CodegenCx<'tcx>, block: Block) -> Self {
        Builder::at(cx, block)
    }

    fn cx(&self) -> &CodegenCx<'tcx> {
        self.cx
    }

    fn llbb(&self) -> Block {
        self.block
    }

    fn set_span(&mut self, span: Span) {
        self.span = span;
        self.locate(span);
    }

    fn append_block(cx: &'a CodegenCx<'tcx>, func: Func, _name: &str) -> Block {
        let current = cx.current.borrow().as_ref().map(|state| state.func);
        if current != Some(func) {
            cx.start_function(func);
        }
        Builder::at(cx, Block::from_u32(0)).new_block()
    }

    fn append_sibling_block(&mut self, _name: &str) -> Block {
        self.new_block()
    }

    fn switch_to_block(&mut self, block: Block) {
        self.block = block;
    }

    fn ret_void(&mut self) {
        self.emit_return(Value::Void);
    }

    fn ret(&mut self, value: Value) {
        self.emit_return(value);
    }

    fn br(&mut self, dest: Block) {
        self.jump(dest);
    }

    fn cond_br(&mut self, cond: Value, then_to: Block, else_to: Block) {
        match cond {
            Value::Const(_, bits) => self.jump(if bits != 0 { then_to } else { else_to }),
            _ => {
                let cond = self.use_value(cond);
                self.branch(cond, then_to, else_to);
            }
        }
    }

    fn switch(&mut self, value: Value, default: Block, cases: impl ExactSizeIterator<Item = (u128, Block)>) {
        self.emit_switch(value, default, cases.collect());
    }

    fn invoke(
        &mut self,
        sig: SigId,
        _fn_attrs: Option<&CodegenFnAttrs>,
        _fn_abi: Option<&FnAbi<'tcx, Ty<'tcx>>>,
        callee: Value,
        args: &[Value],
        then: Block,
        catch: Block,
        _funclet: Option<&Funclet>,
        _instance: Option<Instance<'tcx>>,
    ) -> Value {
        let result = match self.unwinds() {
            true => self.emit_invoke(sig, callee, args, catch),
            // Without unwinding a call that would clean up is an ordinary one.
            false => self.emit_call(sig, callee, args),
        };
        self.jump(then);
        self.block = then;
        result
    }

    fn unreachable(&mut self) {
        self.terminate(Terminator::Unreachable);
    }

    fn unreachable_nonterminator(&mut self) {
        self.terminate(Terminator::Unreachable);
        self.block = self.new_block();
    }

    int_methods! {
        add Add,
        sub Sub,
        mul Mul,
        udiv DivU,
        exactudiv DivU,
        sdiv DivS,
        exactsdiv DivS,
        urem RemU,
        srem RemS,
        shl Shl,
        lshr ShrU,
        ashr ShrS,
        and And,
        or Or,
        xor Xor,
    }

    float_methods! {
        fadd Add,
        fadd_fast Add,
        fadd_algebraic Add,
        fsub Sub,
        fsub_fast Sub,
        fsub_algebraic Sub,
        fmul Mul,
        fmul_fast Mul,
        fmul_algebraic Mul,
        fdiv Div,
        fdiv_fast Div,
        fdiv_algebraic Div,
    }

    fn frem(&mut self, a: Value, b: Value) -> Value {
        self.float_rem(a, b)
    }

    fn frem_fast(&mut self, a: Value, b: Value) -> Value {
        self.float_rem(a, b)
    }

    fn frem_algebraic(&mut self, a: Value, b: Value) -> Value {
        self.float_rem(a, b)
    }

    fn neg(&mut self, value: Value) -> Value {
        let zero = Value::Const(self.scalar_of(value), 0);
        self.int_op(IntOp::Sub, zero, value)
    }

    fn fneg(&mut self, value: Value) -> Value {
        self.float_unary(FloatOp::Neg, value)
    }

    fn not(&mut self, value: Value) -> Value {
        let scalar = self.scalar_of(value);
        let ones = Value::Const(scalar, scalar.mask());
        self.int_op(IntOp::Xor, value, ones)
    }

    fn checked_binop(&mut self, op: OverflowOp, ty: Ty<'tcx>, a: Value, b: Value) -> (Value, Value) {
        self.checked(op, ty, a, b)
    }

    fn from_immediate(&mut self, value: Value) -> Value {
        if self.type_of(value) == Type::BOOL { self.cast_int(value, Type::I8, false) } else { value }
    }

    fn to_immediate_scalar(&mut self, value: Value, scalar: abi::Scalar) -> Value {
        if scalar.is_bool() && self.type_of(value) != Type::BOOL { self.byte_to_bool(value) } else { value }
    }

    fn alloca(&mut self, size: Size, align: Align) -> Value {
        self.alloca_slot(size, align)
    }

    fn alloca_with_ty(&mut self, layout: TyAndLayout<'tcx>) -> Value {
        self.alloca_slot(layout.size, layout.align.abi)
    }

    fn load(&mut self, ty: Type, ptr: Value, align: Align) -> Value {
        self.load_value(ty, ptr, align_log2(align), false)
    }

    fn volatile_load(&mut self, ty: Type, ptr: Value) -> Value {
        self.load_value(ty, ptr, 0, true)
    }

    fn atomic_load(&mut self, ty: Type, ptr: Value, _order: AtomicOrdering, size: Size) -> Value {
        self.atomic_load_value(ty, ptr, size)
    }

    fn load_operand(&mut self, place: PlaceRef<'tcx, Value>) -> OperandRef<'tcx, Value> {
        self.operand_at(place)
    }

    fn write_operand_repeatedly(&mut self, elem: OperandRef<'tcx, Value>, count: u64, dest: PlaceRef<'tcx, Value>) {
        self.repeat(elem, count, dest);
    }

    // Facts for the optimiser, which WasmIR does not carry.
    fn assume_integer_range(&mut self, _value: Value, _ty: Type, _range: WrappingRange) {}
    fn assume_nonnull(&mut self, _value: Value) {}
    fn range_metadata(&mut self, _load: Value, _range: WrappingRange) {}
    fn nonnull_metadata(&mut self, _load: Value) {}
    fn set_invariant_load(&mut self, _load: Value) {}
    fn lifetime_start(&mut self, _ptr: Value, _size: Size) {}
    fn lifetime_end(&mut self, _ptr: Value, _size: Size) {}
    fn apply_attrs_to_cleanup_callsite(&mut self, _ret: Value) {}
    fn set_personality_fn(&mut self, _personality: Func) {}

    fn store(&mut self, value: Value, ptr: Value, align: Align) -> Value {
        self.store_value(value, ptr, align_log2(align), false);
        Value::Void
    }

    fn store_with_flags(&mut self, value: Value, ptr: Value, align: Align, flags: MemFlags) -> Value {
        let align = if flags.contains(MemFlags::UNALIGNED) { Align::ONE } else { align };
        self.store_value(value, ptr, align_log2(align), flags.contains(MemFlags::VOLATILE));
        Value::Void
    }

    fn atomic_store(&mut self, value: Value, ptr: Value, _order: AtomicOrdering, size: Size) {
        self.atomic_store_value(value, ptr, size);
    }

    fn gep(&mut self, ty: Type, ptr: Value, indices: &[Value]) -> Value {
        self.index(ty, ptr, indices, false)
    }

    fn inbounds_gep(&mut self, ty: Type, ptr: Value, indices: &[Value]) -> Value {
        self.index(ty, ptr, indices, true)
    }

    fn trunc(&mut self, value: Value, to: Type) -> Value {
        self.cast_int(value, to, false)
    }

    fn zext(&mut self, value: Value, to: Type) -> Value {
        self.cast_int(value, to, false)
    }

    fn sext(&mut self, value: Value, to: Type) -> Value {
        self.cast_int(value, to, true)
    }

    fn fptoui_sat(&mut self, value: Value, to: Type) -> Value {
        self.float_to_int(value, to, false)
    }

    fn fptosi_sat(&mut self, value: Value, to: Type) -> Value {
        self.float_to_int(value, to, true)
    }

    fn fptoui(&mut self, value: Value, to: Type) -> Value {
        self.float_to_int(value, to, false)
    }

    fn fptosi(&mut self, value: Value, to: Type) -> Value {
        self.float_to_int(value, to, true)
    }

    fn uitofp(&mut self, value: Value, to: Type) -> Value {
        self.int_to_float(value, to, false)
    }

    fn sitofp(&mut self, value: Value, to: Type) -> Value {
        self.int_to_float(value, to, true)
    }

    fn fptrunc(&mut self, value: Value, to: Type) -> Value {
        self.float_to_float(value, to)
    }

    fn fpext(&mut self, value: Value, to: Type) -> Value {
        self.float_to_float(value, to)
    }

    fn ptrtoint(&mut self, value: Value, to: Type) -> Value {
        self.cast_int(value, to, false)
    }

    fn inttoptr(&mut self, value: Value, to: Type) -> Value {
        self.cast_int(value, to, false)
    }

    fn bitcast(&mut self, value: Value, to: Type) -> Value {
        self.reinterpret(value, to)
    }

    fn intcast(&mut self, value: Value, to: Type, is_signed: bool) -> Value {
        self.cast_int(value, to, is_signed)
    }

    fn pointercast(&mut self, value: Value, _to: Type) -> Value {
        value
    }

    fn icmp(&mut self, pred: IntPredicate, a: Value, b: Value) -> Value {
        self.compare(pred, a, b)
    }

    fn fcmp(&mut self, pred: RealPredicate, a: Value, b: Value) -> Value {
        self.compare_floats(pred, a, b)
    }

    fn memcpy(
        &mut self,
        dst: Value,
        dst_align: Align,
        src: Value,
        src_align: Align,
        size: Value,
        flags: MemFlags,
        _tt: Option<rustc_ast::expand::typetree::FncTree>,
    ) {
        let volatile = flags.contains(MemFlags::VOLATILE);
        self.copy_bytes(dst, align_log2(dst_align), src, align_log2(src_align), size, volatile);
    }

    fn memmove(&mut self, dst: Value, dst_align: Align, src: Value, src_align: Align, size: Value, flags: MemFlags) {
        let volatile = flags.contains(MemFlags::VOLATILE);
        self.copy_bytes(dst, align_log2(dst_align), src, align_log2(src_align), size, volatile);
    }

    fn memset(&mut self, ptr: Value, fill_byte: Value, size: Value, _align: Align, _flags: MemFlags) {
        self.fill_bytes(ptr, fill_byte, size);
    }

    fn select(&mut self, cond: Value, a: Value, b: Value) -> Value {
        self.select_value(cond, a, b)
    }

    fn va_arg(&mut self, _list: Value, ty: Type) -> Value {
        self.unsupported(self.span, "reading variadic arguments");
        Value::Undef(ty)
    }

    fn extract_element(&mut self, vec: Value, idx: Value) -> Value {
        match idx {
            Value::Const(_, lane) => self.to_lanes(vec)[lane as usize],
            other => bug!("an element by the index {other:?}"),
        }
    }

    fn vector_splat(&mut self, num_elts: usize, elt: Value) -> Value {
        self.from_lanes(self.scalar_of(elt), vec![elt; num_elts])
    }

    fn extract_value(&mut self, value: Value, idx: u64) -> Value {
        self.halves(value)[idx as usize]
    }

    fn insert_value(&mut self, value: Value, elt: Value, idx: u64) -> Value {
        let mut halves = self.halves(value);
        halves[idx as usize] = elt;
        match self.type_of(value) {
            Type::Pair(a, b) => self.pair(halves[0], halves[1], (a, b)),
            other => bug!("{other:?} is not a pair"),
        }
    }

    fn cleanup_landing_pad(&mut self, _personality: Func) -> (Value, Value) {
        bug!("a landing pad where exceptions are wasm's")
    }

    fn filter_landing_pad(&mut self, _personality: Func) {
        bug!("a landing pad where exceptions are wasm's")
    }

    fn resume(&mut self, _exn0: Value, _exn1: Value) {
        bug!("a landing pad where exceptions are wasm's")
    }

    // wasm's exceptions come in the form of funclets; see `super::unwind`.
    fn cleanup_pad(&mut self, _parent: Option<Value>, _args: &[Value]) -> Funclet {
        self.enter_cleanup()
    }

    fn cleanup_ret(&mut self, funclet: &Funclet, unwind: Option<Block>) {
        self.leave_cleanup(*funclet, unwind);
    }

    fn catch_switch(&mut self, _parent: Option<Value>, _unwind: Option<Block>, handlers: &[Block]) -> Value {
        match handlers {
            [only] => self.jump(*only),
            _ => bug!("a switch over {} handlers", handlers.len()),
        }
        Value::Void
    }

    fn catch_pad(&mut self, _parent: Value, _args: &[Value]) -> Funclet {
        Funclet::Caught
    }

    fn atomic_cmpxchg(
        &mut self,
        dst: Value,
        cmp: Value,
        src: Value,
        _order: AtomicOrdering,
        _failure_order: AtomicOrdering,
        _weak: bool,
    ) -> (Value, Value) {
        self.atomic_exchange_if(dst, cmp, src)
    }

    fn atomic_rmw(
        &mut self,
        op: AtomicRmwBinOp,
        dst: Value,
        src: Value,
        _order: AtomicOrdering,
        ret_ptr: bool,
    ) -> Value {
        self.atomic_update(op, dst, src, ret_ptr)
    }

    fn atomic_fence(&mut self, _order: AtomicOrdering, _scope: SynchronizationScope) {
        self.fence();
    }

    fn call(
        &mut self,
        sig: SigId,
        _caller_attrs: Option<&CodegenFnAttrs>,
        fn_abi: Option<&FnAbi<'tcx, Ty<'tcx>>>,
        callee: Value,
        args: &[Value],
        funclet: Option<&Funclet>,
        _instance: Option<Instance<'tcx>>,
    ) -> Value {
        let may_unwind = self.unwinds() && fn_abi.is_some_and(|abi| abi.can_unwind);
        match funclet {
            // MIR's "terminate", which the lowering of funclets leaves out within a cleanup.
            Some(Funclet::Cleanup(_)) if may_unwind => {
                let catch = self.cleanup_panic();
                self.emit_invoke(sig, callee, args, catch)
            }
            _ => self.emit_call(sig, callee, args),
        }
    }

    fn tail_call(
        &mut self,
        sig: SigId,
        _caller_attrs: Option<&CodegenFnAttrs>,
        _fn_abi: &FnAbi<'tcx, Ty<'tcx>>,
        callee: Value,
        args: &[Value],
        _funclet: Option<&Funclet>,
        _instance: Option<Instance<'tcx>>,
    ) {
        self.emit_tail_call(sig, callee, args);
    }
}

impl<'tcx> CoverageInfoBuilderMethods<'tcx> for Builder<'_, 'tcx> {
    fn add_coverage(&mut self, _instance: Instance<'tcx>, _kind: &CoverageKind) {}
}

impl StaticBuilderMethods for Builder<'_, '_> {
    fn get_static(&mut self, def_id: DefId) -> <Self as BackendTypes>::Value {
        let address = Value::Addr(Scalar::Ptr, Item::Data(self.cx.static_data(def_id)), 0);
        if !self.cx.is_thread_local(def_id) {
            return address;
        }
        let (block, place) = (self.local(W::I32), self.use_value(address));
        self.push(Inst::GlobalGet { dst: block, global: self.cx.thread_block() });
        let local = self.binary(Opcode::I32Add, W::I32, block, place);
        self.value(Scalar::Ptr, local)
    }
}
