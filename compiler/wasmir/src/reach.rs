//! Reachability: which entities a module needs, and a module without the others.
//!
//! # Algorithm
//! A worklist from the roots: exports, the start and init functions, symbols marked `used`, and (in
//! final modules) everything instantiation itself does: active segments whose target is needed or
//! visible outside. From there it follows bodies (raw bodies are scanned, not lifted), initialisers,
//! relocations and types. Two edges are conditional, so that they are followed only when both ends
//! matter: an active element segment is needed when its table is, an active data segment when its
//! memory is. A segment whose application may trap (its offset is not provably in bounds) is a root
//! as well, since removing it would remove the trap; the same holds for a segment that fills an
//! imported or exported table or memory.
//!
//! In objects, data are symbols and are kept only when a relocation or an export reaches them.
//!
//! # Invariants
//! [`shake`] keeps the relative order of entities, so its output is a function of the module alone;
//! it renumbers everything, the maps of units included, so that raw bodies keep their bytes.
//!
//! # Parallel work
//! The worklist is taken in waves: the bodies of a wave are read in parallel, and what they mention is marked by one
//! thread, in order. What is needed does not depend on the order.
//!
//! # Cost
//! Linear in the size of the module: every entity is entered once and every byte scanned once.

use crate::entities::*;
use crate::leb::Malformed;
use crate::module::*;
use crate::raw::{self, IndexSpace};
use crate::refs::*;
use crate::renumber::Renumber;
use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{EntityRef, EntitySet, PrimaryMap, SecondaryMap};
use rayon::prelude::*;
use std::mem;

/// The entities that are needed.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Functions.
    pub funcs: EntitySet<Func>,
    /// Tables.
    pub tables: EntitySet<Table>,
    /// Memories.
    pub memories: EntitySet<Memory>,
    /// Globals.
    pub globals: EntitySet<Global>,
    /// Tags.
    pub tags: EntitySet<Tag>,
    /// Data segments and symbols.
    pub datas: EntitySet<Data>,
    /// Element segments.
    pub elems: EntitySet<Elem>,
}

/// What [`shake`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Functions removed, imports included.
    pub funcs: usize,
    /// Data segments or symbols removed.
    pub datas: usize,
    /// Other entities removed.
    pub others: usize,
}

/// A raw body that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBody {
    /// The function.
    pub func: Func,
    /// What is wrong with it.
    pub error: Malformed,
}

impl std::fmt::Display for BadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot read the body of `{}`: {}", self.func, self.error)
    }
}

impl std::error::Error for BadBody {}

/// Finds the entities of `module` that are needed.
///
/// # Errors
/// If a raw body cannot be read.
pub fn find(module: &Module) -> Result<Live, BadBody> {
    let mut marker = Marker::default();
    marker.roots(module);
    while !marker.work.is_empty() {
        let wave = mem::take(&mut marker.work);
        for &work in &wave {
            marker.follow(module, work);
        }
        let bodies = |marker: &mut Marker, lot: &[Work]| {
            lot.iter().try_for_each(|work| match *work {
                Work::Func(func) => marker.body(module, func),
                _ => Ok(()),
            })
        };
        if wave.len() <= WAVE_LOT {
            bodies(&mut marker, &wave)?;
            continue;
        }
        let lots = wave.par_chunks(WAVE_LOT).map(|lot| {
            let mut found = Marker::default();
            bodies(&mut found, lot).map(|()| found.work)
        });
        for found in lots.collect::<Vec<Result<Vec<Work>, BadBody>>>() {
            found?.into_iter().for_each(|work| marker.mark(work));
        }
    }
    // A declared segment allows `ref.func`; it does not keep functions, it follows them.
    for (id, elem) in module.elems.iter() {
        if elem.kind == ElemKind::Declared && declared_any(&elem.items, &marker.live.funcs) {
            marker.live.elems.insert(id);
        }
    }
    Ok(marker.live)
}

/// Removes what is not needed.
///
/// # Errors
/// If a raw body cannot be read; the module is then unchanged.
pub fn run(module: &mut Module) -> Result<Stats, BadBody> {
    let live = find(module)?;
    Ok(shake(module, &live))
}

/// How much of a wave is one task.
const WAVE_LOT: usize = 64;

#[derive(Clone, Copy)]
enum Work {
    Func(Func),
    Table(Table),
    Memory(Memory),
    Global(Global),
    Tag(Tag),
    Data(Data),
    Elem(Elem),
}

#[derive(Default)]
struct Marker {
    live: Live,
    work: Vec<Work>,
    /// Active segments by what they fill.
    table_elems: SecondaryMap<Table, Vec<Elem>>,
    memory_datas: SecondaryMap<Memory, Vec<Data>>,
}

