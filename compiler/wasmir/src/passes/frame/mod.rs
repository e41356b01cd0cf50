//! Frame promotion: loads and stores of the shadow stack become locals.
//!
//! Unoptimised code keeps every variable in a frame of linear memory below `__stack_pointer`. This
//! pass finds the bytes of a frame that nothing but the function's own loads and stores can touch,
//! keeps them in locals instead, and removes stores that nobody reads. A frame of which nothing is
//! left is not made at all.
//!
//! # Input, output
//! A body as a front end or the lifter makes it; the same body with fewer memory accesses, and a
//! [`Summary`] of what the function does with the pointers it is given, which its callers need.
//!
//! # Algorithm
//! 1. An abstract interpretation (`values`) tells for each local whether it is a known distance from
//!    the stack pointer at entry, or from a parameter. It is flow-insensitive in locals and frame
//!    slots, flow-sensitive in the stack pointer, and *optimistic*: a slot is taken to hold what the
//!    function itself stores there, until something shows that others may reach it. The solution is a
//!    greatest fixed point, found by iteration; values and doubts only grow.
//! 2. Addresses passed to a function whose summary bounds what it touches cost only those bytes
//!    (the idea of LLVM's StackSafetyAnalysis); an address that goes anywhere else *escapes*.
//! 3. Slots that no doubt fell upon are rewritten (`promote`).
//! 4. What stays in memory is reached through one base (`rebase`).
//!
//! Summaries are made callees first ([`run_on_module`]); recursion is taken as escape.
//!
//! # Soundness
//! What is promoted must be what no one else reads or writes. The argument rests on what compilers to
//! wasm's C ABI (LLVM, and so rustc and clang) guarantee, and the pass runs on nothing else:
//! [`Convention::of`] asks for a mutable `i32` global named `__stack_pointer`.
//!
//! * *Frames are private.* A function's frame is `[sp - size, sp)` of its entry; nobody touches it but
//!   through an address that the function handed out. Code below `sp` belongs to callees.
//! * *Objects do not cross frames.* An address that escapes reaches at most the frame of the
//!   (perhaps inlined) function that it points into, so an escape costs one whole frame, in both
//!   directions: `end` pointers and `container_of` walk backwards. Which frame is meant is told by the
//!   values the stack pointer had; an address on a border counts for both sides. Frames that use the
//!   same bytes one after the other, as those of functions inlined in turn do, count as one.
//! * *Locals are read after they are written.* A local that might be read before is taken to hold
//!   zero as well as what is assigned to it.
//! * *Frame bytes are written before they are read*, as in any program whose source has no undefined
//!   behaviour; a slot read first gives zero here and stale bytes before.
//!
//! By induction over an execution: the first access to a promoted slot that is not one of the
//! rewritten instructions would need an address derived from an escaped one in that frame, or from
//! one stored in a promoted slot and loaded again; the first contradicts the absence of an escape, the
//! second is followed by the interpretation.
//!
//! # Cost
//! O(instructions × rounds); rounds are bounded (twelve; three are usual), and a body that needs
//! more is left as it is.

mod promote;
mod rebase;
mod slots;
mod summary;
mod values;

#[cfg(test)]
mod tests;

pub use summary::{ParamUse, Summary};

use crate::analysis::CallGraph;
use crate::body::Body;
use crate::entities::{Func, Global, Memory};
use crate::module::{FuncBody, Module};
use crate::types::Type;
use cranelift_entity::SecondaryMap;

/// Where a module keeps its shadow stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convention {
    /// The stack pointer, a mutable `i32` global.
    pub stack_pointer: Global,
    /// The memory the stack lies in.
    pub memory: Memory,
}

impl Convention {
    /// The convention of a module that was compiled to wasm's C ABI; `None` if nothing says so.
    pub fn of(module: &Module) -> Option<Convention> {
        let mut named = module.globals.iter().filter(|(_, global)| {
            global.symbol.name.as_deref() == Some("__stack_pointer")
                && global.mutable
                && !global.shared
                && global.ty == Type::I32
        });
        let (stack_pointer, _) = named.next()?;
        if named.next().is_some() {
            return None;
        }
        let memory = module.memories.keys().next()?;
        (!module.memories[memory].index64).then_some(Convention {
            stack_pointer,
            memory,
        })
    }
}

/// What the pass needs to know beyond the body.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where the stack is.
    pub convention: Convention,
    /// What is known of callees; an absent summary means that anything may happen.
    pub summaries: &'a SecondaryMap<Func, Option<Summary>>,
    /// Whether what stays in memory is reached through one base.
    pub rebase: bool,
}

/// What the pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Slots that became locals.
    pub slots: usize,
    /// Loads replaced.
    pub loads: usize,
    /// Stores replaced or removed.
    pub stores: usize,
    /// Frames that are no longer made.
    pub frames: usize,
    /// Loads and stores that reach the frame by its one base now.
    pub rebased: usize,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.slots += other.slots;
        self.loads += other.loads;
        self.stores += other.stores;
        self.frames += other.frames;
        self.rebased += other.rebased;
    }
}

/// Runs the pass on one body.
pub fn run(body: &mut Body, context: &Context<'_>) -> (Stats, Summary) {
    match values::Analysis::of(body, context) {
        Some(analysis) => {
            let summary = analysis.summary();
            let mut stats = promote::promote(body, context, &analysis);
            if context.rebase {
                stats.rebased = rebase::rebase(body, context, &analysis);
            }
            (stats, summary)
        }
        None => (Stats::default(), Summary::default()),
    }
}

/// Runs the pass on every body in WasmIR form, callees first.
pub fn run_on_module(module: &mut Module) -> Stats {
    let mut stats = Stats::default();
    let Some(convention) = Convention::of(module) else {
        return stats;
    };
    let mut summaries: SecondaryMap<Func, Option<Summary>> = SecondaryMap::new();
    for &func in CallGraph::of(module).callees_first() {
        let FuncBody::Ir(body) = &mut module.funcs[func].body else {
            continue;
        };
        let (made, summary) = run(
            body,
            &Context {
                convention,
                summaries: &summaries,
                rebase: true,
            },
        );
        stats += made;
        summaries[func] = Some(summary);
    }
    stats
}
