//! Effect inference over a whole program.
//!
//! # Algorithm
//! The effects of a function are those of the sources it can reach in the call graph (`graph.rs`): imports, atomic
//! operators, `memory.grow`. For each effect that has a source, one breadth-first search from all its sources at once,
//! against the direction of calls, visits exactly the functions that have the effect, and the edge by which a function
//! was first visited is the first step of a shortest chain to a source. So sets and witnesses come from the same search,
//! and no fixpoint over strongly connected components is needed: reachability treats cycles like any other path.
//!
//! # Invariants
//! A function's set contains those of everything it may call. The result does not depend on the number of threads: nodes
//! are visited in ascending order among those of equal distance.
//!
//! # Cost
//! O(effects present × (functions + calls)), and one walk over all code.

use std::collections::BTreeSet;

use wasmir::reach::BadBody;
use wasmir::{Func, Module, Opcode};

use crate::effect::{Effect, EffectSet, Effects, TooManyEffects};
use crate::graph::{Graph, Node};
use crate::imports::ImportRules;
use crate::panic;

/// What inference needs to know besides the module.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The vocabulary; effects that the module's contracts name are added to it.
    pub effects: Effects,
    /// The effects of imports.
    pub rules: ImportRules,
    /// Whether what only happens on the way of a panic counts: a message on standard error, say.
    ///
    /// A panic ends the program, or the call into it, and nearly every Rust function can panic. So the effects of the
    /// panic machinery itself say nothing about a function; it is left out unless this is set. It is recognised by the
    /// functions' names, and counts in a module without names.
    pub panics: bool,
}

/// Why inference failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InferError {
    /// A body could not be read.
    Body(BadBody),
    /// The vocabulary is full.
    Effects(TooManyEffects),
}

impl std::fmt::Display for InferError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InferError::Body(error) => error.fmt(f),
            InferError::Effects(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InferError {}

impl From<BadBody> for InferError {
    fn from(error: BadBody) -> InferError {
        InferError::Body(error)
    }
}

impl From<TooManyEffects> for InferError {
    fn from(error: TooManyEffects) -> InferError {
        InferError::Effects(error)
    }
}

/// A step of a witness: a function, and how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The function.
    pub func: Func,
    /// The step before calls it through a table or reference.
    pub indirect: bool,
}

/// How a function comes to an effect: a shortest chain of calls, from the function itself to the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The chain; never empty.
    pub steps: Vec<Step>,
    /// What the last function does to have the effect.
    pub source: Source,
}

/// What has an effect by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The function is imported, and a rule or contract gives it the effect.
    Import,
    /// The function executes this operator.
    Operator(Opcode),
    /// The function calls through a table or reference that may hold functions of the host.
    UnknownCallee,
    /// The function's contract says so, although its code is not here.
    Contract,
}

const UNSEEN: Node = Node::MAX;

/// The effects of every function of a module.
#[derive(Clone, Debug)]
pub struct Inferred {
    /// The vocabulary.
    pub effects: Effects,
    sets: Vec<EffectSet>,
    funcs: u32,
    /// For each effect: the next node on a shortest way to a source, itself at a source.
    next: Vec<Option<Vec<Node>>>,
    /// Nodes whose own set has the effect by an operator.
    shown_by: std::collections::BTreeMap<(Node, Effect), Opcode>,
    imported: Vec<bool>,
    steps: u64,
    /// Functions that call through a table or reference which may hold functions of the host.
    outside: BTreeSet<Func>,
}

