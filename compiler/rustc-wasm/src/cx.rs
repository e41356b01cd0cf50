//! The context of one codegen unit: the WasmIR module under construction and what maps rustc's items to its entities.
//!
//! # Invariants
//! - One function is built at a time; it is moved into the module when the next one starts or the unit ends.
//! - A symbol name that is not local belongs to one entity.

use crate::value::{Param, Scalar, Sig, SigId, Type, Value};
use rustc_abi::{HasDataLayout, TargetDataLayout};
use rustc_codegen_ssa::errors as ssa_errors;
use rustc_codegen_ssa::traits::{BackendTypes, MiscCodegenMethods};
use rustc_data_structures::fx::{FxHashMap, FxIndexSet};
use rustc_hir::def_id::DefId;
use rustc_middle::mir::interpret::ConstAllocation;
use rustc_middle::span_bug;
use rustc_middle::ty::layout::{
    FnAbiError, FnAbiOf, FnAbiOfHelpers, FnAbiRequest, HasTyCtxt, HasTypingEnv, LayoutError, LayoutOfHelpers,
};
use rustc_middle::ty::{self, ExistentialTraitRef, Instance, Ty, TyCtxt};
use rustc_session::Session;
use rustc_span::{BytePos, Span, Spanned, sym};
use rustc_target::spec::{HasTargetSpec, HasX86AbiOpt, Target, X86Abi};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use wasmir::entity::packed_option::ReservedValue;
use wasmir::{
    Block, Body, Func, FuncBody, FuncData, FuncType, Global, Import, Linkage, Local, Memory, Module, Symbol, Table,
};

/// How a function hands its result to the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RetLowering {
    /// No result.
    None,
    /// One wasm result.
    Direct,
    /// Stored through a hidden first parameter, as LLVM does for whatever takes more than one wasm value.
    Pointer,
}

/// The function being built.
pub(crate) struct FnState {
    /// Which.
    pub(crate) func: Func,
    /// Its body so far.
    pub(crate) body: Body,
    /// Its signature.
    pub(crate) sig: SigId,
    /// The parameters as the lowering of MIR sees them, made by the entry block.
    pub(crate) params: Vec<Value>,
    /// The hidden result pointer.
    pub(crate) ret_ptr: Option<Local>,
    /// The local of each cleanup pad that holds the exception under way.
    pub(crate) pads: FxHashMap<Block, Local>,
    /// Where a panic out of a cleanup ends the program.
    pub(crate) cleanup_panic: Option<Block>,
}

/// The context of one codegen unit.
pub(crate) struct CodegenCx<'tcx> {
    pub(crate) tcx: TyCtxt<'tcx>,
    pub(crate) module: RefCell<Module>,
    pub(crate) memory: Memory,
    pub(crate) table: Table,
    pub(crate) stack_pointer: Global,
    pub(crate) exception_tag: Cell<Option<wasmir::Tag>>,
    pub(crate) thread_block: Cell<Option<Global>>,
    pub(crate) current: RefCell<Option<FnState>>,
    pub(crate) sigs: RefCell<FxIndexSet<Sig>>,
    pub(crate) pairs: RefCell<Vec<[Value; 2]>>,
    pub(crate) lane_lists: RefCell<Vec<Vec<Value>>>,
    pub(crate) func_sigs: RefCell<FxHashMap<Func, SigId>>,
    pub(crate) funcs_by_name: RefCell<FxHashMap<String, Func>>,
    pub(crate) funcs: RefCell<FxHashMap<Instance<'tcx>, Func>>,
    pub(crate) statics: RefCell<FxHashMap<DefId, wasmir::Data>>,
    pub(crate) datas_by_name: RefCell<FxHashMap<String, wasmir::Data>>,
    pub(crate) const_allocs: RefCell<FxHashMap<ConstAllocation<'tcx>, wasmir::Data>>,
    pub(crate) strings: RefCell<FxHashMap<String, wasmir::Data>>,
    pub(crate) positions: RefCell<BTreeSet<BytePos>>,
    vtables: RefCell<FxHashMap<(Ty<'tcx>, Option<ExistentialTraitRef<'tcx>>), Value>>,
    next_anon: Cell<u32>,
}

