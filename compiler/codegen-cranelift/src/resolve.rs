//! The steps of structured code, resolved against what the locals made of the copies.
//!
//! Empty blocks are seen through, branches to where control goes anyway vanish, each branch takes the innermost label that
//! leads to its target, arms without code go, and each construct gets the type of what is on the stack behind it: the
//! result of the function where its end is next, and the parameter of a block that finds one there ([`crate::results`]).
//!
//! # Invariants
//! All constructs whose ends have the same continuation have the same type, so that a value falls through all of them; an
//! `if` whose second arm follows it is the exception, since nothing falls out of it.
//!
//! # Cost
//! Linear, with a bounded search for labels.

use crate::encode::Encoder;
use crate::flow::{Label, Side, Step};
use crate::lir::{Blk, Edge, Lir, Term, Val};
use crate::stackify::Item;

/// How far up an equivalent label is looked for.
const LABEL_SEARCH: usize = 64;

/// Where a branch goes after resolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Label(Label),
    /// The function's own label.
    Function,
}

/// A resolved step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Out {
    Nop,
    Block(Label),
    Loop(Label),
    If(Label, Blk, bool),
    Else,
    End(Label),
    Enter(Blk),
    Body(Blk),
    Copies(Blk, Side),
    Br(Target),
    BrIf(Target, Blk, Side),
    Table(Blk),
    /// The block's results are on the stack; `true` when `return` is not needed.
    Return(bool),
}

/// Copies into the parameters of a block.
#[derive(Default)]
pub(crate) struct Copies {
    pub(crate) list: Vec<(Val, Val)>,
    /// The parameter, the first of the list, that the block finds on the stack.
    pub(crate) stays: Option<Val>,
}

/// The steps with everything that was to be decided.
pub(crate) struct Resolved {
    pub(crate) out: Vec<Out>,
    /// Branches to each label.
    pub(crate) uses: Vec<u32>,
    /// Targets of the edges of switches.
    pub(crate) tables: Vec<Target>,
    /// What each construct leaves on the stack.
    pub(crate) types: Vec<Option<wasm_encoder::ValType>>,
}

struct Open {
    label: Label,
    /// Control can reach the construct.
    reachable: bool,
    /// Control can reach the `end` from an earlier arm, or around an `if` without `else`.
    end_reached: bool,
    is_if: bool,
    /// What falls out of the function may fall out of this on the way.
    passes: bool,
    /// Place of the `if` in the output.
    place: usize,
    /// Place of the `else` in the output.
    else_place: Option<usize>,
}