impl EntityVisitor for Marker {
    fn func(&mut self, x: &mut Func) {
        if self.live.funcs.insert(*x) {
            self.work.push(Work::Func(*x));
        }
    }
    fn table(&mut self, x: &mut Table) {
        if self.live.tables.insert(*x) {
            self.work.push(Work::Table(*x));
        }
    }
    fn memory(&mut self, x: &mut Memory) {
        if self.live.memories.insert(*x) {
            self.work.push(Work::Memory(*x));
        }
    }
    fn global(&mut self, x: &mut Global) {
        if self.live.globals.insert(*x) {
            self.work.push(Work::Global(*x));
        }
    }
    fn tag(&mut self, x: &mut Tag) {
        if self.live.tags.insert(*x) {
            self.work.push(Work::Tag(*x));
        }
    }
    fn data(&mut self, x: &mut Data) {
        if self.live.datas.insert(*x) {
            self.work.push(Work::Data(*x));
        }
    }
    fn elem(&mut self, x: &mut Elem) {
        if self.live.elems.insert(*x) {
            self.work.push(Work::Elem(*x));
        }
    }
}

impl Marker {
    fn roots(&mut self, module: &Module) {
        for export in &module.exports {
            self.item(&mut export.item.clone());
        }
        for func in module
            .start
            .iter()
            .chain(module.init_funcs.iter().map(|(_, f)| f))
        {
            self.func(&mut func.clone());
        }
        macro_rules! used {
            ($($map:ident $method:ident),*) => {$(
                for (id, data) in module.$map.iter() {
                    if data.symbol.used {
                        self.$method(&mut id.clone());
                    }
                }
            )*};
        }
        used!(funcs func, tables table, memories memory, globals global, tags tag, datas data);
        for custom in &module.customs {
            // Debug information names entities without keeping them.
            if !custom.name.starts_with(".debug") {
                visit_relocs(&mut custom.relocs.clone(), self);
            }
        }
        for (id, elem) in module.elems.iter() {
            if let ElemKind::Active { table, offset } = &elem.kind {
                let len = match &elem.items {
                    ElemItems::Funcs(items) => items.len(),
                    ElemItems::Exprs(items) => items.len(),
                };
                let t = &module.tables[*table];
                if t.import.is_some() || !in_bounds(offset, len as u64, t.min) {
                    self.elem(&mut id.clone());
                } else {
                    self.table_elems[*table].push(id);
                }
            }
        }
        for (id, data) in module.datas.iter() {
            if let DataKind::Active { memory, offset } = &data.kind {
                let m = &module.memories[*memory];
                let size = m
                    .min
                    .checked_shl(m.page_size_log2.unwrap_or(16))
                    .unwrap_or(0);
                if m.import.is_some() || !in_bounds(offset, data.bytes.len() as u64, size) {
                    self.data(&mut id.clone());
                } else {
                    self.memory_datas[*memory].push(id);
                }
            }
        }
    }

    fn mark(&mut self, work: Work) {
        match work {
            Work::Func(mut x) => self.func(&mut x),
            Work::Table(mut x) => self.table(&mut x),
            Work::Memory(mut x) => self.memory(&mut x),
            Work::Global(mut x) => self.global(&mut x),
            Work::Tag(mut x) => self.tag(&mut x),
            Work::Data(mut x) => self.data(&mut x),
            Work::Elem(mut x) => self.elem(&mut x),
        }
    }

    /// Marks what an entity mentions outside of bodies.
    fn follow(&mut self, module: &Module, work: Work) {
        match work {
            Work::Func(_) | Work::Tag(_) => {}
            Work::Table(table) => {
                if let Some(init) = &module.tables[table].init {
                    visit_const_expr(&mut init.clone(), self);
                }
                for mut elem in mem::take(&mut self.table_elems[table]) {
                    self.elem(&mut elem);
                }
            }
            Work::Memory(memory) => {
                for mut data in mem::take(&mut self.memory_datas[memory]) {
                    self.data(&mut data);
                }
            }
            Work::Global(global) => {
                if let Some(init) = &module.globals[global].init {
                    visit_const_expr(&mut init.clone(), self);
                }
            }
            Work::Data(data) => {
                let data = &module.datas[data];
                if let DataKind::Active { memory, offset } = &data.kind {
                    self.memory(&mut memory.clone());
                    visit_const_expr(&mut offset.clone(), self);
                }
                if let DataKind::Alias { of, .. } = data.kind {
                    self.data(&mut of.clone());
                }
                visit_relocs(&mut data.relocs.clone(), self);
            }
            Work::Elem(elem) => {
                let elem = &module.elems[elem];
                if let ElemKind::Active { table, offset } = &elem.kind {
                    self.table(&mut table.clone());
                    visit_const_expr(&mut offset.clone(), self);
                }
                visit_elem_items(&mut elem.items.clone(), self);
            }
        }
    }

