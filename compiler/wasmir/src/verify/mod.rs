//! The validator: says everything that is wrong with a module, and where.
//!
//! It checks what every consumer of a module may rely on: references in range, operand and result
//! types, the shape of the control-flow graph, assignment of locals that have no default, constant
//! expressions, and the rules of wasm's module structure. Raw bodies are checked for being readable;
//! whether they are valid wasm is the lifter's business.
//!
//! ```
//! let text = "wasmir 1\ntype type0 = func() -> (i32)\nfunc %f type0 {\nb0:\n  return\n}\n";
//! let module = wasmir::parse_module(text).unwrap();
//! let errors = wasmir::verify_module(&module).unwrap_err();
//! assert_eq!(errors[0].to_string(), "`%f`, block `b0`, `return`: 0 values for 1 result");
//! ```
//!
//! # Cost
//! Linear in the size of the module, except for assignment of non-nullable references, which is a
//! data-flow problem over the bodies that have such locals.

mod body;
mod module;
mod signature;
mod subtyping;

pub use subtyping::Subtyping;

use crate::body::Body;
use crate::entities::{Block, Func};
use crate::module::{FuncBody, Module};
use std::fmt;

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the module at large, or in the entity named.
    Module(Option<String>),
    /// In a function at large.
    Func(Func),
    /// In a block at large, or at an instruction: its position (the terminator comes last).
    Block(Func, Block, Option<usize>),
}

/// Something that is wrong with a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// Where.
    pub place: Place,
    /// How the function is spelled, if the place is in one.
    pub func: Option<String>,
    /// The instruction, if the place is one.
    pub inst: Option<String>,
    /// What.
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Module(None) => {}
            Place::Module(Some(entity)) => write!(f, "`{entity}`: ")?,
            Place::Func(_) | Place::Block(..) => {
                write!(f, "`{}`", self.func.as_deref().unwrap_or("?"))?;
                if let Place::Block(_, block, _) = self.place {
                    write!(f, ", block `{block}`")?;
                }
                if let Some(inst) = &self.inst {
                    write!(f, ", `{inst}`")?;
                }
                f.write_str(": ")?;
            }
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for VerifyError {}

/// Checks a module and all its bodies.
///
/// # Errors
/// Everything that is wrong with it, in order.
pub fn verify_module(module: &Module) -> Result<(), Vec<VerifyError>> {
    // Bodies are checked against signatures, so these must be right.
    let subtyping = verify_declarations(module)?;
    let mut errors = Vec::new();
    for (func, data) in module.funcs.iter() {
        if let FuncBody::Ir(body) = &data.body {
            body::check(module, &subtyping, func, body, &mut errors);
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Checks what a module declares, and none of its bodies.
///
/// # Errors
/// Everything that is wrong with it, in order.
pub(crate) fn verify_declarations(module: &Module) -> Result<Subtyping, Vec<VerifyError>> {
    let mut errors = Vec::new();
    match module::types(module, &mut errors) {
        Some(subtyping) => {
            module::entities(module, &subtyping, &mut errors);
            if errors.is_empty() {
                Ok(subtyping)
            } else {
                Err(errors)
            }
        }
        None => Err(errors),
    }
}

/// Checks a body for `func` of a module that is otherwise valid.
///
/// # Errors
/// Everything that is wrong with the body, in order.
pub fn verify_body(
    module: &Module,
    subtyping: &Subtyping,
    func: Func,
    body: &Body,
) -> Result<(), Vec<VerifyError>> {
    let mut errors = Vec::new();
    body::check(module, subtyping, func, body, &mut errors);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}
