//! Structured control flow from any reducible graph, after Norman Ramsey, "Beyond Relooper" (ICFP 2022).
//!
//! # Algorithm
//! The dominator tree gives the nesting. A block with two or more forward edges into it, or reached from a switch,
//! is placed after a wasm `block` that its immediate dominator opens; a block with a back edge into it opens a `loop`;
//! any other is placed where the only branch to it stands; but what control leaves a loop for is placed behind that loop
//! ([`crate::loop_exits`]), again after a `block`, which its header opens. Then, on the flat list: branches to where control
//! goes anyway are dropped, each branch takes the innermost label that continues at its target, and labels nobody
//! uses are removed.
//! # Invariants
//! The graph is reducible ([`crate::irreducible`] makes it so).
//! # Cost
//! O(blocks + edges) after the dominators ([`immediate_dominators`]), plus sorting each block's successors; an explicit stack.

use crate::lir::{Blk, Edge, Lir, Term};
use crate::loop_exits;
use crate::ops::Op;
use crate::stackify::Code;
use cranelift_entity::{EntityRef, SecondaryMap};
use wasmir::analysis::{Preds, immediate_dominators};

/// A label: index into [`Flow::labels`].
pub type Label = u32;

/// Which edge of a branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The condition holds.
    Then,
    /// It does not.
    Other,
}

/// One step of structured code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `block`
    Block(Label),
    /// `loop`
    Loop(Label),
    /// `if` on the condition of the block, negated or not.
    If(Label, Blk, bool),
    /// `else`
    Else(Label),
    /// `end`
    End(Label),
    /// What the block finds on the stack is put where it is wanted; before the constructs that the block opens.
    Enter(Blk),
    /// The stack code of a block.
    Body(Blk),
    /// The copies of an edge of a branch.
    Copies(Blk, Side),
    /// `br`
    Br(Label),
    /// `br_if` along an edge of the block's branch.
    BrIf(Label, Blk, Side),
    /// `br_table` of the block's switch.
    Table(Blk),
    /// `return` of the block.
    Return(Blk),
    /// Nothing: a step that turned out not to be needed.
    Nop,
}

/// Order, dominators and kinds of blocks.
#[derive(Default)]
pub struct Graph {
    /// Reachable blocks in reverse postorder.
    pub rpo: Vec<Blk>,
    /// Place in `rpo`, plus one; 0 when unreachable.
    pub number: SecondaryMap<Blk, u32>,
    /// Immediate dominators, as places in `rpo`.
    idom: Vec<u32>,
    /// Number of each block in a preorder of the dominator tree, and how many follow that it dominates (itself included).
    subtree: Vec<(u32, u32)>,
    preds: Preds,
    /// Edges by the places of their ends.
    edges: Vec<(u32, u32)>,
}

impl Graph {
    /// Computes the order and the dominators.
    pub fn compute(&mut self, lir: &Lir) {
        self.rpo.clear();
        self.number.clear();
        self.number.resize(lir.blocks.len());
        let mut visited = vec![false; lir.blocks.len()];
        let mut stack: Vec<(Blk, Vec<Blk>)> = Vec::new();
        let successors = |b: Blk| {
            let mut out = Vec::new();
            lir.for_each_edge(b, |e| out.push(e.to));
            // Popped from the end, so that later blocks are finished first and follow earlier ones.
            out.sort_unstable();
            out.dedup();
            out
        };
        visited[lir.entry().index()] = true;
        stack.push((lir.entry(), successors(lir.entry())));
        while let Some((block, rest)) = stack.last_mut() {
            match rest.pop() {
                Some(next) => {
                    if !std::mem::replace(&mut visited[next.index()], true) {
                        let succ = successors(next);
                        stack.push((next, succ));
                    }
                }
                None => {
                    self.rpo.push(*block);
                    stack.pop();
                }
            }
        }
        self.rpo.reverse();
        for (i, &b) in self.rpo.iter().enumerate() {
            self.number[b] = i as u32 + 1;
        }
        self.dominators(lir);
    }

    fn dominators(&mut self, lir: &Lir) {
        let n = self.rpo.len();
        self.edges.clear();
        for (i, &b) in self.rpo.iter().enumerate() {
            let (edges, number) = (&mut self.edges, &self.number);
            lir.for_each_edge(b, |e| edges.push((i as u32, number[e.to] - 1)));
        }
        self.preds.fill(n, &self.edges);
        immediate_dominators(&self.preds, &mut self.idom);
        self.subtree.clear();
        self.subtree.resize(n, (0, 1));
        for i in (1..n).rev() {
            self.subtree[self.idom[i] as usize].1 += self.subtree[i].1;
        }
        // Parents come first, and hand each child its part of what follows them.
        let mut next: Vec<u32> = vec![1; n];
        for i in 1..n {
            let parent = self.idom[i] as usize;
            self.subtree[i].0 = next[parent];
            next[parent] += self.subtree[i].1;
            next[i] = self.subtree[i].0 + 1;
        }
    }

