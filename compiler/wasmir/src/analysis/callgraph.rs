//! Who mentions whom: the order in which functions are optimised, and how often each is mentioned.
//!
//! # Algorithm
//! The order is that of strongly connected components (Tarjan 1972), callees first. Where code can panic, nearly all that allocates,
//! formats and panics calls each other and is one component. Within one, a depth-first walk goes along the calls that are not
//! on the way to a trap alone: without those most cycles are gone.
//!
//! # Cost
//! O(size of the module), bodies in parallel; explicit stacks only.

use super::cold_blocks;
use crate::body::{BlockData, Body};
use crate::entities::{Func, Item};
use crate::inst::{Callee, Imm, Inst, Terminator};
use crate::module::{ElemItems, FuncBody, FuncData, Module};
use crate::raw::{self, IndexSpace};
use crate::refs::{EntityVisitor, visit_const_expr, visit_elem_items, visit_relocs};
use cranelift_entity::{EntityRef, SecondaryMap};
use rayon::prelude::*;

/// The direct calls of a module and the mentions of its functions.
#[derive(Clone, Debug)]
pub struct CallGraph {
    order: Vec<Func>,
    /// Each function's place in `order`.
    position: SecondaryMap<Func, u32>,
    /// The callees of each function in WasmIR form.
    callees: Vec<Callees>,
    mentions: SecondaryMap<Func, u32>,
}

/// Whom a function calls directly.
#[derive(Clone, Debug, Default)]
struct Callees {
    /// Those that are called otherwise than on the way to a trap, then the others, each in order of the calls.
    all: Vec<Func>,
    /// How many the former are.
    warm: usize,
}

impl Callees {
    fn warm(&self) -> &[Func] {
        &self.all[..self.warm]
    }
}

/// What one body mentions.
#[derive(Default)]
struct Found {
    callees: Callees,
    /// Functions named in any other way.
    others: Vec<Func>,
    /// It cannot be read, and may name anything.
    unreadable: bool,
}

impl EntityVisitor for Found {
    fn func(&mut self, func: &mut Func) {
        self.others.push(*func);
    }
}

impl Found {
    fn of(module: &Module, data: &FuncData) -> Found {
        let mut found = Found::default();
        match &data.body {
            FuncBody::None => {}
            FuncBody::Ir(body) => found.ir(body),
            FuncBody::Raw(raw) => {
                let unit = &module.units[raw.unit];
                let read = raw::for_each_index(&raw.bytes, |index| {
                    if index.space == IndexSpace::Func
                        && let Some(Some(func)) =
                            unit.funcs.get(index.value as usize).map(|f| f.expand())
                    {
                        found.others.push(func);
                    }
                });
                found.unreadable = read.is_err();
                visit_relocs(&mut raw.relocs.clone(), &mut found);
            }
        }
        found
    }

    fn ir(&mut self, body: &Body) {
        let cold = cold_blocks(body);
        let mut last = Vec::new();
        for &block in &body.layout {
            let callees = match cold.contains(block) {
                true => &mut last,
                false => &mut self.callees.all,
            };
            direct_callees(&body.blocks[block], |func| callees.push(func));
        }
        self.callees.warm = self.callees.all.len();
        self.callees.all.append(&mut last);
        for imm in body.pool.imms.values() {
            if let Imm::Func(func) = *imm {
                self.others.push(func);
            }
        }
        for &block in &body.layout {
            for inst in &body.blocks[block].insts {
                if let Inst::SymAddr {
                    item: Item::Func(func),
                    ..
                } = *inst
                {
                    self.others.push(func);
                }
            }
        }
    }
}

impl CallGraph {
    /// Reads the graph of `module`. A raw body counts as mentioning each function whose number stands
    /// in it; one that cannot be read mentions everything.
    pub fn of(module: &Module) -> CallGraph {
        let mut mentions = Mentions::default();
        mentions.outside_bodies(module);
        let found: Vec<Found> = module
            .funcs
            .values()
            .as_slice()
            .par_iter()
            .with_min_len(64)
            .map(|data| Found::of(module, data))
            .collect();
        let callees: Vec<Callees> = found
            .into_iter()
            .map(|found| {
                let all = found.callees.all.iter().chain(&found.others);
                all.for_each(|&func| mentions.add(func));
                if found.unreadable {
                    module.funcs.keys().for_each(|func| mentions.add(func));
                }
                found.callees
            })
            .collect();
        let order = callees_first(&callees);
        let mut position = SecondaryMap::new();
        position.resize(module.funcs.len());
        for (place, &func) in (0..).zip(&order) {
            position[func] = place;
        }
        CallGraph {
            order,
            position,
            callees,
            mentions: mentions.counts,
        }
    }

