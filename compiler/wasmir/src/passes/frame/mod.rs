//! Frame promotion: loads and stores of the shadow stack and of stack slots become locals (mem2reg and SROA).
//!
//! Unoptimised code keeps every variable in memory: in a frame below `__stack_pointer` if LLVM made it, in a stack
//! slot of the body (`stack_addr`) if one of our front ends did. This pass finds the bytes that nothing but the
//! function's own loads and stores can touch, keeps them in locals instead, and removes stores that nobody reads. A
//! frame of which nothing is left is not made at all.
//!
//! # Input, output
//! A body as a front end or the lifter makes it; the same body with fewer memory accesses, and a
//! [`Summary`] of what the function does with the pointers it is given, which its callers need.
//!
//! # Algorithm
//! 1. An abstract interpretation (`values`) tells for each local whether it is a known distance from
//!    the stack pointer at entry, from a stack slot, or from a parameter. It is flow-insensitive in locals and frame
//!    slots, flow-sensitive in the stack pointer, and *optimistic*: a slot is taken to hold what the
//!    function itself stores there, until something shows that others may reach it. The solution is a
//!    greatest fixed point, found by iteration; values, cuts and doubts only grow.
//! 2. Addresses passed to a function whose summary bounds what it touches cost only those bytes
//!    (the idea of LLVM's StackSafetyAnalysis); an address that goes anywhere else *escapes*.
//! 3. Where accesses overlap in part, slots are cut until every access is a union of them (`slots`, as LLVM's SROA slices an
//!    `alloca`), and copies carry the cuts and the pointers of one end to the other (`moves`).
//! 4. Slots that no doubt fell upon are rewritten (`promote`).
//! 5. What stays in memory is reached through one base (`rebase`).
//!
//! Summaries are made callees first ([`super::pipeline`]); recursion is taken as escape.
//!
//! # Soundness
//! What is promoted must be what no one else reads or writes. For stack slots WasmIR says so. For the shadow stack the
//! argument rests on what compilers to wasm's C ABI (LLVM, and so rustc and clang) guarantee, and nothing else is
//! touched: [`Convention::of`] asks for a mutable `i32` global named `__stack_pointer`.
//!
//! * *Frames are private.* A function's frame is `[sp - size, sp)` of its entry; nobody touches it but
//!   through an address that the function handed out. Code below `sp` belongs to callees.
//! * *Objects do not cross frames.* An address that escapes reaches at most the frame of the
//!   (perhaps inlined) function that it points into, so an escape costs one whole frame, in both
//!   directions: `end` pointers and `container_of` walk backwards. Which frame is meant is told by the
//!   values the stack pointer had; an address on a border counts for both sides. Frames that use the
//!   same bytes one after the other, as those of functions inlined in turn do, count as one.
//! * *Stack slots are objects.* An address of a slot that escapes costs that slot alone.
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
//! O(instructions × rounds); rounds are bounded (24; three are usual), and a body that needs
//! more is left as it is.

mod moves;
mod promote;
mod rebase;
mod regions;
mod slot_map;
mod slots;
mod summary;
mod values;

#[cfg(test)]
mod tests;

pub use summary::{Callees, ParamUse, Summary};

use crate::body::Body;
use crate::entities::{Global, Memory, StackSlot};
use crate::module::Module;
use crate::op::Opcode;
use crate::types::Type;

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
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The memory that stack slots lie in, and the shadow stack if there is one.
    pub memory: Memory,
    /// The stack pointer; without one only stack slots are promoted.
    pub stack_pointer: Option<Global>,
    /// What is known of callees.
    pub callees: &'a dyn Callees,
    /// Whether what stays in memory is reached through one base.
    pub rebase: bool,
}

impl<'a> Context<'a> {
    /// The context of a module's functions; `None` if no memory can hold a frame.
    pub fn of(module: &Module, callees: &'a dyn Callees) -> Option<Context<'a>> {
        let memory = module.memories.keys().next()?;
        (!module.memories[memory].index64).then(|| Context {
            memory,
            stack_pointer: Convention::of(module).map(|convention| convention.stack_pointer),
            callees,
            rebase: true,
        })
    }

    fn is_stack_pointer(&self, global: Global) -> bool {
        self.stack_pointer == Some(global)
    }
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
    /// Bulk copies and fills that became copies of locals, loads or stores.
    pub copies: usize,
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
        self.copies += other.copies;
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

/// A part of a stack slot that promotion keeps in a local.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its distance from the start of the slot.
    pub(super) offset: u32,
    /// The type of a local that holds it.
    pub(super) ty: Type,
    /// What loads it into such a local.
    pub(super) load: Opcode,
    /// What stores it from such a local.
    pub(super) store: Opcode,
    /// The binary logarithm of its width.
    pub(super) width_log2: u8,
}

/// The parts of a stack slot, if promotion keeps all of them in locals; none if there are none.
pub(super) fn fields(body: &Body, context: &Context<'_>, slot: StackSlot) -> Option<Vec<Field>> {
    let region = regions::Region::of(regions::Base::Slot(slot))?;
    let analysis = values::Analysis::of(body, context)?;
    let slots = analysis.frames.region(region);
    if !slots.nothing_remains() {
        return None;
    }
    let field = |(offset, slot): (i32, &slots::Slot)| {
        // A narrow one travels in the low bits of a word, as parameters and results do.
        let ty = match slot.ty() {
            Type::I8 | Type::I16 => Type::I32,
            ty => ty,
        };
        let (load, store) = moves::access_ops(ty, slot.width)?;
        Some(Field {
            offset: u32::try_from(offset).ok()?,
            ty: Some(ty).filter(|&ty| ty != Type::I128)?,
            load,
            store,
            width_log2: slot.width.trailing_zeros() as u8,
        })
    };
    slots.promoted().into_iter().map(field).collect()
}
