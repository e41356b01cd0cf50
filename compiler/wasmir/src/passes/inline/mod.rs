//! Inlining of small functions and of functions with one caller.
//!
//! # Input, output
//! One caller's body and finished bodies of its callees; the caller with some of its calls replaced
//! by copies. The driver ([`super::pipeline`]) goes callees first, so that what is copied has been inlined into
//! and shrunk before, and nothing that was copied is looked at again: each call site is decided once. A [wrapper](super::split) is
//! taken apart before: the call of its worker, with the operands of the call that it stood for, is one more call site.
//!
//! # Cost model
//! The weight of a body is the number of its instructions that cost bytes when emitted: copies and
//! constants are free (they mostly vanish in stackification), everything else is one. A call costs itself and
//! its arguments. A callee is copied when its weight does not exceed what the call costs plus
//! [`Limits::slack`], and in small loops [`Limits::in_loops`]. If arguments are constants, or addresses in the caller's frame of
//! which the callee keeps nothing, what counts is what will be left of it ([`cost`]), and that may be heavier by
//! [`Limits::known`], since the caller shrinks too. A callee is also copied when this is the only mention of it in the program (it
//! is then gone) and it is not larger than [`Limits::single`]. The caller stops growing at [`Limits::caller`]. On the way to a
//! trap, where panics are prepared, only what is no larger than the call is copied.
//!
//! A caller that an optimiser wrote has seen inlining already: what is still a call there was found not to pay. Such callers get
//! only what is no larger than the call. They are told by their frames: unoptimised code keeps every variable there and does
//! little but load and store them ([`Limits::spills`]). Front ends of ours call for none of this ([`Limits::FRONT_END`]).
//!
//! # Semantics
//! * Locals of the callee that may be read before they are written are set to zero at the place of the
//!   call: it may stand in a loop.
//! * A callee with a tail call is not copied: the copy would keep the caller's frame.
//! * A call with handlers is left alone. Stack slots of the callee are added to the caller's.
//! * Source locations stay those of the callee; what has none there gets that of the call, so that a trap in
//!   code without line tables names the line that called it.
//!
//! # Cost
//! O(size of the result).

mod cost;

pub use cost::weight;

use super::frame::{ParamUse, Summary};
use crate::analysis::{Assignments, cold_blocks};
use crate::body::{BlockData, Body};
use crate::entities::{Block, Func, Global, Local, StackSlot};
use crate::inst::*;
use crate::op::Opcode;
use crate::types::Type;
use cost::{Passed, weight_given};
use cranelift_entity::{EntityRef, EntitySet, SecondaryMap};
use smallvec::SmallVec;
use std::mem;

/// A loop of more blocks than this is not a small one. Most of what is called in those is not what takes the time, and in an
/// application there are many.
const SMALL_LOOP: usize = 20;

/// How eager inlining is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// By how much a copied body may be heavier than the call.
    pub slack: usize,
    /// By how much more if the call is in a small loop.
    pub in_loops: usize,
    /// By how much more what is left of it may be when arguments are constants or addresses in the caller's frame.
    pub known: usize,
    /// How much heavier than that a body may be for each such argument, to be looked at.
    pub shrink: usize,
    /// The weight up to which a function with a single mention is copied.
    pub single: usize,
    /// The weight at which a caller stops growing.
    pub caller: usize,
    /// A caller of which one in so many instructions loads from its frame or stores to it was not optimised yet; `None` if none was.
    pub spills: Option<usize>,
}

impl Default for Limits {
    /// For lifted modules, whose size counts: more of `known` and `shrink` makes an application larger, by a twentieth with those of
    /// [`Limits::FRONT_END`].
    fn default() -> Limits {
        Limits {
            slack: 2,
            in_loops: 16,
            known: 1,
            shrink: 2,
            single: 800,
            caller: 4000,
            spills: Some(8),
        }
    }
}

