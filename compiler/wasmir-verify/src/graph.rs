//! The call graph: who may call whom, and which effects a function has by itself.
//!
//! # Nodes
//! Functions, and one node for each way of calling indirectly: a table with a type, or a type alone for references. Such
//! a node stands between its callers and every function that the call may reach, so that the graph stays linear in the
//! size of the module where a list of callees for each call would not.
//!
//! # What an indirect call may reach
//! * Through a table: functions that got into the table by an element segment, and *loose* ones; of these, the functions
//!   whose type is a subtype of the type called. Functions are loose when a reference to them exists outside of active
//!   segments: by `ref.func` in code, by a passive or declared segment, in a global.
//! * Through a reference: every function whose reference exists at all, and exported functions where references to
//!   functions can come in from outside.
//! * An imported table, and references that come in from outside, may hold functions of the host: the effect `host`.
//!
//! An exported table is taken to hold what the module put there: the tables that linkers export are for calling, and
//! counting the host's possible additions would make every such module impure. What only objects have: the address of a
//! function (`sym_addr`, a relocation) makes it loose, and the table of function pointers, which every object imports from the linker,
//! is the program's own. What dead code does and what dead data hold, vtables above all, does not
//! count: `live.rs` says what is dead and why that is sound.
//!
//! # Cost
//! Linear in the size of the module.

use std::collections::BTreeMap;

use rayon::prelude::*;
use wasmir::entity::{EntityRef, SecondaryMap};
use wasmir::raw::{self, Event, IndexSpace};
use wasmir::reach::BadBody;
use wasmir::{
    AbstractHeap, Body, Callee, ConstOp, Data, ElemItems, ElemKind, Func, FuncBody, HeapType, Imm,
    Inst, Item, Linkage, Module, Opcode, RefType, RelocTarget, Subtyping, Table, TableData,
    Terminator, Traits, Type, TypeId,
};

use crate::effect::{Effect, EffectSet};
use crate::imports::ImportRules;
use crate::live::Live;

/// An indirect way of calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Via {
    /// `call_indirect`
    Table(Table, TypeId),
    /// `call_ref`
    Reference(TypeId),
}

/// A node: functions come first, then the indirect ways of calling.
pub(crate) type Node = u32;

/// The graph.
pub(crate) struct Graph {
    /// How many of the nodes are functions.
    pub(crate) funcs: u32,
    /// The effects each node has by itself, with what shows it.
    pub(crate) own: Vec<EffectSet>,
    /// For each node the nodes that may call it, by ascending number.
    pub(crate) callers: Vec<Vec<Node>>,
    /// How many references between functions, and between these and nodes, were followed to make it.
    pub(crate) edges: u64,
    /// The operator of a function that first shows an effect of its own.
    pub(crate) shown_by: BTreeMap<(Node, Effect), Opcode>,
}

/// What the body of one function does.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) calls: Vec<Func>,
    via: Vec<Via>,
    /// Functions whose reference or address it takes.
    pub(crate) loose: Vec<Func>,
    /// Data symbols whose address it takes.
    pub(crate) datas: Vec<Data>,
    ops: Vec<(Effect, Opcode)>,
}

/// The effects of an operator by itself.
pub(crate) fn op_effects(op: Opcode) -> EffectSet {
    let mut set = EffectSet::PURE;
    let traits = op.traits();
    if traits.contains(Traits::ATOMIC) {
        if traits.contains(Traits::READS) {
            set.insert(Effect::ATOMIC_READ);
        }
        if traits.contains(Traits::WRITES) {
            set.insert(Effect::ATOMIC_WRITE);
        }
    }
    match op {
        Opcode::MemoryAtomicWait32 | Opcode::MemoryAtomicWait64 => set.insert(Effect::THREAD),
        Opcode::MemoryGrow => set.insert(Effect::MEMORY_GROW),
        _ => {}
    }
    set
}

impl Facts {
    fn op(&mut self, op: Opcode) {
        for effect in op_effects(op).iter() {
            self.effect(effect, op);
        }
    }

    fn effect(&mut self, effect: Effect, op: Opcode) {
        if !self.ops.iter().any(|&(known, _)| known == effect) {
            self.ops.push((effect, op));
        }
    }

    fn finish(&mut self) {
        self.calls.sort_unstable();
        self.calls.dedup();
        self.via.sort_unstable();
        self.via.dedup();
        self.loose.sort_unstable();
        self.loose.dedup();
        self.datas.sort_unstable();
        self.datas.dedup();
    }
}