impl Encoder<'_> {
    fn edge(&self, block: Blk, side: Side) -> Option<Edge> {
        match self.lir.blocks[block].term {
            Term::Branch { then, other, .. } => Some(if side == Side::Then { then } else { other }),
            _ => None,
        }
    }

    /// The copies of an edge that the locals left to be made.
    pub(crate) fn copies(&self, block: Blk, side: Side) -> Copies {
        let mut copies = Copies::default();
        if let Some(edge) = self.edge(block, side) {
            copies.list.extend(self.edge_copies(edge));
            copies.stays = self.code.entry(edge.to).map(|entry| entry.param);
        }
        copies
    }

    fn edge_copies(&self, edge: Edge) -> impl Iterator<Item = (Val, Val)> {
        let params = &self.lir.blocks[edge.to].params;
        let args = self.lir.edge_args(edge).iter();
        args.zip(params)
            .filter(|&(&v, &p)| {
                v != Lir::undef()
                    && v != p
                    && (self.lir.is_constant_value(v) || !self.locals.same(v, p))
            })
            .map(|(&v, &p)| (v, p))
    }

    fn has_copies(&self, block: Blk, side: Side) -> bool {
        self.edge(block, side)
            .is_some_and(|edge| self.edge_copies(edge).next().is_some())
    }

    fn is_empty(&self, block: Blk) -> bool {
        self.code.block(block).iter().all(|item| match *item {
            Item::EdgeGet(v, p) | Item::EdgeSet(p, Some(v)) => self.locals.same(v, p),
            _ => false,
        })
    }

    /// For each step: the step where control really goes from there.
    pub(crate) fn continuations(&self) -> Vec<u32> {
        let steps = &self.flow.steps;
        let n = steps.len();
        let mut cont = vec![0u32; n + 1];
        cont[n] = n as u32;
        for i in (0..n).rev() {
            let next = cont[i + 1];
            cont[i] = match steps[i] {
                Step::End(_) | Step::Nop | Step::Block(_) => next,
                Step::Else(l) => cont[self.label_end(l)],
                Step::Body(b) if self.is_empty(b) => next,
                Step::Copies(b, side) if !self.has_copies(b, side) => next,
                Step::Br(l) => self.label_target(l, &cont),
                Step::Return(_) if self.results.is_empty() => n as u32,
                _ => i as u32,
            };
        }
        cont
    }

    /// The type of what is on the stack where control goes on after a label's `end`.
    fn label_type(&self, l: Label, cont: &[u32], wrapped: bool) -> Option<wasm_encoder::ValType> {
        let next = cont[self.label_end(l)] as usize;
        match self.flow.steps.get(next) {
            None => match self.results {
                [one] if !wrapped => Some(*one),
                _ => None,
            },
            Some(&Step::Enter(b)) => {
                let entry = self.code.entry(b);
                entry.map(|entry| self.lir.vals[entry.param].ty.val_type())
            }
            Some(_) => None,
        }
    }

    fn label_end(&self, l: Label) -> usize {
        self.flow.labels[l as usize].end as usize
    }

    fn label_target(&self, l: Label, cont: &[u32]) -> u32 {
        let data = &self.flow.labels[l as usize];
        if data.is_loop {
            data.start
        } else {
            cont[data.end as usize]
        }
    }

    pub(crate) fn resolve(&self, cont: &[u32], wrapped: bool) -> Resolved {
        let n = self.flow.steps.len() as u32;
        let mut types: Vec<_> = (0..self.flow.labels.len() as Label)
            .map(|l| self.label_type(l, cont, wrapped))
            .collect();
        let mut out: Vec<Out> = Vec::with_capacity(self.flow.steps.len());
        let mut uses = vec![0u32; self.flow.labels.len()];
        let mut tables: Vec<Target> = vec![Target::Function; self.flow.switch_labels.len()];
        let mut open: Vec<Open> = Vec::new();
        let mut reachable = true;
        // How many of the open constructs stop what would fall out of the function.
        let mut stops = 0usize;
        // A branch to the step `t`, originally to `l`.
        let pick = |open: &[Open], l: Label, t: u32, uses: &mut Vec<u32>| -> Target {
            if t == n && self.results.is_empty() && !wrapped {
                return Target::Function;
            }
            for o in open.iter().rev().take(LABEL_SEARCH) {
                if o.label == l || self.label_target(o.label, cont) == t {
                    uses[o.label as usize] += 1;
                    return Target::Label(o.label);
                }
            }
            uses[l as usize] += 1;
            Target::Label(l)
        };
        let typed_tail =
            |l: Label| self.results.len() == 1 && !wrapped && cont[self.label_end(l)] == n;
        for (i, &step) in self.flow.steps.iter().enumerate() {
            let next = cont[i + 1];
            let live = reachable;
            let resolved = match step {
                Step::Nop => Out::Nop,
                Step::Block(l) | Step::Loop(l) | Step::If(l, ..) => {
                    let passes = !live || self.results.is_empty() || typed_tail(l);
                    stops += usize::from(!passes);
                    open.push(Open {
                        label: l,
                        reachable: live,
                        end_reached: false,
                        is_if: matches!(step, Step::If(..)),
                        passes,
                        place: out.len(),
                        else_place: None,
                    });
                    match step {
                        _ if !live => Out::Nop,
                        Step::Block(l) => Out::Block(l),
                        Step::Loop(l) => Out::Loop(l),
                        Step::If(l, b, negated) => Out::If(l, b, negated),
                        _ => Out::Nop,
                    }
                }
                Step::Else(_) => {
                    let place = out.len();
                    if let Some(o) = open.last_mut() {
                        o.end_reached |= reachable;
                        o.else_place = Some(place);
                        reachable = o.reachable;
                        if o.reachable { Out::Else } else { Out::Nop }
                    } else {
                        Out::Nop
                    }
                }
                Step::End(l) => {
                    let Some(o) = open.pop() else { continue };
                    stops -= usize::from(!o.passes);
                    let first_falls = o.end_reached;
                    let used = uses[l as usize] > 0;
                    let is_loop = self.flow.labels[l as usize].is_loop;
                    let second_falls = reachable;
                    reachable |= o.end_reached
                        || (!is_loop && used)
                        || (o.is_if && o.else_place.is_none() && o.reachable);
                    if o.is_if && o.reachable {
                        self.tidy_if(
                            &mut out,
                            &o,
                            l,
                            first_falls,
                            second_falls,
                            used,
                            &mut types[l as usize],
                            typed_tail(l),
                        )
                    } else if o.reachable {
                        Out::End(l)
                    } else {
                        Out::Nop
                    }
                }
                _ if !live => Out::Nop,
                Step::Enter(b) => Out::Enter(b),
                Step::Body(b) => {
                    if matches!(self.lir.blocks[b].term, Term::Diverge) {
                        reachable = false;
                    }
                    Out::Body(b)
                }
                Step::Copies(b, side) => Out::Copies(b, side),
                Step::Br(l) => {
                    let t = self.label_target(l, cont);
                    if t == next {
                        Out::Nop
                    } else {
                        reachable = false;
                        Out::Br(pick(&open, l, t, &mut uses))
                    }
                }
                Step::BrIf(l, b, side) => {
                    let t = self.label_target(l, cont);
                    Out::BrIf(pick(&open, l, t, &mut uses), b, side)
                }
                Step::Table(b) => {
                    if let Term::Switch { start, len, .. } = self.lir.blocks[b].term {
                        for k in start..start + len {
                            let l = self.flow.switch_labels[k as usize];
                            let t = self.label_target(l, cont);
                            tables[k as usize] = pick(&open, l, t, &mut uses);
                        }
                    }
                    reachable = false;
                    Out::Table(b)
                }
                Step::Return(_) => {
                    let tail = next == n && !wrapped;
                    if tail && stops == 0 {
                        // The values stay on the stack and fall out of the function.
                        reachable = self.results.is_empty();
                        Out::Return(true)
                    } else {
                        reachable = false;
                        Out::Return(false)
                    }
                }
            };
            out.push(resolved);
        }
        Resolved {
            out,
            uses,
            tables,
            types,
        }
    }

    /// Removes arms without code, and the `else` after an arm that does not fall out of it.
    #[expect(
        clippy::too_many_arguments,
        reason = "facts about one `if`; private to this file"
    )]
    fn tidy_if(
        &self,
        out: &mut [Out],
        o: &Open,
        l: Label,
        first_falls: bool,
        second_falls: bool,
        used: bool,
        ty: &mut Option<wasm_encoder::ValType>,
        tail: bool,
    ) -> Out {
        let Some(e) = o.else_place else {
            return Out::End(l);
        };
        let empty = |range: &[Out]| {
            range.iter().all(|s| match *s {
                Out::Nop => true,
                Out::Body(b) => {
                    self.is_empty(b) && !matches!(self.lir.blocks[b].term, Term::Branch { .. })
                }
                Out::Copies(b, side) => !self.has_copies(b, side),
                _ => false,
            })
        };
        if ty.is_some() {
            // An arm that ends with a construct may leave a value, for all that the engine knows.
            let end = out[..e].iter().rfind(|s| !matches!(s, Out::Nop));
            if tail || first_falls || used || matches!(end, Some(Out::End(_))) {
                return Out::End(l);
            }
            *ty = None;
            out[e] = Out::End(l);
            return Out::Nop;
        }
        if second_falls && empty(&out[e + 1..]) {
            out[e] = Out::Nop;
        } else if first_falls && empty(&out[o.place + 1..e]) {
            out[e] = Out::Nop;
            if let Out::If(l, b, negated) = out[o.place] {
                out[o.place] = Out::If(l, b, !negated);
            }
        } else if !first_falls && !used {
            // The second arm follows the `if`, where its branches find one label fewer.
            out[e] = Out::End(l);
            return Out::Nop;
        }
        Out::End(l)
    }
}