    /// Every function, a callee before its callers wherever the call graph has no cycle, and mostly where it has one that leads
    /// through calls on the way to a trap.
    pub fn callees_first(&self) -> &[Func] {
        &self.order
    }

    /// The functions that `func` calls directly, those last that it calls on the way to a trap; none if it is not in WasmIR form.
    pub fn callees(&self, func: Func) -> &[Func] {
        &self.callees[func.index()].all
    }

    /// Whether `callee` stands before `caller` in [`CallGraph::callees_first`].
    pub fn precedes(&self, callee: Func, caller: Func) -> bool {
        self.position[callee] < self.position[caller]
    }

    /// How often `func` is mentioned, by calls or otherwise.
    pub fn mentions(&self, func: Func) -> u32 {
        self.mentions[func]
    }
}

/// Calls `f` for the target of every direct call of `body`.
pub fn for_each_direct_callee(body: &Body, mut f: impl FnMut(Func)) {
    for &block in &body.layout {
        direct_callees(&body.blocks[block], &mut f);
    }
}

/// Calls `f` for the target of every direct call of a block.
fn direct_callees(data: &BlockData, mut f: impl FnMut(Func)) {
    for inst in &data.insts {
        if let Inst::Call {
            callee: Callee::Direct(func),
            ..
        } = *inst
        {
            f(func);
        }
    }
    if let Terminator::Invoke {
        callee: Callee::Direct(func),
        ..
    }
    | Terminator::ReturnCall {
        callee: Callee::Direct(func),
        ..
    } = data.term
    {
        f(func);
    }
}

#[derive(Default)]
struct Mentions {
    counts: SecondaryMap<Func, u32>,
}

impl EntityVisitor for Mentions {
    fn func(&mut self, func: &mut Func) {
        self.add(*func);
    }
}

impl Mentions {
    fn add(&mut self, func: Func) {
        self.counts[func] = self.counts[func].saturating_add(1);
    }

    fn outside_bodies(&mut self, module: &Module) {
        for export in &module.exports {
            if let Item::Func(func) = export.item {
                self.add(func);
            }
        }
        module
            .start
            .into_iter()
            .chain(module.init_funcs.iter().map(|f| f.1))
            .for_each(|f| self.add(f));
        for (func, data) in module.funcs.iter() {
            // A symbol that others may refer to, or that is kept on purpose.
            if data.symbol.used
                || module.relocatable && data.symbol.linkage != crate::Linkage::Local
            {
                self.add(func);
            }
        }
        for elem in module.elems.values() {
            match &elem.items {
                ElemItems::Funcs(funcs) => funcs.iter().for_each(|&f| self.add(f)),
                ElemItems::Exprs(_) => visit_elem_items(&mut elem.items.clone(), self),
            }
        }
        let inits = module
            .globals
            .values()
            .map(|g| &g.init)
            .chain(module.tables.values().map(|t| &t.init));
        for expr in inits.flatten() {
            visit_const_expr(&mut expr.clone(), self);
        }
        for data in module.datas.values() {
            visit_relocs(&mut data.relocs.clone(), self);
        }
    }
}

/// The place of a function that no component holds yet, or that one does.
const UNSEEN: u32 = u32::MAX;
const PLACED: u32 = u32::MAX - 1;

