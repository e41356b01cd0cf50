//! Which functions and data a program can come to at all.
//!
//! In a module with symbols, as front ends make them and before a linker chose addresses, a vtable is data with relocations to
//! functions. That puts the functions into the table of function pointers, so any indirect call of their type might call them. But an
//! index comes out of a vtable only by a load from its address, and only code or data that runs or is read can know the address: a
//! vtable that nothing alive refers to gives nothing away. The same holds for the address of a function taken by code that is dead.
//!
//! # Roots
//! Exports, the start function, init functions, what is marked `used`, functions with a contract (whose effects somebody asks for),
//! what segments put into tables, and in objects everything that another object may name.
//!
//! # Algorithm
//! A walk from the roots. A function makes alive what it calls and whose address it takes; data make alive what their relocations name;
//! a further symbol of data makes the data alive. An indirect call makes nothing alive by itself: what it calls has had its address
//! taken by something alive, which did.
//!
//! # Soundness
//! An address is a number, and numbers can be made up; but a program that reads a vtable it has no address of reads what the linker may
//! put anywhere, and so does one that adds to the address of other data until it comes to the vtable. Neither is what a source language
//! gives a meaning to. A linked module has no relocations: every function in its table is reachable, and nothing is refined there.
//!
//! # Cost
//! Linear in the number of functions, data, and references between them.

use wasmir::entity::EntitySet;
use wasmir::{
    ConstOp, Data, DataKind, ElemItems, ElemKind, Func, Item, Linkage, Module, RelocTarget, Symbol,
};

use crate::graph::Facts;

/// What a program can come to.
pub(crate) struct Live {
    funcs: EntitySet<Func>,
    datas: EntitySet<Data>,
    work: Vec<Item>,
}

impl Live {
    /// Walks `module`, of whose functions `facts` says what they refer to.
    pub(crate) fn of(module: &Module, facts: &[Facts]) -> Live {
        let mut live = Live {
            funcs: EntitySet::with_capacity(module.funcs.len()),
            datas: EntitySet::with_capacity(module.datas.len()),
            work: Vec::new(),
        };
        live.roots(module);
        while let Some(item) = live.work.pop() {
            match item {
                Item::Func(func) => {
                    if let Some(facts) = facts.get(func.as_u32() as usize) {
                        let funcs = facts.calls.iter().chain(&facts.loose);
                        funcs.for_each(|&func| live.see(Item::Func(func)));
                        facts
                            .datas
                            .iter()
                            .for_each(|&data| live.see(Item::Data(data)));
                    }
                }
                Item::Data(data) => {
                    let Some(data) = module.datas.get(data) else {
                        continue;
                    };
                    if let DataKind::Alias { of, .. } = data.kind {
                        live.see(Item::Data(of));
                    }
                    for reloc in &data.relocs {
                        if let RelocTarget::Item(item) = reloc.target {
                            live.see(item);
                        }
                    }
                }
                Item::Table(_) | Item::Memory(_) | Item::Global(_) | Item::Tag(_) => {}
            }
        }
        live
    }

    /// Whether the program can come to a function.
    pub(crate) fn func(&self, func: Func) -> bool {
        self.funcs.contains(func)
    }

    /// Whether the program can come to data.
    pub(crate) fn data(&self, data: Data) -> bool {
        self.datas.contains(data)
    }

    fn see(&mut self, item: Item) {
        let new = match item {
            Item::Func(func) => self.funcs.insert(func),
            Item::Data(data) => self.datas.insert(data),
            Item::Table(_) | Item::Memory(_) | Item::Global(_) | Item::Tag(_) => false,
        };
        if new {
            self.work.push(item);
        }
    }

    fn roots(&mut self, module: &Module) {
        let is_root = |symbol: &Symbol| {
            let named = matches!(symbol.linkage, Linkage::Strong | Linkage::Weak);
            symbol.used || module.relocatable && named
        };
        for (func, data) in module.funcs.iter() {
            if is_root(&data.symbol) {
                self.see(Item::Func(func));
            }
        }
        for (id, data) in module.datas.iter() {
            // Segments with a place of their own are there whatever refers to them.
            let placed = matches!(data.kind, DataKind::Active { .. } | DataKind::Passive);
            if placed || is_root(&data.symbol) {
                self.see(Item::Data(id));
            }
        }
        module
            .exports
            .iter()
            .for_each(|export| self.see(export.item));
        module
            .start
            .iter()
            .for_each(|&func| self.see(Item::Func(func)));
        module
            .init_funcs
            .iter()
            .for_each(|&(_, func)| self.see(Item::Func(func)));
        module
            .contracts
            .keys()
            .for_each(|&func| self.see(Item::Func(func)));
        for elem in module.elems.values() {
            if matches!(elem.kind, ElemKind::Declared) {
                continue;
            }
            match &elem.items {
                ElemItems::Funcs(funcs) => {
                    funcs.iter().for_each(|&func| self.see(Item::Func(func)))
                }
                ElemItems::Exprs(exprs) => exprs.iter().for_each(|expr| self.expr(expr)),
            }
        }
        let globals = module
            .globals
            .values()
            .filter_map(|global| global.init.as_ref());
        let tables = module
            .tables
            .values()
            .filter_map(|table| table.init.as_ref());
        globals.chain(tables).for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &[ConstOp]) {
        for op in expr {
            match *op {
                ConstOp::RefFunc(func) => self.see(Item::Func(func)),
                ConstOp::SymAddr(item, _) => self.see(item),
                _ => {}
            }
        }
    }
}