impl Limits {
    /// For a program of which no function has seen an optimiser. Much of what is copied has been written to be: `core` and `alloc`
    /// are made of functions of a few instructions.
    pub const FRONT_END: Limits = Limits {
        slack: 12,
        in_loops: 16,
        known: 10,
        shrink: 12,
        single: 800,
        caller: 4000,
        spills: None,
    };

    /// For calls on the way to a trap, which are made once at most.
    fn cold(self) -> Limits {
        Limits {
            slack: 0,
            in_loops: 0,
            known: 0,
            ..self
        }
    }

    /// For calls in small loops.
    fn hot(self) -> Limits {
        Limits {
            slack: self.slack + self.in_loops,
            ..self
        }
    }

    /// The weight up to which a function with this many parameters is copied whatever is known of its arguments.
    pub fn usual(&self, params: usize) -> usize {
        1 + self.slack + params
    }

    /// The weight above which no function with several mentions and this many parameters is copied.
    pub fn most(&self, params: usize) -> usize {
        self.hot().usual(params) + self.known + self.shrink * params
    }
}

/// What the driver knows of a possible callee.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// Its body.
    pub body: &'a Body,
    /// Its weight.
    pub weight: usize,
    /// How it assigns its locals.
    pub assignments: &'a Assignments,
    /// What it does with its parameters, if that is known.
    pub summary: Option<&'a Summary>,
    /// The call is the only mention of the function in the program.
    pub single: bool,
    /// It is what was left of a function for its callers to copy ([`super::split`]): a call of its worker, and stores.
    pub wrapper: bool,
}

/// What the pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls replaced.
    pub calls: usize,
}

/// Whether a body can be copied at all.
pub fn can_inline(body: &Body) -> bool {
    !body.layout.is_empty()
        && body
            .layout
            .iter()
            .all(|&b| !matches!(body.blocks[b].term, Terminator::ReturnCall { .. }))
}

/// Runs the pass on `caller`; `candidate` says what is known of a callee, if it can be copied. Where the stack pointer is
/// known, so are addresses in frames below it.
pub fn run<'a>(
    caller: &mut Body,
    limits: &Limits,
    stack_pointer: Option<Global>,
    mut candidate: impl FnMut(Func) -> Option<Candidate<'a>>,
) -> Stats {
    let mut stats = Stats::default();
    let mut size = weight(caller);
    let calls = |block: &Block| caller.blocks[*block].insts.iter().any(is_direct_call);
    let known = match caller.layout.iter().any(calls) {
        true => Known::of(caller, stack_pointer),
        false => return stats,
    };
    let mut limits = *limits;
    let optimised = |spills| frame_accesses(caller, &known.frame).saturating_mul(spills) < size;
    if limits.spills.is_some_and(optimised) {
        limits = limits.cold();
    }
    let cold = cold_blocks(caller);
    let hot = match limits.in_loops {
        0 => EntitySet::new(),
        _ => looping_blocks(caller),
    };
    let layout = mem::take(&mut caller.layout);
    let mut new_layout = Vec::with_capacity(layout.len());
    for block in layout {
        new_layout.push(block);
        if !caller.blocks[block].insts.iter().any(is_direct_call) {
            continue;
        }
        let limits = match cold.contains(block) {
            true => limits.cold(),
            false if hot.contains(block) => limits.hot(),
            false => limits,
        };
        let old = mem::take(&mut caller.blocks[block]);
        caller.blocks[block].reserve(old.insts.len());
        let mut site = Site {
            caller,
            current: block,
            layout: &mut new_layout,
        };
        let mut rest = old.insts.into_iter().zip(old.locs);
        let mut unfolded = Vec::new();
        while let Some((inst, loc)) = unfolded.pop().or_else(|| rest.next()) {
            if let Inst::Call {
                callee: Callee::Direct(func),
                operands,
            } = inst
                && let Some(found) = candidate(func)
                && let Some(grown) = grown(size, &found, &limits, || {
                    let args = site.caller.pool.args(operands).iter();
                    args.enumerate()
                        .map(|(i, &arg)| known.passed(&found, i, arg))
                })
            {
                size = grown;
                stats.calls += 1;
                match found.wrapper {
                    true => site.unfold(found.body, operands, loc, &mut unfolded),
                    false => site.splice(&found, operands, loc),
                }
            } else {
                site.caller.blocks[site.current].push(inst, loc);
            }
        }
        let last = &mut site.caller.blocks[site.current];
        (last.term, last.term_loc) = (old.term, old.term_loc);
    }
    caller.layout = new_layout;
    stats
}