/// The order of [`CallGraph::callees_first`]: components as Tarjan's algorithm finds them, the lowest number within reach kept on the
/// stack of the walk.
fn callees_first(callees: &[Callees]) -> Vec<Func> {
    let mut order = Vec::with_capacity(callees.len());
    let mut number = vec![UNSEEN; callees.len()];
    let mut open: Vec<Func> = Vec::new();
    let mut within = Within {
        callees,
        state: vec![State::Elsewhere; callees.len()],
        stack: Vec::new(),
    };
    let mut stack: Vec<(Func, std::slice::Iter<'_, Func>, u32)> = Vec::new();
    let mut next_number = 0;
    for root in (0..callees.len()).map(Func::new) {
        if number[root.index()] != UNSEEN {
            continue;
        }
        let mut enter = Some(root);
        loop {
            if let Some(func) = enter.take() {
                number[func.index()] = next_number;
                open.push(func);
                stack.push((func, callees[func.index()].all.iter(), next_number));
                next_number += 1;
            }
            let Some((func, rest, lowest)) = stack.last_mut() else {
                break;
            };
            if let Some(&callee) = rest.next() {
                match number.get(callee.index()) {
                    Some(&UNSEEN) => enter = Some(callee),
                    // Another component's, or no function of this module.
                    Some(&PLACED) | None => {}
                    Some(&seen) => *lowest = seen.min(*lowest),
                }
                continue;
            }
            let (func, lowest) = (*func, *lowest);
            stack.pop();
            if let Some((.., above)) = stack.last_mut() {
                *above = lowest.min(*above);
            }
            if number[func.index()] == lowest {
                let start = open.iter().rposition(|&one| one == func).unwrap_or(0);
                let component = &mut open[start..];
                component.sort_unstable();
                within.callees_first(component, &mut order);
                component
                    .iter()
                    .for_each(|one| number[one.index()] = PLACED);
                open.truncate(start);
            }
        }
    }
    order
}

/// What a walk within a component knows of a function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is in another component.
    Elsewhere,
    /// The walk has not been there.
    Unseen,
    /// It has.
    Seen,
}

/// Puts the functions of one component in order.
struct Within<'a> {
    callees: &'a [Callees],
    state: Vec<State>,
    stack: Vec<(Func, std::slice::Iter<'a, Func>)>,
}

impl Within<'_> {
    /// Appends a component's functions: the postorder of a depth-first walk along warm calls.
    fn callees_first(&mut self, component: &[Func], order: &mut Vec<Func>) {
        if let [one] = *component {
            order.push(one);
            return;
        }
        for func in component {
            self.state[func.index()] = State::Unseen;
        }
        for &root in component {
            self.enter(root);
            while let Some((func, rest)) = self.stack.last_mut() {
                match rest.next() {
                    Some(&callee) => self.enter(callee),
                    None => {
                        order.push(*func);
                        self.stack.pop();
                    }
                }
            }
        }
        for func in component {
            self.state[func.index()] = State::Elsewhere;
        }
    }

    fn enter(&mut self, func: Func) {
        if let Some(state @ State::Unseen) = self.state.get_mut(func.index()) {
            *state = State::Seen;
            let callees = self.callees[func.index()].warm();
            self.stack.push((func, callees.iter()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_on_the_way_to_a_trap_make_no_cycle() {
        // `grow` panics, panicking formats, formatting grows: but for the panic, `format` calls `grow`.
        let text = "wasmir 1\n\
            type type0 = func(i32) -> ()\n\
            func %grow type0 {\n  param l0: i32\nb0:\n  br_if l0, b1, b2\nb1:\n  call %panic(l0)\n  unreachable\nb2:\n  return\n}\n\
            func %panic type0 {\n  param l0: i32\nb0:\n  call %format(l0)\n  call %other(l0)\n  return\n}\n\
            func %format type0 {\n  param l0: i32\nb0:\n  call %grow(l0)\n  call %leaf(l0)\n  return\n}\n\
            func %leaf type0 {\n  param l0: i32\nb0:\n  return\n}\n\
            func %other type0 {\n  param l0: i32\nb0:\n  call %other(l0)\n  call %leaf(l0)\n  return\n}\n";
        let module = crate::parse_module(text).unwrap();
        let graph = CallGraph::of(&module);
        let name = |func: &Func| module.funcs[*func].symbol.name.as_deref().unwrap_or("");
        let order: Vec<&str> = graph.callees_first().iter().map(name).collect();
        assert_eq!(order, ["leaf", "other", "grow", "format", "panic"]);
        assert_eq!(graph.callees(Func::from_u32(0)), [Func::from_u32(1)]);
    }
}
