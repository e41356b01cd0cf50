//! Who mentions whom: the order in which functions are optimised, and how often each is mentioned.
//!
//! # Cost
//! O(size of the module); explicit stacks only.

use crate::body::Body;
use crate::entities::{Func, Item};
use crate::inst::{Callee, Imm, Inst, Terminator};
use crate::module::{ElemItems, FuncBody, Module};
use crate::raw::{self, IndexSpace};
use crate::refs::{EntityVisitor, visit_const_expr, visit_elem_items, visit_relocs};
use cranelift_entity::SecondaryMap;

/// The direct calls of a module and the mentions of its functions.
#[derive(Clone, Debug)]
pub struct CallGraph {
    order: Vec<Func>,
    mentions: SecondaryMap<Func, u32>,
}

impl CallGraph {
    /// Reads the graph of `module`. A raw body counts as mentioning each function whose number stands
    /// in it; one that cannot be read mentions everything.
    pub fn of(module: &Module) -> CallGraph {
        let mut mentions = Mentions::default();
        mentions.outside_bodies(module);
        for data in module.funcs.values() {
            match &data.body {
                FuncBody::None => {}
                FuncBody::Ir(body) => mentions.body(body),
                FuncBody::Raw(raw) => {
                    let unit = &module.units[raw.unit];
                    let read = raw::for_each_index(&raw.bytes, |index| {
                        if index.space == IndexSpace::Func
                            && let Some(Some(func)) =
                                unit.funcs.get(index.value as usize).map(|f| f.expand())
                        {
                            mentions.add(func);
                        }
                    });
                    if read.is_err() {
                        module.funcs.keys().for_each(|func| mentions.add(func));
                    }
                    visit_relocs(&mut raw.relocs.clone(), &mut mentions);
                }
            }
        }
        CallGraph {
            order: callees_first(module),
            mentions: mentions.counts,
        }
    }

    /// Every function, a callee before its callers wherever the call graph has no cycle: the
    /// postorder of a depth-first walk in order of the functions' numbers.
    pub fn callees_first(&self) -> &[Func] {
        &self.order
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

    fn body(&mut self, body: &Body) {
        for_each_direct_callee(body, |func| self.add(func));
        for imm in body.pool.imms.values() {
            if let Imm::Func(func) = *imm {
                self.add(func);
            }
        }
        for &block in &body.layout {
            for inst in &body.blocks[block].insts {
                if let Inst::SymAddr {
                    item: Item::Func(func),
                    ..
                } = *inst
                {
                    self.add(func);
                }
            }
        }
    }
}

fn callees_first(module: &Module) -> Vec<Func> {
    let callees = |func: Func| -> Vec<Func> {
        let mut found = Vec::new();
        if let FuncBody::Ir(body) = &module.funcs[func].body {
            for_each_direct_callee(body, |callee| found.push(callee));
            // The first call is visited first.
            found.reverse();
        }
        found
    };
    let mut seen: SecondaryMap<Func, bool> = SecondaryMap::new();
    let mut order = Vec::with_capacity(module.funcs.len());
    let mut stack: Vec<(Func, Vec<Func>)> = Vec::new();
    for root in module.funcs.keys() {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        stack.push((root, callees(root)));
        while let Some((func, rest)) = stack.last_mut() {
            match rest.pop() {
                Some(next) => {
                    if module.funcs.is_valid(next) && !std::mem::replace(&mut seen[next], true) {
                        stack.push((next, callees(next)));
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