/// Infers the effects of every function of `module`.
///
/// An imported or undefined function has the effects that its contract declares, if it has one, and else those of the
/// import rules.
///
/// # Errors
/// If a body cannot be read (which a module that was lifted or validated rules out), or the contracts name more effects
/// than a vocabulary can hold.
pub fn infer(module: &Module, options: &Options) -> Result<Inferred, InferError> {
    let mut effects = options.effects.clone();
    for contract in module.contracts.values() {
        for name in contract.effects.iter().flatten() {
            effects.declare(name)?;
        }
    }
    let declared = |func: Func| {
        let data = module.funcs.get(func)?;
        if !matches!(data.body, wasmir::FuncBody::None) {
            return None;
        }
        let names = module.contracts.get(&func)?.effects.as_ref()?;
        Some(names.iter().filter_map(|name| effects.find(name)).collect())
    };
    let ends = panic::entries(module);
    let ends = |func: Func| !options.panics && ends.contains(&func);
    let graph = Graph::of(module, &declared, &options.rules, &ends)?;

    let nodes = graph.own.len();
    let present = graph
        .own
        .iter()
        .fold(EffectSet::PURE, |all, &own| all.union(own));
    let mut sets = vec![EffectSet::PURE; nodes];
    let mut next: Vec<Option<Vec<Node>>> = vec![None; 128];
    let mut queue: Vec<Node> = Vec::with_capacity(nodes);
    let mut steps = graph.edges;
    for effect in present.iter() {
        let mut towards = vec![UNSEEN; nodes];
        queue.clear();
        for (node, own) in graph.own.iter().enumerate() {
            if own.contains(effect) {
                towards[node] = node as Node;
                queue.push(node as Node);
            }
        }
        let mut at = 0;
        while let Some(&node) = queue.get(at) {
            at += 1;
            sets[node as usize].insert(effect);
            steps += 1 + graph.callers[node as usize].len() as u64;
            for &caller in &graph.callers[node as usize] {
                if towards[caller as usize] == UNSEEN {
                    towards[caller as usize] = node;
                    queue.push(caller);
                }
            }
        }
        next[usize::from(effect.0)] = Some(towards);
    }
    Ok(Inferred {
        effects,
        sets,
        funcs: graph.funcs,
        next,
        shown_by: graph.shown_by,
        steps,
        imported: module
            .funcs
            .values()
            .map(|data| data.import.is_some())
            .collect(),
        outside: (graph.funcs as usize..nodes)
            .filter(|&node| graph.own[node].contains(Effect::HOST))
            .flat_map(|node| &graph.callers[node])
            .map(|&caller| Func::from_u32(caller))
            .collect(),
    })
}

impl Inferred {
    /// Whether `func` itself calls what may be a function of the host that no import names: the effect `host`, then, has no
    /// import or operator that could be taken out.
    pub(crate) fn comes_from_outside(&self, func: Func, effect: Effect) -> bool {
        effect == Effect::HOST && self.outside.contains(&func)
    }

    /// How many functions and calls were visited: the work that the inference did beyond reading the code, whatever the machine.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The effects of a function.
    pub fn of(&self, func: Func) -> EffectSet {
        if func.as_u32() >= self.funcs {
            return EffectSet::PURE;
        }
        self.sets[func.as_u32() as usize]
    }

    /// The effects of all functions together.
    pub fn all(&self) -> EffectSet {
        self.sets[..self.funcs as usize]
            .iter()
            .fold(EffectSet::PURE, |all, &set| all.union(set))
    }

    /// How `func` comes to `effect`, if it has it.
    pub fn witness(&self, func: Func, effect: Effect) -> Option<Witness> {
        if !self.of(func).contains(effect) {
            return None;
        }
        let next = self.next.get(usize::from(effect.0))?.as_ref()?;
        let mut node = func.as_u32();
        let mut steps = vec![Step {
            func,
            indirect: false,
        }];
        let mut indirect = false;
        // Distances decrease along `next`, so the walk ends.
        while next[node as usize] != node {
            node = next[node as usize];
            if node < self.funcs {
                steps.push(Step {
                    func: Func::from_u32(node),
                    indirect,
                });
                indirect = false;
            } else {
                indirect = true;
            }
        }
        let source = if node >= self.funcs {
            Source::UnknownCallee
        } else if let Some(&op) = self.shown_by.get(&(node, effect)) {
            Source::Operator(op)
        } else if self.imported[node as usize] {
            Source::Import
        } else {
            Source::Contract
        };
        Some(Witness { steps, source })
    }
}