impl<'tcx> CodegenCx<'tcx> {
    /// A context for a unit named `name`.
    pub(crate) fn new(tcx: TyCtxt<'tcx>, name: &str) -> Self {
        let mut module = Module::new();
        module.name = Some(name.to_owned());
        module.relocatable = true;
        let env = |name: &str| Import { module: "env".to_owned(), name: name.to_owned() };
        // That it is shared is how the linker knows that the code is made for threads.
        let threads = tcx.sess.unstable_target_features.contains(&sym::atomics);
        let memory = module.memories.push(wasmir::MemoryData {
            index64: false,
            shared: threads,
            min: 0,
            max: threads.then_some(1 << 16),
            page_size_log2: None,
            import: Some(env("__linear_memory")),
            symbol: Symbol::default(),
        });
        let table = module.tables.push(wasmir::TableData {
            ty: wasmir::RefType::FUNCREF,
            index64: false,
            shared: false,
            min: 0,
            max: None,
            init: None,
            import: Some(env("__indirect_function_table")),
            symbol: Symbol {
                name: Some("__indirect_function_table".to_owned()),
                linkage: Linkage::Undefined,
                ..Symbol::default()
            },
        });
        let stack_pointer = module.globals.push(wasmir::GlobalData {
            ty: wasmir::Type::I32,
            mutable: true,
            shared: false,
            init: None,
            import: Some(env("__stack_pointer")),
            symbol: Symbol {
                name: Some("__stack_pointer".to_owned()),
                linkage: Linkage::Undefined,
                ..Symbol::default()
            },
        });
        CodegenCx {
            tcx,
            module: RefCell::new(module),
            memory,
            table,
            stack_pointer,
            exception_tag: Cell::default(),
            thread_block: Cell::default(),
            current: RefCell::default(),
            sigs: RefCell::default(),
            pairs: RefCell::default(),
            lane_lists: RefCell::default(),
            func_sigs: RefCell::default(),
            funcs_by_name: RefCell::default(),
            funcs: RefCell::default(),
            statics: RefCell::default(),
            datas_by_name: RefCell::default(),
            const_allocs: RefCell::default(),
            strings: RefCell::default(),
            positions: RefCell::default(),
            vtables: RefCell::default(),
            next_anon: Cell::new(0),
        }
    }

    /// The finished module.
    pub(crate) fn finish(self) -> Module {
        self.finish_function();
        let mut module = self.module.into_inner();
        crate::debuginfo::write_lines(self.tcx, &self.positions.into_inner(), &mut module.debug);
        module
    }

    /// Moves the function being built, if any, into the module.
    pub(crate) fn finish_function(&self) {
        if let Some(state) = self.current.take() {
            self.module.borrow_mut().funcs[state.func].body = FuncBody::Ir(Box::new(state.body));
        }
    }

    /// A name for a data symbol that has none of its own, unique in the unit.
    pub(crate) fn anonymous(&self, kind: &str) -> String {
        let n = self.next_anon.get();
        self.next_anon.set(n + 1);
        format!(".L{kind}.{n}")
    }

    /// Reports a construct that the code generator cannot express.
    pub(crate) fn unsupported(&self, span: Span, what: impl std::fmt::Display) {
        self.tcx
            .dcx()
            .struct_span_err(span, format!("the WasmRust code generator does not support {what}"))
            .with_help("build this crate with `--frontend stock`, which uses the stock compiler's code generator")
            .emit();
    }

    /// The id of a signature.
    pub(crate) fn sig(&self, sig: Sig) -> SigId {
        SigId(self.sigs.borrow_mut().insert_full(sig).0 as u32)
    }

    /// The id of a signature of these types, all unsigned.
    pub(crate) fn simple_sig(&self, params: &[Type], ret: Type) -> SigId {
        let params = params.iter().map(|&ty| Param::new(ty)).collect();
        self.sig(Sig { params, ret, ret_in_first: false, ret_signed: false, variadic: false })
    }

    /// A signature by its id.
    pub(crate) fn get_sig(&self, id: SigId) -> Sig {
        self.sigs.borrow()[id.0 as usize].clone()
    }

    /// How results of `ty` are returned.
    pub(crate) fn ret_lowering(&self, ty: Type) -> RetLowering {
        match ty {
            Type::Void => RetLowering::None,
            Type::Scalar(Scalar::Int(128) | Scalar::F128) | Type::Pair(..) => RetLowering::Pointer,
            Type::Scalar(_) | Type::Vector(..) | Type::Blob(_) => RetLowering::Direct,
        }
    }

