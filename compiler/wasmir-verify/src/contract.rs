//! Declared effects against inferred ones.

use std::collections::BTreeMap;
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
        /// Where the declaration stands, if that is known.
        place: Option<String>,
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
        /// Where the declaration stands, if that is known.
        place: Option<String>,
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
        let arrow = |f: &mut fmt::Formatter<'_>, place: &Option<String>| match place {
            Some(place) => writeln!(f, "  --> {place}"),
            None => Ok(()),
        };
        match self {
            Finding::Undeclared {
                name,
                place,
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
                arrow(f, place)?;
                writeln!(f, "note: {}", reason.chain_text())?;
                write!(
                    f,
                    "help: declare `{}`, or do without the call",
                    reason.effect
                )
            }
            Finding::Unneeded {
                name,
                place,
                effect,
                ..
            } => {
                writeln!(
                    f,
                    "`{name}` declares the effect `{effect}` but does not have it"
                )?;
                arrow(f, place)?;
                write!(f, "help: remove `{effect}` from its declaration")
            }
        }
    }
}

/// Compares every function's contract with what was inferred: in the order of the functions, errors of a function before
/// its lints. Functions without code are what their contracts say.
///
/// `places` tells where declarations stand. Functions that share a place are instances of one generic function: an error
/// is told once, for the first instance that has it, and an effect is needed if one of them has it.
pub fn check(
    module: &Module,
    inferred: &Inferred,
    places: &BTreeMap<Func, String>,
) -> Vec<Finding> {
    // Declarations by place; those without one stand for themselves.
    let mut groups: BTreeMap<Func, Vec<Func>> = BTreeMap::new();
    let mut leaders: BTreeMap<&str, Func> = BTreeMap::new();
    for (&func, contract) in &module.contracts {
        let defined = module
            .funcs
            .get(func)
            .is_some_and(|data| !matches!(data.body, FuncBody::None));
        if contract.effects.is_none() || !defined {
            continue;
        }
        let leader = match places.get(&func) {
            Some(place) => *leaders.entry(place).or_insert(func),
            None => func,
        };
        groups.entry(leader).or_default().push(func);
    }
    let mut findings = Vec::new();
    for (leader, instances) in groups {
        let names = module.contracts[&leader].effects.iter().flatten();
        let declared: EffectSet = names
            .filter_map(|name| inferred.effects.find(name))
            .collect();
        let place = places.get(&leader).cloned();
        let all = instances
            .iter()
            .fold(EffectSet::PURE, |all, &func| all.union(inferred.of(func)));
        for effect in all.without(declared).iter() {
            let guilty = instances
                .iter()
                .find(|&&func| inferred.of(func).contains(effect));
            if let Some(&func) = guilty
                && let Some(reason) = reason(module, inferred, func, effect)
            {
                findings.push(Finding::Undeclared {
                    func,
                    name: function_name(module, func),
                    place: place.clone(),
                    declared: inferred.effects.list(declared),
                    reason,
                });
            }
        }
        for effect in declared.without(all).iter() {
            findings.push(Finding::Unneeded {
                func: leader,
                name: function_name(module, leader),
                place: place.clone(),
                effect: inferred.effects.name(effect).to_owned(),
            });
        }
    }
    findings
}
