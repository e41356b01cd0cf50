//! Who mentions whom: the order in which functions are optimised, and how often each is mentioned.
//!
//! # Cost
//! O(size of the module), bodies in parallel; explicit stacks only.

use crate::body::Body;
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
    /// The callees of each function in WasmIR form, in order of the calls.
    callees: Vec<Vec<Func>>,
    mentions: SecondaryMap<Func, u32>,
}

/// What one body mentions.
#[derive(Default)]
struct Found {
    callees: Vec<Func>,
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
        for_each_direct_callee(body, |func| self.callees.push(func));
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
        let callees: Vec<Vec<Func>> = found
            .into_iter()
            .map(|found| {
                let all = found.callees.iter().chain(&found.others);
                all.for_each(|&func| mentions.add(func));
                if found.unreadable {
                    module.funcs.keys().for_each(|func| mentions.add(func));
                }
                found.callees
            })
            .collect();
        let order = callees_first(module, &callees);
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

    /// Every function, a callee before its callers wherever the call graph has no cycle: the
    /// postorder of a depth-first walk in order of the functions' numbers.
    pub fn callees_first(&self) -> &[Func] {
        &self.order
    }

    /// The functions that `func` calls directly, in order of the calls; none if it is not in WasmIR form.
    pub fn callees(&self, func: Func) -> &[Func] {
        &self.callees[func.index()]
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
        let data = &body.blocks[block];
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

fn callees_first(module: &Module, callees: &[Vec<Func>]) -> Vec<Func> {
    let mut seen: SecondaryMap<Func, bool> = SecondaryMap::new();
    seen.resize(module.funcs.len());
    let mut order = Vec::with_capacity(module.funcs.len());
    let mut stack: Vec<(Func, std::slice::Iter<'_, Func>)> = Vec::new();
    for root in module.funcs.keys() {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        stack.push((root, callees[root.index()].iter()));
        while let Some((func, rest)) = stack.last_mut() {
            match rest.next() {
                Some(&next) => {
                    if module.funcs.is_valid(next) && !std::mem::replace(&mut seen[next], true) {
                        stack.push((next, callees[next.index()].iter()));
                    }
                }
                None => {
                    order.push(*func);
                    stack.pop();
                }
            }
        }
    }
    order
}
