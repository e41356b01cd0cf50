//! The allocator shim: the functions that `alloc` calls, forwarding to the crate's global allocator.

use crate::builder::Builder;
use crate::cx::CodegenCx;
use crate::value::{Scalar, Type, Value};
use rustc_ast::expand::allocator::{
    AllocatorMethod, AllocatorTy, NO_ALLOC_SHIM_IS_UNSTABLE, default_fn_name, global_fn_name,
};
use rustc_codegen_ssa::traits::{AbiBuilderMethods, BuilderMethods};
use rustc_middle::bug;
use rustc_middle::ty::TyCtxt;
use rustc_symbol_mangling::mangle_internal_symbol;
use wasmir::{Item, Linkage};

/// The unit that holds the shim.
pub(crate) fn module(tcx: TyCtxt<'_>, name: &str, methods: &[AllocatorMethod]) -> wasmir::Module {
    let cx = CodegenCx::new(tcx, name);
    for method in methods {
        let mut params = Vec::new();
        for input in method.inputs {
            match input.ty {
                AllocatorTy::Layout => params.extend([Type::I32, Type::I32]),
                AllocatorTy::Ptr => params.push(Type::PTR),
                AllocatorTy::Usize => params.push(Type::I32),
                AllocatorTy::Never | AllocatorTy::ResultPtr | AllocatorTy::Unit => {
                    bug!("an argument of an allocator cannot be of this type")
                }
            }
        }
        let ret = match method.output {
            AllocatorTy::ResultPtr => Type::PTR,
            AllocatorTy::Never | AllocatorTy::Unit => Type::Void,
            AllocatorTy::Layout | AllocatorTy::Usize | AllocatorTy::Ptr => {
                bug!("a result of an allocator cannot be of this type")
            }
        };
        let from = mangle_internal_symbol(tcx, &global_fn_name(method.name));
        let to = mangle_internal_symbol(tcx, &default_fn_name(method.name));
        forward(&cx, &from, Some(&to), &params, ret);
    }
    forward(&cx, &mangle_internal_symbol(tcx, NO_ALLOC_SHIM_IS_UNSTABLE), None, &[], Type::Void);
    cx.finish()
}

/// Defines `from` as a call of `to`, or as nothing.
fn forward(cx: &CodegenCx<'_>, from: &str, to: Option<&str>, params: &[Type], ret: Type) {
    let sig = cx.simple_sig(params, ret);
    let func = cx.declare(from, sig, Linkage::Strong, false);
    let entry = Builder::append_block(cx, func, "entry");
    let mut bx = Builder::build(cx, entry);
    let result = match to {
        Some(to) => {
            let callee = cx.declare(to, sig, Linkage::Undefined, true);
            let args: Vec<Value> = (0..params.len()).map(|index| bx.get_param(index)).collect();
            bx.call(sig, None, None, Value::Addr(Scalar::Ptr, Item::Func(callee), 0), &args, None, None)
        }
        None => Value::Void,
    };
    bx.ret(result);
    cx.finish_function();
}