/// The blocks in small loops, as far as edges against the order of the layout show it: those from the target of one to its source.
fn looping_blocks(body: &Body) -> EntitySet<Block> {
    let mut place: SecondaryMap<Block, u32> = SecondaryMap::new();
    place.resize(body.blocks.len());
    for (i, &block) in body.layout.iter().enumerate() {
        place[block] = i as u32;
    }
    // For each place, what follows the furthest source of an edge back to it: the last one.
    let mut found = EntitySet::with_capacity(body.blocks.len());
    let mut last = vec![0u32; body.layout.len()];
    for (i, &block) in body.layout.iter().enumerate() {
        body.for_each_successor(block, |to| {
            let to = place[to] as usize;
            if to <= i && i - to < SMALL_LOOP {
                last[to] = i as u32 + 1;
            }
        });
    }
    let mut end = 0;
    for (i, &block) in body.layout.iter().enumerate() {
        end = end.max(last[i]);
        if (i as u32) < end {
            found.insert(block);
        }
    }
    found
}

fn is_direct_call(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::Call {
            callee: Callee::Direct(_),
            ..
        }
    )
}

/// The caller's weight if `callee` is copied for a call with these arguments; `None` if it should not be.
fn grown<I: ExactSizeIterator<Item = Passed>>(
    size: usize,
    callee: &Candidate<'_>,
    limits: &Limits,
    args: impl Fn() -> I,
) -> Option<usize> {
    if callee.wrapper {
        return Some(size + callee.weight);
    }
    let usual = limits.usual(args().len());
    let bound = match callee.single {
        true => limits.single,
        false => usual,
    };
    let added = if callee.weight <= bound {
        callee.weight
    } else if callee.single || limits.known == 0 {
        return None;
    } else {
        // What is not a constant nor in the frame tells nothing, and a body that is far too large will not shrink enough.
        let told = args().filter(|&arg| arg != Passed::Any).count();
        let bound = usual + limits.known * usize::from(told > 0);
        if told == 0 || callee.weight > bound + limits.shrink * told {
            return None;
        }
        let left = weight_given(callee.body, callee.assignments, args(), bound);
        Some(left).filter(|&left| left <= bound)?
    };
    Some(size + added).filter(|&size| size <= limits.caller)
}

/// What is known of a caller's locals.
struct Known {
    /// Addresses in its frame.
    frame: EntitySet<Local>,
    /// Locals that are set once, to a constant.
    constants: SecondaryMap<Local, Option<u64>>,
}

impl Known {
    fn of(body: &Body, stack_pointer: Option<Global>) -> Known {
        let mut constants: SecondaryMap<Local, Option<u64>> = SecondaryMap::new();
        let mut assigned = EntitySet::with_capacity(body.locals.len());
        constants.resize(body.locals.len());
        for &block in &body.layout {
            for inst in &body.blocks[block].insts {
                if let Inst::Const { dst, bits } = *inst
                    && assigned.insert(dst)
                {
                    constants[dst] = Some(bits);
                } else {
                    inst.for_each_def(&body.pool, |local| {
                        assigned.insert(local);
                        constants[local] = None;
                    });
                }
            }
            body.blocks[block].term.for_each_def(&body.pool, |local| {
                assigned.insert(local);
                constants[local] = None;
            });
        }
        body.params().for_each(|param| constants[param] = None);
        Known {
            frame: frame_addresses(body, stack_pointer),
            constants,
        }
    }