/// Reads a raw body.
fn raw_facts(
    module: &Module,
    body: &wasmir::RawBody,
    facts: &mut Facts,
) -> Result<(), wasmir::Malformed> {
    let unreadable = wasmir::Malformed {
        offset: 0,
        expected: "a unit that was not removed",
    };
    let unit = module.units.get(body.unit).ok_or(unreadable)?;
    let mut op = Opcode::Nop;
    let mut ty = None;
    raw::walk(&body.bytes, |event| match event {
        Event::Op(next) => {
            op = next;
            facts.op(next);
        }
        Event::Index(index) => {
            let at = index.value as usize;
            match (op, index.space) {
                (Opcode::Call | Opcode::ReturnCall, IndexSpace::Func) => {
                    facts
                        .calls
                        .extend(unit.funcs.get(at).and_then(|func| func.expand()));
                }
                (_, IndexSpace::Func) => facts
                    .loose
                    .extend(unit.funcs.get(at).and_then(|func| func.expand())),
                (Opcode::CallIndirect | Opcode::ReturnCallIndirect, IndexSpace::Type) => {
                    ty = unit.types.get(at).copied();
                }
                (Opcode::CallIndirect | Opcode::ReturnCallIndirect, IndexSpace::Table) => {
                    let table = unit.tables.get(at).and_then(|table| table.expand());
                    facts
                        .via
                        .extend(table.zip(ty).map(|(table, ty)| Via::Table(table, ty)));
                }
                (Opcode::CallRef | Opcode::ReturnCallRef, IndexSpace::Type) => {
                    facts
                        .via
                        .extend(unit.types.get(at).map(|&ty| Via::Reference(ty)));
                }
                _ => {}
            }
        }
        // What a number is the address of, its relocation says.
        Event::Number(..) => {}
    })?;
    // A relocation that names a function either makes a call, which the walk has seen with the number of the object, or
    // takes the address.
    for reloc in &body.relocs {
        match reloc.target {
            RelocTarget::Item(Item::Func(func)) => {
                facts.calls.push(func);
                facts.loose.push(func);
            }
            RelocTarget::Item(Item::Data(data)) => facts.datas.push(data),
            _ => {}
        }
    }
    Ok(())
}

fn ir_facts(body: &Body, facts: &mut Facts) {
    let callee = |facts: &mut Facts, callee: Callee| match callee {
        Callee::Direct(func) => facts.calls.push(func),
        Callee::Indirect { table, ty } => facts.via.push(Via::Table(table, ty)),
        Callee::Ref(ty) => facts.via.push(Via::Reference(ty)),
    };
    for &block in &body.layout {
        let data = &body.blocks[block];
        for inst in &data.insts {
            match *inst {
                Inst::Unary { op, .. } | Inst::Binary { op, .. } | Inst::Ternary { op, .. } => {
                    facts.op(op)
                }
                Inst::Load { op, .. } | Inst::Store { op, .. } => facts.op(op),
                Inst::Op { op, imm, .. } => {
                    facts.op(op);
                    if let Some(Imm::Func(func)) = imm.expand().map(|imm| body.pool.imms[imm]) {
                        facts.loose.push(func);
                    }
                }
                Inst::Call { callee: to, .. } => callee(facts, to),
                Inst::SymAddr {
                    item: Item::Func(func),
                    ..
                } => facts.loose.push(func),
                Inst::SymAddr {
                    item: Item::Data(data),
                    ..
                } => facts.datas.push(data),
                _ => {}
            }
        }
        match data.term {
            Terminator::ReturnCall { callee: to, .. } | Terminator::Invoke { callee: to, .. } => {
                callee(facts, to)
            }
            _ => {}
        }
    }
}

/// The functions that `func` calls directly, once each.
pub(crate) fn direct_calls(module: &Module, func: Func) -> Result<Vec<Func>, BadBody> {
    let mut facts = Facts::default();
    match &module.funcs[func].body {
        FuncBody::None => {}
        FuncBody::Raw(body) => {
            raw_facts(module, body, &mut facts).map_err(|error| BadBody { func, error })?;
        }
        FuncBody::Ir(body) => ir_facts(body, &mut facts),
    }
    facts.finish();
    Ok(facts.calls)
}

/// Whether a value of this type may be a reference to a function.
fn may_be_function(types: &wasmir::Types, ty: Type) -> bool {
    match ty {
        Type::Ref(RefType {
            heap: HeapType::Abstract { kind, .. },
            ..
        }) => kind == AbstractHeap::Func,
        Type::Ref(RefType {
            heap: HeapType::Concrete(id),
            ..
        }) => types.func(id).is_some(),
        _ => false,
    }
}