    /// Place in `rpo`.
    pub fn place(&self, b: Blk) -> usize {
        self.number[b] as usize - 1
    }

    /// Place of the immediate dominator of the block at a place.
    pub(crate) fn idom(&self, place: usize) -> u32 {
        self.idom[place]
    }

    /// Places of the predecessors of the block at a place, once per edge.
    pub fn preds(&self, place: usize) -> &[u32] {
        self.preds.of(place)
    }

    /// True when the block at place `a` dominates the one at place `b`.
    pub fn dominates(&self, a: usize, b: usize) -> bool {
        let ((first, count), (number, _)) = (self.subtree[a], self.subtree[b]);
        (first..first + count).contains(&number)
    }
}

/// Structured code of a function.
#[derive(Default)]
pub struct Flow {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// For each label: the index of its `end`, and of its start for loops.
    pub labels: Vec<LabelData>,
    /// Label of each switch edge, by place in [`Lir::edges`].
    pub switch_labels: Vec<Label>,
}

/// What a label names.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelData {
    /// Place of the construct's first step.
    pub start: u32,
    /// Place of its `end`.
    pub end: u32,
    /// True for loops: branches go to the start.
    pub is_loop: bool,
}

impl Flow {
    /// Records where each label's construct begins and ends.
    pub fn number_labels(&mut self) {
        for (i, step) in self.steps.iter().enumerate() {
            match *step {
                Step::Block(l) | Step::Loop(l) | Step::If(l, ..) => {
                    self.labels[l as usize].start = i as u32
                }
                Step::End(l) => self.labels[l as usize].end = i as u32,
                _ => {}
            }
        }
    }
}

enum Work {
    Tree(u32),
    Step(Step),
}

/// Structures the function.
pub fn structure(lir: &Lir, graph: &Graph, code: &Code, flow: &mut Flow) {
    flow.steps.clear();
    flow.labels.clear();
    flow.switch_labels.clear();
    flow.switch_labels.resize(lir.edges.len(), 0);
    let n = graph.rpo.len();
    let mut merge = vec![false; n];
    let mut header = vec![false; n];
    for i in 0..n {
        let preds = graph.preds(i);
        let forward = preds.iter().filter(|&&p| (p as usize) < i).count();
        header[i] = forward < preds.len();
        merge[i] = forward >= 2;
    }
    for &b in &graph.rpo {
        if let Term::Switch { .. } = lir.blocks[b].term {
            lir.for_each_edge(b, |e| {
                merge[graph.place(e.to)] |= graph.place(e.to) > graph.place(b)
            });
        }
    }
    // Children of each node that are merges, and what goes behind the loop of each, in ascending order.
    let mut children: Vec<Children> = vec![Children::default(); n];
    let behind = loop_exits::find(lir, graph, &header);
    for i in 1..n {
        if let Some(header) = behind[i] {
            merge[i] = true;
            children[header as usize].behind.push(i as u32);
        } else if merge[i] {
            children[graph.idom[i] as usize].merges.push(i as u32);
        }
    }
    let mut s = Structurer {
        lir,
        graph,
        code,
        flow,
        merge,
        header,
        forward: vec![0; n],
        back: vec![0; n],
        work: Vec::new(),
    };
    s.work.push(Work::Tree(0));
    while let Some(work) = s.work.pop() {
        match work {
            Work::Step(step) => s.flow.steps.push(step),
            Work::Tree(i) => s.tree(i as usize, &children[i as usize]),
        }
    }
}

/// What a block opens a `block` for.
#[derive(Clone, Default)]
struct Children {
    merges: Vec<u32>,
    behind: Vec<u32>,
}

struct Structurer<'a> {
    lir: &'a Lir,
    graph: &'a Graph,
    code: &'a Code,
    flow: &'a mut Flow,
    merge: Vec<bool>,
    header: Vec<bool>,
    forward: Vec<Label>,
    back: Vec<Label>,
    work: Vec<Work>,
}

