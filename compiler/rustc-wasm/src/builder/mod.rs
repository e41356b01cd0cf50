//! Builds the body of one function: the primitive steps that everything else in this folder is made of.
//!
//! # Invariants
//! - Every instruction goes into `block`; a terminated block receives nothing more.
//! - A local made here is assigned once, by the instruction that makes it; the loops of atomic updates and what catches panics alone
//!   assign twice.

mod arith;
mod call;
mod cast;
mod control;
mod memory;
mod methods;
mod soft;
mod unwind;
mod vector;

pub(crate) use self::soft::is_soft;
pub(crate) use self::unwind::{Funclet, TAG};
pub(crate) use self::vector::{bits_shape, shape};
use crate::cx::{CodegenCx, FnState};
use crate::ops;
use crate::value::{Scalar, Type, Value};
use rustc_abi::{HasDataLayout, TargetDataLayout};
use rustc_codegen_ssa::traits::BackendTypes;
use rustc_middle::bug;
use rustc_middle::ty::layout::{
    FnAbiError, FnAbiOfHelpers, FnAbiRequest, HasTyCtxt, HasTypingEnv, LayoutError, LayoutOfHelpers,
};
use rustc_middle::ty::{self, Ty, TyCtxt};
use rustc_session::config::DebugInfo;
use rustc_span::{DUMMY_SP, Span};
use rustc_target::spec::{HasTargetSpec, HasX86AbiOpt, Target, X86Abi};
use std::ops::Deref;
use wasmir::{Block, Inst, Local, Opcode, SrcLoc, Terminator};

/// A position in the function being built.
pub(crate) struct Builder<'a, 'tcx> {
    pub(crate) cx: &'a CodegenCx<'tcx>,
    pub(crate) block: Block,
    pub(crate) span: Span,
    loc: SrcLoc,
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    fn at(cx: &'a CodegenCx<'tcx>, block: Block) -> Self {
        Builder { cx, block, span: DUMMY_SP, loc: SrcLoc::NONE }
    }

    /// Runs `f` on the function being built.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut FnState) -> R) -> R {
        let mut current = self.cx.current.borrow_mut();
        match current.as_mut() {
            Some(state) => f(state),
            None => bug!("an instruction outside a function"),
        }
    }

    fn locate(&mut self, span: Span) {
        if span.is_dummy() || self.cx.tcx.sess.opts.debuginfo == DebugInfo::None {
            return;
        }
        // Code of a macro belongs to the line that calls it.
        let position = rustc_span::hygiene::walk_chain_collapsed(span, DUMMY_SP).lo();
        self.cx.positions.borrow_mut().insert(position);
        self.loc = SrcLoc(position.0);
    }

    /// A new local.
    pub(crate) fn local(&self, ty: wasmir::Type) -> Local {
        self.with(|state| state.body.locals.push(ty))
    }

    /// A new block at the end of the layout.
    pub(crate) fn new_block(&self) -> Block {
        self.with(|state| {
            let block = state.body.blocks.push(Default::default());
            state.body.layout.push(block);
            block
        })
    }

    /// Appends an instruction.
    pub(crate) fn push(&self, inst: Inst) {
        self.with(|state| state.body.blocks[self.block].push(inst, self.loc));
    }

    /// Ends the block.
    pub(crate) fn terminate(&self, term: Terminator) {
        self.with(|state| {
            let block = &mut state.body.blocks[self.block];
            block.term = term;
            block.term_loc = self.loc;
        });
    }

    /// Ends the block with a jump.
    pub(crate) fn jump(&self, to: Block) {
        self.terminate(Terminator::Jump(to));
    }

    /// Ends the block with a branch.
    pub(crate) fn branch(&self, cond: Local, then_to: Block, else_to: Block) {
        self.terminate(Terminator::BrIf { cond, then_to, else_to });
    }

    /// A constant in a local.
    pub(crate) fn constant(&self, ty: wasmir::Type, bits: u128) -> Local {
        let dst = self.local(ty);
        if matches!(ty, wasmir::Type::I128 | wasmir::Type::V128) {
            let value = self.with(|state| state.body.pool.wides.push(bits));
            self.push(Inst::ConstWide { dst, value });
        } else {
            self.push(Inst::Const { dst, bits: bits as u64 });
        }
        dst
    }

    pub(crate) fn i32(&self, value: u32) -> Local {
        self.constant(wasmir::Type::I32, u128::from(value))
    }

    pub(crate) fn unary(&self, op: Opcode, ty: wasmir::Type, arg: Local) -> Local {
        let dst = self.local(ty);
        self.push(Inst::Unary { op, dst, arg });
        dst
    }

    pub(crate) fn binary(&self, op: Opcode, ty: wasmir::Type, a: Local, b: Local) -> Local {
        let dst = self.local(ty);
        self.push(Inst::Binary { op, dst, args: [a, b] });
        dst
    }

    pub(crate) fn ternary(&self, op: Opcode, ty: wasmir::Type, a: Local, b: Local, c: Local) -> Local {
        let dst = self.local(ty);
        self.push(Inst::Ternary { op, dst, args: [a, b, c] });
        dst
    }

    /// The local type that holds a value of `ty`.
    pub(crate) fn local_type(&self, ty: Type) -> wasmir::Type {
        match ty {
            Type::Scalar(scalar) => scalar.wir(),
            Type::Vector(..) => wasmir::Type::V128,
            other => bug!("no local holds {other:?}"),
        }
    }

    /// The value in a local.
    pub(crate) fn use_value(&self, value: Value) -> Local {
        match value {
            Value::Local(_, local) => local,
            Value::Const(scalar, bits) => self.constant(scalar.wir(), bits),
            Value::Undef(ty) => self.constant(self.local_type(ty), 0),
            Value::Addr(_, item, addend) => {
                let dst = self.local(wasmir::Type::I32);
                self.push(Inst::SymAddr { dst, item, addend });
                dst
            }
            Value::Slot(slot, offset) => {
                let dst = self.local(wasmir::Type::I32);
                self.push(Inst::StackAddr { dst, slot, offset });
                dst
            }
            Value::Offset(base, 0) => base,
            Value::Offset(base, offset) => {
                let offset = self.i32(offset);
                self.binary(Opcode::I32Add, wasmir::Type::I32, base, offset)
            }
            Value::Lanes(elem, _, index) => self.gather_lanes(elem, index),
            Value::Void | Value::Pair(..) => bug!("{value:?} fits no local"),
        }
    }

    /// The value `local` holds, as a scalar.
    pub(crate) fn value(&self, scalar: Scalar, local: Local) -> Value {
        Value::Local(Type::Scalar(scalar), local)
    }

    /// The scalar type of a value.
    pub(crate) fn scalar_of(&self, value: Value) -> Scalar {
        match self.cx.type_of(value) {
            Type::Scalar(scalar) => scalar,
            other => {
                self.cx.unsupported(self.span, format_args!("this operation on {other:?}"));
                Scalar::Int(32)
            }
        }
    }

    /// The two halves of a pair.
    pub(crate) fn halves(&self, value: Value) -> [Value; 2] {
        match value {
            Value::Pair(_, _, index) => self.cx.pairs.borrow()[index as usize],
            Value::Undef(Type::Pair(a, b)) => [Value::Undef(Type::Scalar(a)), Value::Undef(Type::Scalar(b))],
            other => bug!("{other:?} is not a pair"),
        }
    }

    /// A narrow integer as `i32`, or any other value in its own local type.
    pub(crate) fn widen(&self, value: Value, signed: bool) -> Local {
        let local = self.use_value(value);
        let from = self.with(|state| state.body.locals[local]);
        match from {
            wasmir::Type::I8 | wasmir::Type::I16 => match ops::extend(from, wasmir::Type::I32, signed) {
                Some(op) => self.unary(op, wasmir::Type::I32, local),
                None => local,
            },
            _ => local,
        }
    }

    /// An `i32` as the local type of `scalar`, where that is narrower.
    pub(crate) fn narrow(&self, scalar: Scalar, local: Local) -> Local {
        match scalar.wir() {
            to @ (wasmir::Type::I8 | wasmir::Type::I16) => match ops::wrap(wasmir::Type::I32, to) {
                Some(op) => self.unary(op, to, local),
                None => local,
            },
            _ => local,
        }
    }
}