    /// The wasm types of the parts of a value passed as argument.
    pub(crate) fn wasm_parts(&self, ty: Type) -> &'static [wasmir::Type] {
        use wasmir::Type as W;
        match ty {
            Type::Void => &[],
            Type::Scalar(scalar) => match scalar.wir() {
                W::I8 | W::I16 | W::I32 => &[W::I32],
                W::I64 => &[W::I64],
                W::I128 => &[W::I64, W::I64],
                W::F32 => &[W::F32],
                W::F64 => &[W::F64],
                _ => &[W::V128],
            },
            Type::Vector(..) => &[W::V128],
            Type::Pair(..) | Type::Blob(_) => &[W::I32],
        }
    }

    /// The wasm function type of a signature.
    pub(crate) fn wasm_type(&self, id: SigId) -> wasmir::TypeId {
        let sig = self.get_sig(id);
        let mut params = Vec::with_capacity(sig.params.len() + 1);
        let mut results = Vec::new();
        match self.ret_lowering(sig.ret) {
            RetLowering::None => {}
            RetLowering::Direct => results.extend_from_slice(self.wasm_parts(sig.ret)),
            RetLowering::Pointer => params.push(wasmir::Type::I32),
        }
        for param in &sig.params {
            params.extend_from_slice(self.wasm_parts(param.ty));
        }
        if sig.variadic {
            params.push(wasmir::Type::I32);
        }
        self.module.borrow_mut().types.intern_func(FuncType::new(params, results))
    }

    /// The function of this name, declared with this signature if the unit does not know it.
    pub(crate) fn declare(&self, name: &str, sig: SigId, linkage: Linkage, hidden: bool) -> Func {
        if let Some(&func) = self.funcs_by_name.borrow().get(name) {
            return func;
        }
        let ty = self.wasm_type(sig);
        let func = self.module.borrow_mut().funcs.push(FuncData {
            ty,
            import: None,
            symbol: Symbol { name: Some(name.to_owned()), linkage, hidden, ..Symbol::default() },
            body: FuncBody::None,
        });
        self.func_sigs.borrow_mut().insert(func, sig);
        self.funcs_by_name.borrow_mut().insert(name.to_owned(), func);
        func
    }

    /// A function of the run-time library, by its C signature.
    pub(crate) fn runtime(&self, name: &str, params: &[Type], ret: Type) -> (Func, SigId) {
        let sig = self.simple_sig(params, ret);
        (self.declare(name, sig, Linkage::Undefined, false), sig)
    }

    /// Starts the body of `func`.
    pub(crate) fn start_function(&self, func: Func) {
        self.finish_function();
        let sig_id = self.func_sigs.borrow()[&func];
        let sig = self.get_sig(sig_id);
        let ty = self.module.borrow().funcs[func].ty;
        let wasm_params = self.module.borrow().types.func(ty).map(|ty| ty.params.to_vec()).unwrap_or_default();
        let mut body = Body::new(&wasm_params);
        let ret_ptr = (self.ret_lowering(sig.ret) == RetLowering::Pointer).then(|| Local::from_u32(0));
        // MIR gives a call a place for its result that nothing else leads to (`noalias` and `sret`, where LLVM generates code).
        body.result_param = ret_ptr.is_some() || sig.ret_in_first;
        *self.current.borrow_mut() = Some(FnState {
            func,
            body,
            sig: sig_id,
            params: Vec::new(),
            ret_ptr,
            pads: FxHashMap::default(),
            cleanup_panic: None,
        });
    }

    /// Two values as one.
    pub(crate) fn pair(&self, a: Value, b: Value, types: (Scalar, Scalar)) -> Value {
        let mut pairs = self.pairs.borrow_mut();
        pairs.push([a, b]);
        Value::Pair(types.0, types.1, pairs.len() as u32 - 1)
    }

    /// A vector by its lanes.
    pub(crate) fn lanes(&self, elem: Scalar, lanes: Vec<Value>) -> Value {
        let mut lists = self.lane_lists.borrow_mut();
        let count = lanes.len() as u32;
        lists.push(lanes);
        Value::Lanes(elem, count, lists.len() as u32 - 1)
    }

    /// The type of a value.
    pub(crate) fn type_of(&self, value: Value) -> Type {
        match value {
            Value::Void => Type::Void,
            Value::Undef(ty) | Value::Local(ty, _) => ty,
            Value::Const(scalar, _) | Value::Addr(scalar, ..) => Type::Scalar(scalar),
            Value::Slot(..) | Value::Offset(..) => Type::PTR,
            Value::Pair(a, b, _) => Type::Pair(a, b),
            Value::Lanes(elem, count, _) => Type::Vector(elem, count),
        }
    }

    fn declare_instance(&self, instance: Instance<'tcx>) -> Func {
        let tcx = self.tcx;
        let name = tcx.symbol_name(instance).name;
        let sig = self.fn_abi_sig(self.fn_abi_of_instance(instance, ty::List::empty()));
        if let Some(&func) = self.funcs_by_name.borrow().get(name) {
            return func;
        }
        let func = self.declare(name, sig, Linkage::Undefined, false);
        let def_id = instance.def_id();
        if tcx.is_foreign_item(def_id) {
            let attrs = tcx.codegen_fn_attrs(def_id);
            if let Some(module) = tcx.wasm_import_module_map(def_id.krate).get(&def_id) {
                let field = attrs.symbol_name.unwrap_or_else(|| tcx.item_name(def_id));
                self.module.borrow_mut().funcs[func].import =
                    Some(Import { module: module.clone(), name: field.to_string() });
            }
            if attrs.import_linkage == Some(rustc_hir::attrs::Linkage::ExternalWeak) {
                self.module.borrow_mut().funcs[func].symbol.linkage = Linkage::UndefinedWeak;
            }
        }
        func
    }
}

