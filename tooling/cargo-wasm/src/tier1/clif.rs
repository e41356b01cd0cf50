//! A module's functions in Cranelift's form, as its mid-end leaves them: the form that is turned into wasm.

use codegen_cranelift::MidEnd;
use codegen_cranelift::number::Numbers;
use codegen_cranelift::{optimize, translate};
use cranelift_codegen::Context;
use cranelift_codegen::ir::{ExternalName, UserFuncName};
use cranelift_frontend::FunctionBuilderContext;
use rayon::prelude::*;
use std::fmt::Write as _;
use wasmir::{Func, FuncBody, Module};

/// The text of all functions that are in WasmIR form, in order.
///
/// # Errors
/// The first function, in order, that cannot be translated.
pub(crate) fn print(module: &Module) -> Result<String, String> {
    let numbers = Numbers::new(module);
    let list: Vec<Func> = module.funcs.keys().collect();
    let texts: Vec<Result<String, String>> = list
        .par_iter()
        .with_min_len(8)
        .map_init(
            || (Context::new(), FunctionBuilderContext::new()),
            |(context, builder), &func| function(module, &numbers, func, context, builder),
        )
        .collect();
    let mut all = String::new();
    for text in texts {
        all.push_str(&text?);
    }
    Ok(all)
}

fn function(
    module: &Module,
    numbers: &Numbers,
    func: Func,
    context: &mut Context,
    builder: &mut FunctionBuilderContext,
) -> Result<String, String> {
    let data = &module.funcs[func];
    let (FuncBody::Ir(body), Some(ty)) = (&data.body, module.func_type(func)) else {
        return Ok(String::new());
    };
    let name = wasmir_verify::function_name(module, func);
    context.clear();
    context.func.name = UserFuncName::user(0, numbers.func(func));
    translate::translate(module, numbers, ty, body, &mut context.func, builder).map_err(
        |kind| {
            let function = name.clone();
            codegen_cranelift::Error { function, kind }.to_string()
        },
    )?;
    optimize::optimize(context, &optimize::flags(), MidEnd::DEV_BUILD);
    let mut text = format!("; {name}\n");
    // Calls name functions by number; a comment says which function that is.
    for data in context.func.dfg.ext_funcs.values() {
        if let ExternalName::User(user) = data.name {
            let user = &context.func.params.user_named_funcs()[user];
            let callee = list_name(module, numbers, user.index);
            let _ = writeln!(text, "; u{}:{} is {callee}", user.namespace, user.index);
        }
    }
    let _ = writeln!(text, "{}", context.func.display());
    Ok(text)
}

fn list_name(module: &Module, numbers: &Numbers, index: u32) -> String {
    let found = module
        .funcs
        .keys()
        .find(|&func| numbers.func(func) == index);
    found.map_or_else(
        || "not a function".to_owned(),
        |func| wasmir_verify::function_name(module, func),
    )
}