impl Structurer<'_> {
    fn label(&mut self, is_loop: bool) -> Label {
        self.flow.labels.push(LabelData {
            is_loop,
            ..LabelData::default()
        });
        self.flow.labels.len() as u32 - 1
    }

    /// Opens a `block` for each of the places; they come after what is opened next, in ascending order.
    fn open(&mut self, places: &[u32]) {
        for &m in places.iter().rev() {
            let l = self.label(false);
            self.forward[m as usize] = l;
            self.flow.steps.push(Step::Block(l));
            self.work.push(Work::Tree(m));
            self.work.push(Work::Step(Step::End(l)));
        }
    }

    fn tree(&mut self, i: usize, children: &Children) {
        let block = self.graph.rpo[i];
        if self.code.entry(block).is_some() {
            self.flow.steps.push(Step::Enter(block));
        }
        self.open(&children.behind);
        if self.header[i] {
            let l = self.label(true);
            self.back[i] = l;
            self.flow.steps.push(Step::Loop(l));
            self.work.push(Work::Step(Step::End(l)));
        }
        self.open(&children.merges);
        self.flow.steps.push(Step::Body(block));
        match self.lir.blocks[block].term {
            Term::Jump(e) => match self.target(i, e) {
                Some(l) => self.flow.steps.push(Step::Br(l)),
                None => self.work.push(Work::Tree(self.graph.place(e.to) as u32)),
            },
            Term::Branch { then, other, .. } => self.branch(i, block, then, other),
            Term::Switch { start, len, .. } => {
                for k in start..start + len {
                    let e = self.lir.edges[k as usize];
                    if let Some(l) = self.target(i, e) {
                        self.flow.switch_labels[k as usize] = l;
                    }
                }
                self.flow.steps.push(Step::Table(block));
            }
            Term::Return(..) => self.flow.steps.push(Step::Return(block)),
            Term::Diverge => {}
        }
    }

    /// The label for an edge from place `i`, or `None` when the target is placed inline.
    fn target(&self, i: usize, e: Edge) -> Option<Label> {
        let t = self.graph.place(e.to);
        if t <= i {
            Some(self.back[t])
        } else if self.merge[t] {
            Some(self.forward[t])
        } else {
            None
        }
    }

    /// True when control that falls out of the current construct arrives at `label`'s end.
    fn falls_to(&self, label: Label) -> bool {
        for work in self.work.iter().rev().take(8) {
            match work {
                Work::Step(Step::End(l)) if *l == label => {
                    return !self.flow.labels[*l as usize].is_loop;
                }
                Work::Step(Step::End(_)) => {}
                _ => return false,
            }
        }
        false
    }

    fn branch(&mut self, i: usize, block: Blk, then: Edge, other: Edge) {
        let place = |s: &Self, e: Edge| s.graph.place(e.to) as u32;
        match (self.target(i, then), self.target(i, other)) {
            (Some(a), Some(b)) => {
                let (first, side, rest, rest_side) = if self.falls_to(a) {
                    (b, Side::Other, a, Side::Then)
                } else {
                    (a, Side::Then, b, Side::Other)
                };
                self.flow.steps.extend([
                    Step::BrIf(first, block, side),
                    Step::Copies(block, rest_side),
                    Step::Br(rest),
                ]);
            }
            (Some(a), None) => {
                self.flow.steps.extend([
                    Step::BrIf(a, block, Side::Then),
                    Step::Copies(block, Side::Other),
                ]);
                self.work.push(Work::Tree(place(self, other)));
            }
            (None, Some(b)) => {
                self.flow.steps.extend([
                    Step::BrIf(b, block, Side::Other),
                    Step::Copies(block, Side::Then),
                ]);
                self.work.push(Work::Tree(place(self, then)));
            }
            (None, None) => {
                let l = self.label(false);
                // A condition that is a negation costs nothing negated: the arms change places.
                let negated = self.lir.term_operands(block).first().is_some_and(|&c| {
                    self.lir
                        .sole_def(c)
                        .is_some_and(|inst| self.lir.insts[inst].op == Op::I32_EQZ)
                });
                let (first, side, second, second_side) = if negated {
                    (other, Side::Other, then, Side::Then)
                } else {
                    (then, Side::Then, other, Side::Other)
                };
                self.flow
                    .steps
                    .extend([Step::If(l, block, negated), Step::Copies(block, side)]);
                self.work.push(Work::Step(Step::End(l)));
                self.work.push(Work::Tree(place(self, second)));
                self.work.push(Work::Step(Step::Copies(block, second_side)));
                self.work.push(Work::Step(Step::Else(l)));
                self.work.push(Work::Tree(place(self, first)));
            }
        }
    }
}