    /// What argument `index` is known to be.
    fn passed(&self, callee: &Candidate<'_>, index: usize, arg: Local) -> Passed {
        if let Some(bits) = self.constants[arg] {
            return Passed::Const(bits);
        }
        let kept = || {
            let used = callee.summary.map(|summary| summary.param(index));
            used.is_none_or(|used| used == ParamUse::Escapes)
        };
        match self.frame.contains(arg) && !kept() {
            true => Passed::Frame,
            false => Passed::Any,
        }
    }
}

/// The locals that hold addresses in the frame, as far as assignments in order of the layout show it.
fn frame_addresses(body: &Body, stack_pointer: Option<Global>) -> EntitySet<Local> {
    let mut found = EntitySet::with_capacity(body.locals.len());
    for &block in &body.layout {
        for inst in &body.blocks[block].insts {
            let (dst, address) = match *inst {
                Inst::StackAddr { dst, .. } => (dst, true),
                Inst::GlobalGet { dst, global } => (dst, Some(global) == stack_pointer),
                Inst::Copy { dst, src } => (dst, found.contains(src)),
                Inst::Binary {
                    op: Opcode::I32Add | Opcode::I32Sub,
                    dst,
                    args: [a, b],
                } => (dst, found.contains(a) || found.contains(b)),
                _ => continue,
            };
            if address {
                found.insert(dst);
            }
        }
    }
    found
}

/// How many instructions load from the frame or store to it.
fn frame_accesses(body: &Body, frame: &EntitySet<Local>) -> usize {
    let access = |inst: &&Inst| match **inst {
        Inst::Load { addr, .. } | Inst::Store { addr, .. } => frame.contains(addr),
        _ => false,
    };
    let blocks = body.layout.iter();
    blocks
        .map(|&block| body.blocks[block].insts.iter().filter(access).count())
        .sum()
}

/// The numbers of a callee's locals in the caller.
#[derive(Clone, Copy)]
struct Renumbering(u32);

impl Renumbering {
    fn of(self, local: Local) -> Local {
        Local::from_u32(self.0 + local.as_u32())
    }
}

/// A place in the caller at which a body is copied in.
struct Site<'a> {
    caller: &'a mut Body,
    /// The block that instructions are being added to.
    current: Block,
    layout: &'a mut Vec<Block>,
}