impl<'tcx> BackendTypes for CodegenCx<'tcx> {
    type Function = Func;
    type BasicBlock = wasmir::Block;
    type Funclet = crate::builder::Funclet;
    type Value = Value;
    type Type = Type;
    type FunctionSignature = SigId;
    type DIScope = ();
    type DILocation = ();
    type DIVariable = ();
}

impl<'tcx> MiscCodegenMethods<'tcx> for CodegenCx<'tcx> {
    fn vtables(&self) -> &RefCell<FxHashMap<(Ty<'tcx>, Option<ExistentialTraitRef<'tcx>>), Value>> {
        &self.vtables
    }

    fn get_fn(&self, instance: Instance<'tcx>) -> Func {
        if let Some(&func) = self.funcs.borrow().get(&instance) {
            return func;
        }
        let func = self.declare_instance(instance);
        self.funcs.borrow_mut().insert(instance, func);
        func
    }

    fn get_fn_addr(&self, instance: Instance<'tcx>) -> Value {
        Value::Addr(Scalar::Ptr, wasmir::Item::Func(self.get_fn(instance)), 0)
    }

    fn eh_personality(&self) -> Func {
        // The engine unwinds, so there is none, and `set_personality_fn` ignores what it gets.
        Func::reserved_value()
    }

    fn sess(&self) -> &Session {
        self.tcx.sess
    }

    fn set_frame_pointer_type(&self, _func: Func) {}

    fn apply_target_cpu_attr(&self, _func: Func) {}

    fn declare_c_main(&self, sig: SigId) -> Option<Func> {
        let name = self.sess().target.entry_name.as_ref();
        if self.funcs_by_name.borrow().contains_key(name) {
            return None;
        }
        let hidden = self.sess().default_visibility() == rustc_target::spec::SymbolVisibility::Hidden;
        Some(self.declare(name, sig, Linkage::Strong, hidden))
    }
}

impl<'tcx> HasTyCtxt<'tcx> for CodegenCx<'tcx> {
    fn tcx(&self) -> TyCtxt<'tcx> {
        self.tcx
    }
}

impl HasDataLayout for CodegenCx<'_> {
    fn data_layout(&self) -> &TargetDataLayout {
        &self.tcx.data_layout
    }
}

impl HasTargetSpec for CodegenCx<'_> {
    fn target_spec(&self) -> &Target {
        &self.tcx.sess.target
    }
}

impl HasX86AbiOpt for CodegenCx<'_> {
    fn x86_abi_opt(&self) -> X86Abi {
        X86Abi { regparm: None, reg_struct_return: false }
    }
}

impl<'tcx> HasTypingEnv<'tcx> for CodegenCx<'tcx> {
    fn typing_env(&self) -> ty::TypingEnv<'tcx> {
        ty::TypingEnv::fully_monomorphized()
    }
}

impl<'tcx> LayoutOfHelpers<'tcx> for CodegenCx<'tcx> {
    fn handle_layout_err(&self, err: LayoutError<'tcx>, span: Span, ty: Ty<'tcx>) -> ! {
        match err {
            LayoutError::SizeOverflow(_) | LayoutError::InvalidSimd { .. } | LayoutError::ReferencesError(_) => {
                self.tcx.dcx().span_fatal(span, err.to_string())
            }
            _ => self.tcx.dcx().emit_fatal(ssa_errors::FailedToGetLayout { span, ty, err }),
        }
    }
}

impl<'tcx> FnAbiOfHelpers<'tcx> for CodegenCx<'tcx> {
    fn handle_fn_abi_err(&self, err: FnAbiError<'tcx>, span: Span, request: FnAbiRequest<'tcx>) -> ! {
        if let FnAbiError::Layout(LayoutError::SizeOverflow(_) | LayoutError::InvalidSimd { .. }) = err {
            self.tcx.dcx().emit_fatal(Spanned { span, node: err })
        }
        match request {
            FnAbiRequest::OfFnPtr { sig, .. } => span_bug!(span, "no ABI for `{sig}`: {err:?}"),
            FnAbiRequest::OfInstance { instance, .. } => span_bug!(span, "no ABI for `{instance}`: {err:?}"),
        }
    }
}