    /// Marks what the body of a function mentions.
    fn body(&mut self, module: &Module, func: Func) -> Result<(), BadBody> {
        match &module.funcs[func].body {
            FuncBody::None => {}
            FuncBody::Ir(body) => {
                read_body(body, self);
                // A frame lives below the stack pointer, which no instruction mentions.
                if !body.slots.is_empty()
                    && let Some(mut global) = stack_pointer(module)
                {
                    self.global(&mut global);
                }
            }
            FuncBody::Raw(raw) => {
                self.raw(module, raw)
                    .map_err(|error| BadBody { func, error })?;
            }
        }
        Ok(())
    }

    fn raw(&mut self, module: &Module, raw: &RawBody) -> Result<(), Malformed> {
        visit_relocs(&mut raw.relocs.clone(), self);
        let unit = &module.units[raw.unit];
        raw::for_each_index(&raw.bytes, |index| {
            let i = index.value as usize;
            macro_rules! mark {
                ($map:ident $method:ident) => {
                    if let Some(mut id) = unit.$map.get(i).and_then(|id| id.expand()) {
                        self.$method(&mut id);
                    }
                };
            }
            match index.space {
                IndexSpace::Type => {}
                IndexSpace::Func => mark!(funcs func),
                IndexSpace::Table => mark!(tables table),
                IndexSpace::Memory => mark!(memories memory),
                IndexSpace::Global => mark!(globals global),
                IndexSpace::Tag => mark!(tags tag),
                IndexSpace::Data => mark!(datas data),
                IndexSpace::Elem => mark!(elems elem),
            }
        })
    }
}

fn stack_pointer(module: &Module) -> Option<Global> {
    let mut globals = module.globals.iter();
    let found = globals.find(|(_, g)| g.symbol.name.as_deref() == Some("__stack_pointer"));
    found.map(|(id, _)| id)
}

fn declared_any(items: &ElemItems, live: &EntitySet<Func>) -> bool {
    match items {
        ElemItems::Funcs(funcs) => funcs.iter().any(|f| live.contains(*f)),
        ElemItems::Exprs(exprs) => exprs.iter().any(|e| declares_live(e, live)),
    }
}

fn declares_live(expr: &[ConstOp], live: &EntitySet<Func>) -> bool {
    matches!(expr, [ConstOp::RefFunc(f)] if live.contains(*f))
}

/// Whether `len` elements at a constant offset lie below `size`.
fn in_bounds(offset: &[ConstOp], len: u64, size: u64) -> bool {
    let start = match offset {
        [ConstOp::I32(x)] => u64::from(*x as u32),
        [ConstOp::I64(x)] => *x as u64,
        _ => return false,
    };
    start.checked_add(len).is_some_and(|end| end <= size)
}

fn compact<K, V>(
    map: &mut PrimaryMap<K, V>,
    live: &EntitySet<K>,
    renumber: &mut SecondaryMap<K, PackedOption<K>>,
) -> usize
where
    K: EntityRef + cranelift_entity::packed_option::ReservedValue,
    V: Send,
{
    let old = mem::take(map);
    renumber.resize(old.len());
    let mut removed = Vec::new();
    for (id, value) in old {
        if live.contains(id) {
            renumber[id] = map.push(value).into();
        } else {
            removed.push(value);
        }
    }
    let count = removed.len();
    // Bodies are many small pieces of memory.
    removed.into_par_iter().with_min_len(64).for_each(drop);
    count
}

/// Removes everything that is not in `live` and numbers the rest anew, in the same order.
pub fn shake(module: &mut Module, live: &Live) -> Stats {
    for elem in module
        .elems
        .values_mut()
        .filter(|e| e.kind == ElemKind::Declared)
    {
        match &mut elem.items {
            ElemItems::Funcs(funcs) => funcs.retain(|f| live.funcs.contains(*f)),
            ElemItems::Exprs(exprs) => exprs.retain(|e| declares_live(e, &live.funcs)),
        }
    }
    let mut n = Renumber::default();
    let mut stats = Stats {
        funcs: compact(&mut module.funcs, &live.funcs, &mut n.funcs),
        datas: compact(&mut module.datas, &live.datas, &mut n.datas),
        others: compact(&mut module.tables, &live.tables, &mut n.tables),
    };
    stats.others += compact(&mut module.memories, &live.memories, &mut n.memories);
    stats.others += compact(&mut module.globals, &live.globals, &mut n.globals);
    stats.others += compact(&mut module.tags, &live.tags, &mut n.tags);
    stats.others += compact(&mut module.elems, &live.elems, &mut n.elems);

    // Without a gap every number stays.
    if stats != Stats::default() {
        n.rewrite(module);
    }
    stats
}