impl Site<'_> {
    /// Copies `callee` in place of a call with these operands and goes on behind it.
    fn splice(&mut self, found: &Candidate<'_>, call: Operands, loc: SrcLoc) {
        let callee = found.body;
        // The callee's locals follow the caller's in their order.
        let locals = Renumbering(self.caller.locals.len() as u32);
        for &ty in callee.locals.values() {
            self.caller.locals.push(ty);
        }
        let first_slot = self.caller.slots.len();
        for slot in callee.slots.values() {
            self.caller.slots.push(*slot);
        }
        for (i, param) in callee.params().enumerate().take(call.num_args()) {
            let src = self.caller.pool.args(call)[i];
            let dst = locals.of(param);
            self.push(Inst::Copy { dst, src }, loc);
        }
        for local in found.assignments.unassigned.iter() {
            self.zero(locals.of(local), loc);
        }
        let entry = callee.layout[0];
        // A single block that returns needs no control flow.
        let straight = callee.layout.len() == 1;
        let mut blocks = SecondaryMap::with_default(self.current);
        blocks.resize(callee.blocks.len());
        for &block in &callee.layout[1..] {
            blocks[block] = self.caller.blocks.push(BlockData::default());
        }
        blocks[entry] = self.current;
        let behind = if straight {
            None
        } else {
            Some(self.caller.blocks.push(BlockData::default()))
        };
        let or_call = |own: SrcLoc| if own.is_some() { own } else { loc };
        for &block in &callee.layout {
            let data = &callee.blocks[block];
            let term_loc = or_call(data.term_loc);
            self.current = blocks[block];
            if block != entry {
                self.layout.push(self.current);
            }
            self.caller.blocks[self.current].reserve(data.insts.len() + 1);
            for (inst, &loc) in data.insts.iter().zip(&data.locs) {
                let inst = self.translate(callee, *inst, locals, first_slot);
                self.push(inst, or_call(loc));
            }
            match (data.term, behind) {
                (Terminator::Return(values), _) => {
                    self.assign(call, callee.pool.args(values), locals, term_loc);
                    if let Some(behind) = behind {
                        self.terminate(Terminator::Jump(behind), term_loc);
                    }
                }
                (Terminator::Unreachable, None) => {
                    // What follows the call cannot be reached, but stays a block of its own.
                    self.terminate(Terminator::Unreachable, term_loc);
                    self.current = self.caller.blocks.push(BlockData::default());
                    self.layout.push(self.current);
                    return;
                }
                (term, _) => {
                    let term = self.translate_term(callee, term, locals, &blocks);
                    self.terminate(term, term_loc);
                    if behind.is_none() {
                        self.current = self.caller.blocks.push(BlockData::default());
                        self.layout.push(self.current);
                        return;
                    }
                }
            }
        }
        if let Some(behind) = behind {
            self.layout.push(behind);
            self.current = behind;
        }
    }

    /// What a wrapper does, with the call's operands in the place of its parameters; the first instruction last.
    fn unfold(
        &mut self,
        wrapper: &Body,
        call: Operands,
        loc: SrcLoc,
        unfolded: &mut Vec<(Inst, SrcLoc)>,
    ) {
        let args: SmallVec<[Local; 8]> = SmallVec::from_slice(self.caller.pool.args(call));
        let first = self.caller.locals.len();
        let params = wrapper.num_params as usize;
        for &ty in wrapper.locals.values().skip(params) {
            self.caller.locals.push(ty);
        }
        // Nothing assigns to a wrapper's parameters, nor to the operands while it runs.
        let of = |local: Local| match args.get(local.index()) {
            Some(&arg) => arg,
            None => Local::new(first + local.index() - params),
        };
        for inst in wrapper.blocks[wrapper.layout[0]].insts.iter().rev() {
            let mut inst = *inst;
            let pool = &mut self.caller.pool;
            if let Inst::Call { operands, .. } = &mut inst {
                *operands = pool.operands_of(&wrapper.pool, *operands, of);
            } else {
                inst.map_uses(pool, of);
            }
            unfolded.push((inst, loc));
        }
    }

    fn push(&mut self, inst: Inst, loc: SrcLoc) {
        self.caller.blocks[self.current].push(inst, loc);
    }

    fn terminate(&mut self, term: Terminator, loc: SrcLoc) {
        let data = &mut self.caller.blocks[self.current];
        (data.term, data.term_loc) = (term, loc);
    }

    /// Gives a local the value it starts with.
    fn zero(&mut self, dst: Local, loc: SrcLoc) {
        let inst = match self.caller.locals[dst] {
            Type::V128 | Type::I128 => Inst::ConstWide {
                dst,
                value: self.caller.pool.wides.push(0),
            },
            Type::Ref(ty) => {
                // A reference that has no null is assigned before it is read: the validator sees to that.
                if !ty.nullable {
                    return;
                }
                let operands = self.caller.pool.operands(&[dst], &[]);
                let imm = self.caller.pool.imms.push(Imm::Heap(ty.heap));
                Inst::Op {
                    op: crate::Opcode::RefNull,
                    imm: imm.into(),
                    operands,
                }
            }
            _ => Inst::Const { dst, bits: 0 },
        };
        self.push(inst, loc);
    }

    /// Gives the call's results the returned values, all at once: a result may be an argument too.
    fn assign(&mut self, call: Operands, values: &[Local], locals: Renumbering, loc: SrcLoc) {
        // The callee's locals are new here, so no assignment can overwrite a value still to be read.
        for (i, &value) in values.iter().enumerate().take(call.num_results()) {
            let dst = self.caller.pool.results(call)[i];
            let src = locals.of(value);
            self.push(Inst::Copy { dst, src }, loc);
        }
    }

    fn operands(&mut self, callee: &Body, operands: Operands, locals: Renumbering) -> Operands {
        self.caller
            .pool
            .operands_of(&callee.pool, operands, |local| locals.of(local))
    }

    fn translate(
        &mut self,
        callee: &Body,
        mut inst: Inst,
        locals: Renumbering,
        first_slot: usize,
    ) -> Inst {
        match &mut inst {
            Inst::Op { imm, operands, .. } => {
                *operands = self.operands(callee, *operands, locals);
                if let Some(id) = imm.expand() {
                    *imm = self.caller.pool.imms.push(callee.pool.imms[id]).into();
                }
            }
            Inst::Call { operands, .. } => *operands = self.operands(callee, *operands, locals),
            other => {
                if let Inst::ConstWide { value, .. } = other {
                    *value = self.caller.pool.wides.push(callee.pool.wides[*value]);
                }
                if let Inst::StackAddr { slot, .. } = other {
                    *slot = StackSlot::new(first_slot + slot.index());
                }
                // These forms hold their operands themselves and do not touch the pool.
                other.map_uses(&mut self.caller.pool, |l| locals.of(l));
                other.map_defs(&mut self.caller.pool, |l| locals.of(l));
            }
        }
        inst
    }

    fn translate_term(
        &mut self,
        callee: &Body,
        term: Terminator,
        locals: Renumbering,
        blocks: &SecondaryMap<Block, Block>,
    ) -> Terminator {
        match term {
            Terminator::Unreachable => term,
            Terminator::Jump(to) => Terminator::Jump(blocks[to]),
            Terminator::BrIf {
                cond,
                then_to,
                else_to,
            } => Terminator::BrIf {
                cond: locals.of(cond),
                then_to: blocks[then_to],
                else_to: blocks[else_to],
            },
            Terminator::BrTable {
                index,
                targets,
                default,
            } => {
                let list: Vec<Block> = callee
                    .pool
                    .blocks(targets)
                    .iter()
                    .map(|&b| blocks[b])
                    .collect();
                let targets = self.caller.pool.block_list(&list);
                Terminator::BrTable {
                    index: locals.of(index),
                    targets,
                    default: blocks[default],
                }
            }
            Terminator::Invoke {
                callee: target,
                operands,
                normal,
                handlers,
            } => Terminator::Invoke {
                callee: target,
                operands: self.operands(callee, operands, locals),
                normal: blocks[normal],
                handlers: self.handlers(callee, handlers, locals, blocks),
            },
            Terminator::Throw {
                tag,
                operands,
                handlers,
            } => Terminator::Throw {
                tag,
                operands: self.operands(callee, operands, locals),
                handlers: handlers
                    .expand()
                    .map(|h| self.handlers(callee, h, locals, blocks))
                    .into(),
            },
            Terminator::ThrowRef { exn, handlers } => Terminator::ThrowRef {
                exn: locals.of(exn),
                handlers: handlers
                    .expand()
                    .map(|h| self.handlers(callee, h, locals, blocks))
                    .into(),
            },
            Terminator::Return(_) | Terminator::ReturnCall { .. } => {
                unreachable!("returns are replaced and bodies with tail calls are not copied")
            }
        }
    }

    fn handlers(
        &mut self,
        callee: &Body,
        id: crate::HandlersId,
        locals: Renumbering,
        blocks: &SecondaryMap<Block, Block>,
    ) -> crate::HandlersId {
        let mut list = callee.pool.handlers[id].clone();
        for handler in &mut list {
            handler.payload = self.operands(callee, handler.payload, locals);
            handler.exnref = handler.exnref.map(|l| locals.of(l));
            handler.target = blocks[handler.target];
        }
        self.caller.pool.handlers.push(list)
    }
}

