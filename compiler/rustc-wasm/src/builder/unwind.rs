//! Unwinding by wasm's exceptions.
//!
//! A panic throws the tag `__cpp_exception` with the address of the exception object, as LLVM's code does, so that Rust, C++ and what
//! the engine makes of both unwind through one another.
//!
//! # How
//! For wasm `rustc_codegen_ssa` lowers MIR's cleanup blocks in the form of *funclets*:
//!
//! | of funclets | becomes |
//! |---|---|
//! | `invoke` with a cleanup pad | `invoke` with the handler `catch_all exnref`; the pad's local keeps the exception |
//! | `invoke` with a catch switch (the end of an `extern "C"` function) | `invoke` with the handler `catch __cpp_exception` |
//! | `cleanup_pad` | nothing: the start of a block that handlers lead to |
//! | `cleanup_ret` | `throw_ref` of the pad's local, with handlers if it goes on in this function |
//! | a call within a cleanup | `invoke`: a panic out of a cleanup ends the program |
//!
//! Cleanups run for whatever is thrown, exceptions of the host included; `catch_unwind` and the ends of functions that must not
//! unwind see to the tag alone.
//!
//! # The stack pointer
//! Who throws leaves `__stack_pointer` where it was. A cleanup may run below all frames that were left, and hands on what it
//! found; a function's own frame is known to it by address. So only who catches for good resets the pointer.
//!
//! # Invariants
//! - A pad has one local for its exception, made when the first of `invoke` and `cleanup_pad` mentions the block.
//! - What follows a normal return is in a block of its own, before the block that was asked for: that one may have other ways in.

use super::Builder;
use super::call::Lowered;
use crate::cx::CodegenCx;
use crate::value::{Scalar, SigId, Type, Value};
use rustc_codegen_ssa::base::is_call_from_compiler_builtins_to_upstream_monomorphization;
use rustc_codegen_ssa::traits::{
    BuilderMethods, IntrinsicCallBuilderMethods, LayoutTypeCodegenMethods, MiscCodegenMethods,
};
use rustc_hir::LangItem;
use rustc_middle::ty::layout::FnAbiOf;
use rustc_middle::ty::{self, Instance};
use wasmir::entity::packed_option::PackedOption;
use wasmir::{
    Block, FuncType, Handler, HandlersId, Inst, Item, Linkage, Local, Operands, RefType, Symbol, Tag, TagData,
    Terminator, Type as W,
};

/// The tag of panics, and of C++'s exceptions.
pub(crate) const TAG: &str = "__cpp_exception";

/// What throws, by its name in `library/unwind`.
const THROW: &str = "llvm.wasm.throw";

/// The code that an exception led to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Funclet {
    /// A cleanup, and the local that holds the exception.
    Cleanup(Local),
    /// Code after which nothing unwinds any more.
    Caught,
}

