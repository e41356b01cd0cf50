//! Declared effects against inferred ones.

use std::fmt;

use wasmir::{Func, FuncBody, Module};

use crate::effect::EffectSet;
use crate::infer::Inferred;
use crate::report::{Reason, function_name, reason};

/// A contract that the code does not keep, or does not need.
#[derive(Clone, Debug)]
pub enum Finding {
    /// The function has an effect that its contract does not allow: an error.
    Undeclared {
        /// The function.
        func: Func,
        /// Its name in messages.
        name: String,
        /// Its declared effects, with commas.
        declared: String,
        /// The effect and how the function comes to it.
        reason: Reason,
    },
    /// The contract allows an effect that the function does not have: a lint.
    Unneeded {
        /// The function.
        func: Func,
        /// Its name in messages.
        name: String,
        /// The effect.
        effect: String,
    },
}

impl Finding {
    /// Whether this is an error rather than a lint.
    pub fn is_error(&self) -> bool {
        matches!(self, Finding::Undeclared { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Undeclared {
                name,
                declared,
                reason,
                ..
            } => {
                let declared = if declared.is_empty() {
                    "pure".to_owned()
                } else {
                    format!("`{declared}`")
                };
                writeln!(
                    f,
                    "`{name}` is declared {declared} but has the effect `{}`",
                    reason.effect
                )?;
                writeln!(f, "note: {}", reason.chain_text())?;
                write!(
                    f,
                    "help: declare `{}`, or do without the call",
                    reason.effect
                )
            }
            Finding::Unneeded { name, effect, .. } => {
                writeln!(
                    f,
                    "`{name}` declares the effect `{effect}` but does not have it"
                )?;
                write!(f, "help: remove `{effect}` from its declaration")
            }
        }
    }
}

/// Compares every function's contract with what was inferred: in the order of the functions, errors of a function before
/// its lints. Functions without code are what their contracts say.
pub fn check(module: &Module, inferred: &Inferred) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (&func, contract) in &module.contracts {
        let Some(names) = &contract.effects else {
            continue;
        };
        if module
            .funcs
            .get(func)
            .is_none_or(|data| matches!(data.body, FuncBody::None))
        {
            continue;
        }
        let declared: EffectSet = names
            .iter()
            .filter_map(|name| inferred.effects.find(name))
            .collect();
        let actual = inferred.of(func);
        let name = function_name(module, func);
        for effect in actual.without(declared).iter() {
            if let Some(reason) = reason(module, inferred, func, effect) {
                let declared = inferred.effects.list(declared);
                findings.push(Finding::Undeclared {
                    func,
                    name: name.clone(),
                    declared,
                    reason,
                });
            }
        }
        for effect in declared.without(actual).iter() {
            let effect = inferred.effects.name(effect).to_owned();
            findings.push(Finding::Unneeded {
                func,
                name: name.clone(),
                effect,
            });
        }
    }
    findings
}