/// Whether a table may hold functions of the host: it is imported, and not from the linker.
fn holds_unknown(module: &Module, table: &TableData) -> bool {
    let linkers = module.relocatable
        && matches!(table.symbol.linkage, Linkage::Undefined)
        && table.symbol.name.as_deref() == Some("__indirect_function_table");
    table.import.is_some() && !linkers
}

/// Whether references to functions that the module does not know can reach its code.
fn functions_come_in(module: &Module) -> bool {
    let types = &module.types;
    let any = |list: &[Type]| list.iter().any(|&ty| may_be_function(types, ty));
    let exported = module.exports.iter().any(|export| match export.item {
        Item::Func(func) => module.func_type(func).is_some_and(|ty| any(&ty.params)),
        Item::Global(global) => {
            module.globals[global].mutable && may_be_function(types, module.globals[global].ty)
        }
        _ => false,
    });
    exported
        || module.funcs.iter().any(|(func, data)| {
            data.import.is_some() && module.func_type(func).is_some_and(|ty| any(&ty.results))
        })
        || module
            .globals
            .values()
            .any(|global| global.import.is_some() && may_be_function(types, global.ty))
        || module
            .tables
            .values()
            .any(|table| holds_unknown(module, table))
        || module
            .tags
            .values()
            .any(|tag| tag.import.is_some() && types.func(tag.ty).is_some_and(|ty| any(&ty.params)))
}

impl Graph {
    /// Reads the graph of `module`. Functions of which `ends` is true end the program; direct calls of them are left out.
    pub(crate) fn of(
        module: &Module,
        own: &dyn Fn(Func) -> Option<EffectSet>,
        rules: &ImportRules,
        ends: &dyn Fn(Func) -> bool,
    ) -> Result<Graph, BadBody> {
        let list: Vec<Func> = module.funcs.keys().collect();
        let facts: Vec<Result<Facts, BadBody>> = list
            .par_iter()
            .with_min_len(256)
            .map(|&func| {
                let mut facts = Facts::default();
                match &module.funcs[func].body {
                    FuncBody::None => {}
                    FuncBody::Raw(body) => {
                        raw_facts(module, body, &mut facts)
                            .map_err(|error| BadBody { func, error })?;
                    }
                    FuncBody::Ir(body) => ir_facts(body, &mut facts),
                }
                facts.finish();
                Ok(facts)
            })
            .collect();
        let facts = facts.into_iter().collect::<Result<Vec<Facts>, BadBody>>()?;

        let mut graph = Graph {
            funcs: list.len() as u32,
            own: vec![EffectSet::PURE; list.len()],
            callers: vec![Vec::new(); list.len()],
            edges: 0,
            shown_by: BTreeMap::new(),
        };
        for (&func, data) in list.iter().zip(module.funcs.values()) {
            let node = func.as_u32();
            if let Some(declared) = own(func) {
                graph.own[node as usize] = declared;
            } else if let Some(import) = &data.import {
                graph.own[node as usize] = rules.effects(import);
            }
            for &(effect, op) in &facts[func.index()].ops {
                graph.own[node as usize].insert(effect);
                graph.shown_by.insert((node, effect), op);
            }
        }

        let vias = graph.indirect(module, &facts);
        for (func, facts) in list.iter().zip(&facts) {
            for callee in facts.calls.iter().filter(|&&callee| !ends(callee)) {
                graph.edge(func.as_u32(), callee.as_u32());
            }
            for via in &facts.via {
                if let Some(&node) = vias.get(via) {
                    graph.edge(func.as_u32(), node);
                }
            }
        }
        for callers in &mut graph.callers {
            callers.sort_unstable();
            callers.dedup();
        }
        Ok(graph)
    }

    fn edge(&mut self, caller: Node, callee: Node) {
        self.edges += 1;
        if let Some(callers) = self.callers.get_mut(callee as usize) {
            callers.push(caller);
        }
    }