impl CodegenCx<'_> {
    /// The tag of panics. Every unit that mentions it defines it, as objects of C++ do, and the linker keeps one.
    pub(crate) fn exception_tag(&self) -> Tag {
        if let Some(tag) = self.exception_tag.get() {
            return tag;
        }
        let mut module = self.module.borrow_mut();
        let ty = module.types.intern_func(FuncType::new([W::I32], []));
        let symbol = Symbol { name: Some(TAG.to_owned()), linkage: Linkage::Weak, ..Symbol::default() };
        let tag = module.tags.push(TagData { ty, import: None, symbol });
        self.exception_tag.set(Some(tag));
        tag
    }

    /// Whether `callee` is the operator that throws, which `library/unwind` declares as a function.
    pub(super) fn is_throw(&self, callee: Value) -> bool {
        match callee {
            Value::Addr(_, Item::Func(func), 0) => {
                self.module.borrow().funcs[func].symbol.name.as_deref() == Some(THROW)
            }
            _ => false,
        }
    }
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// Whether panics unwind.
    pub(super) fn unwinds(&self) -> bool {
        self.cx.tcx.sess.panic_strategy().unwinds()
    }

    /// The local for the exception that leads to `pad`.
    fn pad_local(&self, pad: Block) -> Local {
        self.with(|state| {
            let body = &mut state.body;
            *state.pads.entry(pad).or_insert_with(|| body.locals.push(W::Ref(RefType::EXNREF)))
        })
    }

    /// Begins a cleanup in this block.
    pub(super) fn enter_cleanup(&mut self) -> Funclet {
        Funclet::Cleanup(self.pad_local(self.block))
    }

    /// Unwinds further: to `unwind`, or out of the function.
    pub(super) fn leave_cleanup(&mut self, funclet: Funclet, unwind: Option<Block>) {
        match funclet {
            Funclet::Cleanup(exn) => {
                let handlers: PackedOption<HandlersId> = unwind.map(|pad| self.handlers_of(pad)).into();
                self.terminate(Terminator::ThrowRef { exn, handlers });
            }
            Funclet::Caught => self.unreachable(),
        }
    }

    /// The handlers that lead to a pad.
    fn handlers_of(&self, pad: Block) -> HandlersId {
        let exn = self.with(|state| state.pads.get(&pad).copied());
        match exn {
            Some(exn) => {
                let handler = Handler { tag: None, payload: Operands::default(), exnref: Some(exn), target: pad };
                self.with(|state| state.body.pool.handlers.push(vec![handler]))
            }
            None => self.catching(self.local(W::I32), pad),
        }
    }

    /// A handler for panics alone, with the address of the exception object in `payload`.
    fn catching(&self, payload: Local, target: Block) -> HandlersId {
        let tag = Some(self.cx.exception_tag());
        self.with(|state| {
            let payload = state.body.pool.operands(&[payload], &[]);
            state.body.pool.handlers.push(vec![Handler { tag, payload, exnref: None, target }])
        })
    }

    /// Calls `callee`, with a pad to go on at if it throws, and gives back its result.
    pub(super) fn emit_invoke(&mut self, sig: SigId, callee: Value, args: &[Value], pad: Block) -> Value {
        let handlers = self.handlers_of(pad);
        self.emit_guarded(sig, callee, args, handlers)
    }

    fn emit_guarded(&mut self, sig: SigId, callee: Value, args: &[Value], handlers: HandlersId) -> Value {
        if self.cx.is_throw(callee) {
            self.emit_throw(args, handlers.into());
            return Value::Void;
        }
        let Lowered { callee, operands, result } = self.lower_call(sig, callee, args);
        let normal = self.new_block();
        self.terminate(Terminator::Invoke { callee, operands, normal, handlers });
        self.block = normal;
        self.take_result(sig, result)
    }

    /// Throws: `library/unwind`'s arguments are LLVM's number of the tag and the address of the exception object.
    pub(super) fn emit_throw(&mut self, args: &[Value], handlers: PackedOption<HandlersId>) {
        let &[Value::Const(_, 0), object] = args else {
            self.cx.unsupported(self.span, "throwing anything but a panic");
            return;
        };
        let tag = self.cx.exception_tag();
        let object = self.use_value(object);
        let operands = self.with(|state| state.body.pool.operands(&[], &[object]));
        self.terminate(Terminator::Throw { tag, operands, handlers });
        // What follows is not reached, but wants a block.
        self.block = self.new_block();
    }

    /// The block that a panic out of a cleanup leads to.
    pub(super) fn cleanup_panic(&mut self) -> Block {
        if let Some(block) = self.with(|state| state.cleanup_panic) {
            return block;
        }
        let block = self.new_block();
        self.with(|state| state.cleanup_panic = Some(block));
        let mut bx = Builder::at(self.cx, block);
        bx.span = self.span;
        bx.loc = self.loc;
        let tcx = self.cx.tcx;
        let instance = Instance::mono(tcx, tcx.require_lang_item(LangItem::PanicInCleanup, self.span));
        if is_call_from_compiler_builtins_to_upstream_monomorphization(tcx, instance) {
            bx.abort();
        } else {
            let abi = self.cx.fn_abi_of_instance(instance, ty::List::empty());
            let sig = self.cx.fn_decl_backend_type(abi);
            bx.emit_call(sig, self.cx.get_fn_addr(instance), &[]);
        }
        bx.unreachable();
        block
    }

    /// The intrinsic `catch_unwind`: calls `run(data)`, and `caught(data, exception object)` if that panics; 1 if it did, else 0.
    pub(crate) fn catch_unwind(&mut self, run: Value, data: Value, caught: Value) -> Value {
        let run_sig = self.cx.simple_sig(&[Type::PTR], Type::Void);
        if !self.unwinds() {
            self.emit_call(run_sig, run, &[data]);
            return Value::Const(Scalar::Int(32), 0);
        }
        let global = self.cx.stack_pointer;
        let (stack, object, outcome) = (self.local(W::I32), self.local(W::I32), self.local(W::I32));
        let (catch, done) = (self.new_block(), self.new_block());
        self.push(Inst::GlobalGet { dst: stack, global });
        let handlers = self.catching(object, catch);
        self.emit_guarded(run_sig, run, &[data], handlers);
        self.push(Inst::Const { dst: outcome, bits: 0 });
        self.jump(done);

        self.block = catch;
        self.push(Inst::GlobalSet { global, src: stack });
        let caught_sig = self.cx.simple_sig(&[Type::PTR, Type::PTR], Type::Void);
        self.emit_call(caught_sig, caught, &[data, Value::Local(Type::PTR, object)]);
        self.push(Inst::Const { dst: outcome, bits: 1 });
        self.jump(done);

        self.block = done;
        self.value(Scalar::Int(32), outcome)
    }
}