#[cfg(test)]
mod tests {
    use crate::{parse_module, passes::pipeline, print_module};

    /// Runs the pipeline over `.wir` text and gives the body of `%caller` without its header.
    fn optimised(functions: &str) -> String {
        let text = format!(
            "wasmir 1\ntype type0 = func(i32) -> (i32)\ntype type1 = func(i32, i32) -> (i32)\n{functions}"
        );
        let mut module = parse_module(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        pipeline::run(&mut module, &pipeline::Options::default());
        let printed = print_module(&module).to_string();
        assert_eq!(
            parse_module(&printed)
                .expect("printed text parses")
                .funcs
                .len(),
            module.funcs.len()
        );
        printed[printed.find("func %caller").expect("it is there")..].to_owned()
    }

    const BRANCHY: &str = "func %clamp type0 {\n  param l0: i32\n  local l1: i32\n  local l2: i32\nb0:\n  l1 = i32.const 7\n  l2 = i32.gt_s l0, l1\n  br_if l2, b1, b2\nb1:\n  return l1\nb2:\n  return l0\n}\n";

    #[test]
    fn a_small_callee_with_branches_is_copied_and_returns_to_the_rest_of_the_block() {
        let text = optimised(&format!(
            "{BRANCHY}func %caller type0 {{\n  param l0: i32\n  local l1: i32\n  local l2: i32\nb0:\n  l1 = call %clamp(l0)\n  l2 = i32.add l1, l0\n  return l2\n}}\n"
        ));
        assert!(!text.contains("call %"), "{text}");
        assert!(
            text.contains("i32.gt_s") && text.contains("i32.add"),
            "{text}"
        );
        assert_eq!(text.matches("return").count(), 1, "{text}");
    }

    #[test]
    fn code_without_lines_gets_the_line_of_the_call() {
        // Position 10 has a line, position 20 has none: the division is the caller's.
        let text = optimised(
            "func %lineless type0 {\n  param l0: i32\n  local l1: i32\nb0:\n  l1 = i32.div_s l0, l0 @20\n  return l1 @20\n}\nfunc %caller type0 {\n  param l0: i32\n  local l1: i32\nb0:\n  l1 = call %lineless(l0) @10\n  return l1 @12\n}\nfile \"a.rs\"\nline @10 0 7 3\nline @20 0 0 0\nline @30 end\n",
        );
        assert!(!text.contains("call %"), "{text}");
        let division = text.lines().find(|line| line.contains("i32.div_s"));
        assert!(division.expect("it stays").ends_with("@10"), "{text}");
    }

    #[test]
    fn a_local_that_starts_as_zero_is_set_to_zero_in_the_copy() {
        // The callee counts the bits of nothing: its local is read before it is written.
        let text = optimised(
            "func %fresh type0 {\n  param l0: i32\n  local l1: i32\nb0:\n  l1 = i32.add l1, l0\n  return l1\n}\nfunc %caller type0 {\n  param l0: i32\n  local l1: i32\n  local l2: i32\nb0:\n  jump b1\nb1:\n  l1 = call %fresh(l0)\n  l2 = i32.add l2, l1\n  br_if l2, b1, b2\nb2:\n  return l2\n}\n",
        );
        assert!(!text.contains("call %"), "{text}");
        assert!(text.matches("const 0").count() == 1, "{text}");
    }

    #[test]
    fn recursion_is_not_followed() {
        let text = optimised(
            "func %caller type0 {\n  param l0: i32\n  local l1: i32\nb0:\n  l1 = call %caller(l0)\n  return l1\n}\n",
        );
        assert_eq!(text.matches("call %caller").count(), 1, "{text}");
    }
}
