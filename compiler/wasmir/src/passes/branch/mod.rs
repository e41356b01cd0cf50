//! Branches whose outcome is known: constants across blocks, conditions that a dominating branch has decided, and jumps to a
//! block that only tests what its predecessor has just set.
//!
//! The last is what `Option` and `Result` come to once a callee is inlined: each of its ends sets a tag and jumps to where the
//! caller tests it.
//!
//! # Input, output
//! A body; the same body with instructions replaced by constants, branches by jumps, and jumps sent past blocks
//! that decide nothing for them. Blocks that became unreachable stay in the layout ([`super::dce`] takes them out).
//!
//! # Algorithm
//! One walk over the dominator tree carries what is known ([`facts`]): a block has the facts of its dominator, and if a single edge
//! leads into it also those that its branch shows. (Constants are found along single edges and for locals with one assignment; that several
//! paths agree on one is not seen.) At each jump or branch to a block with several predecessors the walk looks
//! ahead ([`thread`]): if the blocks that follow are short and end in branches that are decided on this way, the way gets a
//! copy of them and goes on where they lead. This is jump threading as in LLVM; without SSA the copy needs no repair.
//!
//! # Soundness
//! Facts are about executions of the body as it was, and each replacement alone leaves those as they were, so
//! replacements do not invalidate one another. Loop headers are not copied: that would give a loop a second entry.
//!
//! # Cost
//! O(instructions + edges · [`thread::MOST_INSTS`]). Bodies without branches are left at once.

mod facts;
mod thread;

use crate::analysis::{Assignments, Dominators, reverse_postorder};
use crate::body::Body;
use crate::entities::Block;
use crate::inst::Terminator;
use cranelift_entity::{EntitySet, SecondaryMap};
use facts::Facts;
use thread::{Source, Thread};

/// What the pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instructions that were found to compute a constant or one of their operands.
    pub constants: usize,
    /// Branches that became jumps.
    pub branches: usize,
    /// Jumps and edges of branches that go past a test now.
    pub threads: usize,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.constants += other.constants;
        self.branches += other.branches;
        self.threads += other.threads;
    }
}

/// How often the walk is repeated when jumps were sent elsewhere, which may show more.
const ROUNDS: usize = 2;

/// Runs the pass.
pub fn run(body: &mut Body) -> Stats {
    let mut stats = Stats::default();
    for _ in 0..ROUNDS {
        let branches = |&block: &Block| {
            let term = &body.blocks[block].term;
            matches!(term, Terminator::BrIf { .. } | Terminator::BrTable { .. })
        };
        if !body.layout.iter().any(branches) {
            break;
        }
        let mut walk = Walk::of(body);
        walk.run(body);
        let (made, threads) = (walk.stats, walk.threads);
        stats += made;
        stats.threads += threads.len();
        let again = !threads.is_empty();
        thread::apply(body, threads);
        if !again {
            break;
        }
    }
    stats
}

/// The shape of the control flow, as it was when the walk began.
struct Shape {
    dominators: Dominators,
    /// How many edges lead into each block.
    edges: SecondaryMap<Block, u32>,
    /// Targets of edges that go back in reverse postorder.
    headers: EntitySet<Block>,
}

impl Shape {
    fn of(body: &Body, dominators: Dominators) -> Shape {
        let mut edges: SecondaryMap<Block, u32> = SecondaryMap::new();
        let mut headers = EntitySet::with_capacity(body.blocks.len());
        let mut seen = EntitySet::with_capacity(body.blocks.len());
        edges.resize(body.blocks.len());
        for &block in dominators.reverse_postorder() {
            seen.insert(block);
            body.for_each_successor(block, |to| {
                edges[to] += 1;
                if seen.contains(to) {
                    headers.insert(to);
                }
            });
        }
        Shape {
            dominators,
            edges,
            headers,
        }
    }
}

/// A step of the walk.
enum Step {
    Enter(Block),
    /// Leaves a block: the facts go back to this mark, the extended block to this root.
    Leave(usize, u32),
}

struct Walk {
    shape: Shape,
    /// The blocks that each block dominates immediately, as a chain: the first, and from each the next.
    first: SecondaryMap<Block, Option<Block>>,
    next: SecondaryMap<Block, Option<Block>>,
    facts: Facts,
    roots: u32,
    stats: Stats,
    threads: Vec<Thread>,
    growth: usize,
}