    /// Makes the nodes of indirect calls and their edges.
    fn indirect(&mut self, module: &Module, facts: &[Facts]) -> BTreeMap<Via, Node> {
        let mut vias: BTreeMap<Via, Node> = BTreeMap::new();
        for via in facts.iter().flat_map(|facts| &facts.via) {
            vias.entry(*via).or_insert(0);
        }
        if vias.is_empty() {
            return vias;
        }
        let places = Places::of(module, facts);
        let incoming = functions_come_in(module);
        let subtyping = Subtyping::new(&module.types);

        // Functions by the canonical type and all its supertypes, so that a lookup finds the subtypes too.
        let mut by_type: BTreeMap<TypeId, Vec<Func>> = BTreeMap::new();
        for func in module
            .funcs
            .keys()
            .filter(|&func| places.anywhere(func) || incoming)
        {
            let mut ty = Some(module.funcs[func].ty);
            // A chain of supertypes is at most 63 long in a valid module.
            for _ in 0..64 {
                let Some(id) = ty else { break };
                by_type
                    .entry(subtyping.canonical(id))
                    .or_default()
                    .push(func);
                ty = module.types.get(id).and_then(|def| def.supertype);
            }
        }

        // Ways that differ only in the spelling of the type share a node.
        let mut canonical: BTreeMap<Via, Node> = BTreeMap::new();
        for (&via, node) in &mut vias {
            let (via, ty) = match via {
                Via::Table(table, ty) => (
                    Via::Table(table, subtyping.canonical(ty)),
                    subtyping.canonical(ty),
                ),
                Via::Reference(ty) => (
                    Via::Reference(subtyping.canonical(ty)),
                    subtyping.canonical(ty),
                ),
            };
            if let Some(&known) = canonical.get(&via) {
                *node = known;
                continue;
            }
            *node = self.own.len() as Node;
            canonical.insert(via, *node);
            self.own.push(EffectSet::PURE);
            self.callers.push(Vec::new());
            let unknown = match via {
                Via::Table(table, _) => module
                    .tables
                    .get(table)
                    .is_none_or(|table| holds_unknown(module, table)),
                Via::Reference(_) => incoming,
            };
            if unknown {
                self.own[*node as usize].insert(Effect::HOST);
            }
            for &func in by_type.get(&ty).into_iter().flatten() {
                let reached = match via {
                    Via::Table(table, _) => places.in_table(func, table),
                    Via::Reference(_) => places.anywhere(func) || places.exported[func],
                };
                if reached {
                    self.edge(*node, func.as_u32());
                }
            }
        }
        vias
    }
}

/// Where references to functions are.
struct Places {
    /// References exist outside of active segments.
    loose: SecondaryMap<Func, bool>,
    /// The tables whose segments hold the function; nearly always one.
    tables: BTreeMap<Func, Vec<Table>>,
    exported: SecondaryMap<Func, bool>,
}

impl Places {
    fn of(module: &Module, facts: &[Facts]) -> Places {
        let live = Live::of(module, facts);
        let mut places = Places {
            loose: SecondaryMap::new(),
            tables: BTreeMap::new(),
            exported: SecondaryMap::new(),
        };
        for (func, facts) in module.funcs.keys().zip(facts) {
            if live.func(func) {
                facts
                    .loose
                    .iter()
                    .for_each(|&func| places.loose[func] = true);
            }
        }
        for export in &module.exports {
            if let Item::Func(func) = export.item {
                places.exported[func] = true;
            }
        }
        for elem in module.elems.values() {
            let table = match elem.kind {
                ElemKind::Active { table, .. } => Some(table),
                ElemKind::Passive => None,
                // A declared segment only permits `ref.func`, which the code shows by itself.
                ElemKind::Declared => continue,
            };
            let mut add = |func: Func| match table {
                Some(table) => places.tables.entry(func).or_default().push(table),
                None => places.loose[func] = true,
            };
            match &elem.items {
                ElemItems::Funcs(funcs) => funcs.iter().copied().for_each(&mut add),
                ElemItems::Exprs(exprs) => exprs.iter().flatten().for_each(|op| {
                    if let ConstOp::RefFunc(func) = op {
                        add(*func);
                    }
                }),
            }
        }
        let initialisers = module
            .globals
            .values()
            .filter_map(|global| global.init.as_ref());
        let initialisers = initialisers.chain(
            module
                .tables
                .values()
                .filter_map(|table| table.init.as_ref()),
        );
        for op in initialisers.flatten() {
            if let ConstOp::RefFunc(func) | ConstOp::SymAddr(Item::Func(func), _) = op {
                places.loose[*func] = true;
            }
        }
        // Relocations of custom sections are debug information, which calls nothing.
        let datas = module.datas.iter().filter(|(id, _)| live.data(*id));
        for reloc in datas.flat_map(|(_, data)| &data.relocs) {
            if let RelocTarget::Item(Item::Func(func)) = reloc.target {
                places.loose[func] = true;
            }
        }
        places
    }

    fn anywhere(&self, func: Func) -> bool {
        self.loose[func] || self.tables.contains_key(&func)
    }

    fn in_table(&self, func: Func, table: Table) -> bool {
        self.loose[func]
            || self
                .tables
                .get(&func)
                .is_some_and(|tables| tables.contains(&table))
    }
}