impl<'a, 'tcx> Deref for Builder<'a, 'tcx> {
    type Target = CodegenCx<'tcx>;
    fn deref(&self) -> &'a CodegenCx<'tcx> {
        self.cx
    }
}

impl<'tcx> BackendTypes for Builder<'_, 'tcx> {
    type Function = wasmir::Func;
    type BasicBlock = Block;
    type Funclet = Funclet;
    type Value = Value;
    type Type = Type;
    type FunctionSignature = crate::value::SigId;
    type DIScope = ();
    type DILocation = ();
    type DIVariable = ();
}

impl<'tcx> HasTyCtxt<'tcx> for Builder<'_, 'tcx> {
    fn tcx(&self) -> TyCtxt<'tcx> {
        self.cx.tcx
    }
}

impl HasDataLayout for Builder<'_, '_> {
    fn data_layout(&self) -> &TargetDataLayout {
        self.cx.data_layout()
    }
}

impl HasTargetSpec for Builder<'_, '_> {
    fn target_spec(&self) -> &Target {
        self.cx.target_spec()
    }
}

impl HasX86AbiOpt for Builder<'_, '_> {
    fn x86_abi_opt(&self) -> X86Abi {
        self.cx.x86_abi_opt()
    }
}

impl<'tcx> HasTypingEnv<'tcx> for Builder<'_, 'tcx> {
    fn typing_env(&self) -> ty::TypingEnv<'tcx> {
        self.cx.typing_env()
    }
}

impl<'tcx> LayoutOfHelpers<'tcx> for Builder<'_, 'tcx> {
    fn handle_layout_err(&self, err: LayoutError<'tcx>, span: Span, ty: Ty<'tcx>) -> ! {
        self.cx.handle_layout_err(err, span, ty)
    }
}

impl<'tcx> FnAbiOfHelpers<'tcx> for Builder<'_, 'tcx> {
    fn handle_fn_abi_err(&self, err: FnAbiError<'tcx>, span: Span, request: FnAbiRequest<'tcx>) -> ! {
        self.cx.handle_fn_abi_err(err, span, request)
    }
}