impl Walk {
    fn of(body: &Body) -> Walk {
        let order = reverse_postorder(body);
        let assignments = Assignments::of(body, &order);
        let shape = Shape::of(body, Dominators::in_order(body, order));
        let mut first: SecondaryMap<Block, Option<Block>> = SecondaryMap::new();
        let mut next: SecondaryMap<Block, Option<Block>> = SecondaryMap::new();
        first.resize(body.blocks.len());
        next.resize(body.blocks.len());
        for &block in shape.dominators.reverse_postorder().iter().rev() {
            if let Some(parent) = shape.dominators.immediate(block) {
                next[block] = first[parent].replace(block);
            }
        }
        let facts = Facts::new(body, assignments);
        Walk {
            shape,
            first,
            next,
            facts,
            roots: 0,
            stats: Stats::default(),
            threads: Vec::new(),
            growth: thread::budget(body),
        }
    }

    fn run(&mut self, body: &mut Body) {
        let mut steps: Vec<Step> = body.entry().map(Step::Enter).into_iter().collect();
        while let Some(step) = steps.pop() {
            match step {
                Step::Leave(mark, root) => {
                    self.facts.back_to(mark);
                    self.facts.enter_root(root);
                }
                Step::Enter(block) => {
                    steps.push(Step::Leave(self.facts.mark(), self.facts.root()));
                    if !self.enter(body, block) {
                        continue;
                    }
                    self.block(body, block);
                    let mut child = self.first[block];
                    while let Some(block) = child {
                        steps.push(Step::Enter(block));
                        child = self.next[block];
                    }
                }
            }
        }
    }

    /// Adds what the edge into `block` shows; false if no edge leads there any more.
    fn enter(&mut self, body: &Body, block: Block) -> bool {
        let parent = self.shape.dominators.immediate(block);
        let single = parent.filter(|_| self.shape.edges[block] == 1);
        let Some(parent) = single else {
            self.roots += 1;
            self.facts.enter_root(self.roots);
            return true;
        };
        let term = &body.blocks[parent].term;
        let mut there = false;
        term.for_each_target(&body.pool, |to| there |= to == block);
        if there {
            self.assume_edge(body, term, block);
        }
        there
    }

    /// Adds what is known behind the only edge from a terminator to `to`.
    fn assume_edge(&mut self, body: &Body, term: &Terminator, to: Block) {
        term.for_each_def(&body.pool, |local| self.facts.forget(local));
        match *term {
            Terminator::BrIf { cond, then_to, .. } => self.facts.assume(cond, then_to != to),
            Terminator::BrTable { index, targets, .. } => {
                let place = body.pool.blocks(targets).iter().position(|&b| b == to);
                if let Some(place) = place {
                    self.facts.assume_const(index, place as u64);
                }
            }
            _ => {}
        }
    }

    /// Goes through a block and looks ahead from its end.
    fn block(&mut self, body: &mut Body, block: Block) {
        for place in 0..body.blocks[block].insts.len() {
            let inst = body.blocks[block].insts[place];
            if let Some(new) = self.facts.pass(body, &inst)
                && new != inst
            {
                body.blocks[block].insts[place] = new;
                self.stats.constants += 1;
            }
        }
        let term = body.blocks[block].term;
        if let Some(to) = self.decided(body, &term) {
            body.blocks[block].term = Terminator::Jump(to);
            self.stats.branches += 1;
        }
        match body.blocks[block].term {
            Terminator::Jump(to) => self.look_ahead(body, Source::Jump(block), to),
            Terminator::BrIf {
                cond,
                then_to,
                else_to,
            } => {
                for (to, zero) in [(then_to, false), (else_to, true)] {
                    let mark = self.facts.mark();
                    self.facts.assume(cond, zero);
                    self.look_ahead(body, Source::Branch(block, !zero), to);
                    self.facts.back_to(mark);
                }
            }
            _ => {}
        }
    }

    /// Where a branch goes, if that is known.
    fn decided(&self, body: &Body, term: &Terminator) -> Option<Block> {
        match *term {
            Terminator::BrIf {
                cond,
                then_to,
                else_to,
            } => match self.facts.is_zero(cond) {
                _ if then_to == else_to => Some(then_to),
                Some(true) => Some(else_to),
                Some(false) => Some(then_to),
                None => None,
            },
            Terminator::BrTable {
                index,
                targets,
                default,
            } => {
                let index = self.facts.constant(index)?;
                let listed = usize::try_from(index).ok();
                let listed = listed.and_then(|i| body.pool.blocks(targets).get(i));
                Some(listed.copied().unwrap_or(default))
            }
            _ => None,
        }
    }
}
