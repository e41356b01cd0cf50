//! The linker: puts modules into one by the names of their symbols.
//!
//! # Algorithm
//! 1. Types are merged by structure, whole recursion groups at a time.
//! 2. Of the COMDAT groups of one name, the first is kept; a symbol of a later one is a reference to
//!    its namesake in the first.
//! 3. For each name of a kind of entity the strongest definition is chosen: a strong one before a
//!    weak one, an earlier one before a later. Two strong ones are an error.
//! 4. Every symbol of that name becomes the chosen one. What nothing defines stays an import, once
//!    for each pair of module and field name; without an import it is an error. Among objects it
//!    stays undefined, once for each name: [`crate::layout`] knows what the linker itself provides.
//! 5. Entities are moved into the result in order of modules, and everything that mentions them is
//!    rewritten once ([`crate::reach`] then drops what is not needed).
//!
//! Local symbols stay apart, whatever their names.
//!
//! # Invariants
//! The result depends on the modules and their order alone. All errors are found, not only the first.
//!
//! # Cost
//! Linear in the size of the modules.

use crate::entities::*;
use crate::inst::SrcLoc;
use crate::module::*;
use crate::renumber::Renumber;
use crate::symbol::*;
use crate::types::*;
use cranelift_entity::packed_option::{PackedOption, ReservedValue};
use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt;

/// Why modules cannot be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// Two modules define a symbol, neither weakly.
    Duplicate {
        /// `function`, `data`, ...
        kind: &'static str,
        /// The symbol.
        name: String,
        /// The modules that define it.
        definers: [String; 2],
    },
    /// No module defines a symbol that is not imported either.
    Undefined {
        /// `function`, `data`, ...
        kind: &'static str,
        /// The symbol.
        name: String,
        /// The module that refers to it.
        referrer: String,
    },
    /// A symbol is declared and defined with different types.
    Mismatch {
        /// `function`, `data`, ...
        kind: &'static str,
        /// The symbol.
        name: String,
        /// The module that declares it and the one that defines it.
        modules: [String; 2],
    },
    /// Two modules export different things under one name.
    DuplicateExport {
        /// The export.
        name: String,
        /// The modules.
        modules: [String; 2],
    },
    /// Two modules have a start function.
    TwoStarts {
        /// The modules.
        modules: [String; 2],
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Duplicate {
                kind,
                name,
                definers: [a, b],
            } => {
                write!(
                    f,
                    "the {kind} `{name}` is defined in `{a}` and again in `{b}`"
                )
            }
            LinkError::Undefined {
                kind,
                name,
                referrer,
            } => {
                write!(
                    f,
                    "the {kind} `{name}` is used in `{referrer}` but defined nowhere"
                )
            }
            LinkError::Mismatch {
                kind,
                name,
                modules: [a, b],
            } => {
                write!(
                    f,
                    "the {kind} `{name}` is declared in `{a}` with another type than in `{b}`"
                )
            }
            LinkError::DuplicateExport {
                name,
                modules: [a, b],
            } => {
                write!(f, "`{name}` is exported by `{a}` and again by `{b}`")
            }
            LinkError::TwoStarts { modules: [a, b] } => {
                write!(f, "both `{a}` and `{b}` have a start function")
            }
        }
    }
}

impl std::error::Error for LinkError {}

/// Links `modules`, which must be valid.
///
/// # Errors
/// All reasons why they cannot be linked.
pub fn link(modules: Vec<Module>) -> Result<Module, Vec<LinkError>> {
    let names: Vec<String> = modules
        .iter()
        .enumerate()
        .map(|(i, m)| m.name.clone().unwrap_or_else(|| format!("module {i}")))
        .collect();
    let mut linker = Linker {
        out: Module::new(),
        names,
        errors: Vec::new(),
    };
    linker.link(modules);
    if linker.errors.is_empty() {
        Ok(linker.out)
    } else {
        Err(linker.errors)
    }
}

struct Linker {
    out: Module,
    names: Vec<String>,
    errors: Vec<LinkError>,
}

/// What the linker sees of an entity.
struct Candidate<'a, T> {
    symbol: &'a Symbol,
    import: Option<&'a Import>,
    defined: bool,
    /// What must be the same in declaration and definition.
    ty: T,
    /// In a COMDAT group of which another copy is kept.
    discarded: bool,
}

fn is_undefined(symbol: &Symbol) -> bool {
    matches!(symbol.linkage, Linkage::Undefined | Linkage::UndefinedWeak)
}

/// Where something is imported from, and the symbol it is known by.
type ImportKey<'a> = (&'a Import, Option<&'a str>);

/// For each entity of a module, its number in the result, and whether it is the one that is moved
/// there.
type Resolved<K> = (SecondaryMap<K, PackedOption<K>>, Vec<bool>);

/// Chooses and numbers the entities of one kind, for each module.
fn resolve<K: EntityRef + ReservedValue, T: PartialEq>(
    kind: &'static str,
    modules: &[Vec<Candidate<'_, T>>],
    names: &[String],
    relocatable: bool,
    errors: &mut Vec<LinkError>,
) -> Vec<Resolved<K>> {
    // The definition of each name.
    let mut chosen: FxHashMap<&str, (usize, usize)> = FxHashMap::default();
    for (m, candidates) in modules.iter().enumerate() {
        for (i, c) in candidates.iter().enumerate() {
            let (Some(name), false) = (&c.symbol.name, c.symbol.linkage == Linkage::Local) else {
                continue;
            };
            if !c.defined || c.discarded {
                continue;
            }
            let slot = chosen.entry(name).or_insert((m, i));
            if *slot == (m, i) {
                continue;
            }
            let old = &modules[slot.0][slot.1];
            match (old.symbol.linkage, c.symbol.linkage) {
                (Linkage::Weak, Linkage::Strong) => *slot = (m, i),
                (Linkage::Strong, Linkage::Strong) => errors.push(LinkError::Duplicate {
                    kind,
                    name: name.clone(),
                    definers: [names[slot.0].clone(), names[m].clone()],
                }),
                _ => {}
            }
        }
    }
    // What stands for each entity: itself, a definition elsewhere, or an earlier import.
    let mut imports: FxHashMap<ImportKey<'_>, Vec<(usize, usize)>> = FxHashMap::default();
    // Objects may say of an undefined symbol where it would be imported from, which means nothing.
    let no_import = Import {
        module: "env".into(),
        name: String::new(),
    };
    let mut stands: Vec<Vec<(usize, usize)>> = Vec::new();
    for (m, candidates) in modules.iter().enumerate() {
        let mut own = Vec::new();
        for (i, c) in candidates.iter().enumerate() {
            let name = c
                .symbol
                .name
                .as_deref()
                .filter(|_| c.symbol.linkage != Linkage::Local);
            let definition = name.and_then(|name| chosen.get(name)).copied();
            let undefined = name.is_some() && !c.defined && is_undefined(c.symbol);
            let import = match c.import {
                Some(import) if import.module != "env" || Some(import.name.as_str()) != name => {
                    Some(import)
                }
                _ if relocatable && undefined => Some(&no_import),
                import => import,
            };
            own.push(match (definition, import) {
                (Some(at), _) => {
                    if modules[at.0][at.1].ty != c.ty {
                        errors.push(LinkError::Mismatch {
                            kind,
                            name: name.unwrap_or_default().to_owned(),
                            modules: [names[m].clone(), names[at.0].clone()],
                        });
                    }
                    at
                }
                (None, Some(import)) => {
                    let same = imports.entry((import, name)).or_default();
                    let found = same
                        .iter()
                        .find(|at| modules[at.0][at.1].ty == c.ty)
                        .copied();
                    found.unwrap_or_else(|| {
                        same.push((m, i));
                        (m, i)
                    })
                }
                (None, None) => {
                    if c.symbol.linkage == Linkage::Undefined || (c.discarded && name.is_some()) {
                        errors.push(LinkError::Undefined {
                            kind,
                            name: name.unwrap_or_default().to_owned(),
                            referrer: names[m].clone(),
                        });
                    }
                    (m, i)
                }
            });
        }
        stands.push(own);
    }
    let mut next = 0;
    let mut numbers: FxHashMap<(usize, usize), K> = FxHashMap::default();
    for (m, own) in stands.iter().enumerate() {
        for (i, at) in own.iter().enumerate() {
            if *at == (m, i) {
                numbers.insert(*at, K::new(next));
                next += 1;
            }
        }
    }
    stands
        .iter()
        .enumerate()
        .map(|(m, own)| {
            let mut map = SecondaryMap::new();
            for (i, at) in own.iter().enumerate() {
                map[K::new(i)] = numbers.get(at).copied().into();
            }
            (
                map,
                own.iter()
                    .enumerate()
                    .map(|(i, at)| *at == (m, i))
                    .collect(),
            )
        })
        .collect()
}

/// A symbol that one module needs is needed, though another could do without.
fn strengthen(modules: &mut [Module]) {
    macro_rules! kinds {
        ($($map:ident),*) => {$(
            let mut needed = FxHashSet::default();
            for symbol in modules.iter().flat_map(|m| m.$map.values().map(|x| &x.symbol)) {
                if symbol.linkage == Linkage::Undefined {
                    needed.extend(symbol.name.clone());
                }
            }
            let symbols = modules.iter_mut();
            for symbol in symbols.flat_map(|m| m.$map.values_mut().map(|x| &mut x.symbol)) {
                let named = symbol.name.as_ref().is_some_and(|name| needed.contains(name));
                if symbol.linkage == Linkage::UndefinedWeak && named {
                    symbol.linkage = Linkage::Undefined;
                }
            }
        )*};
    }
    kinds!(funcs, globals, datas);
}

/// Moves the entities that are to be moved.
fn take<K: EntityRef, V>(from: &mut PrimaryMap<K, V>, into: &mut PrimaryMap<K, V>, moved: &[bool]) {
    for ((_, value), moved) in std::mem::take(from).into_iter().zip(moved) {
        if *moved {
            into.push(value);
        }
    }
}

impl Linker {
    fn link(&mut self, mut modules: Vec<Module>) {
        let relocatable = modules.iter().any(|module| module.relocatable);
        strengthen(&mut modules);
        let types = merge_types(&modules, &mut self.out.types);
        let discarded = self.comdats(&mut modules);
        let is_discarded =
            |m: usize, s: &Symbol| s.comdat.is_some_and(|c| discarded[m].contains(&c));
        let canonical = crate::verify::Subtyping::new(&self.out.types);

        macro_rules! kind {
            ($word:literal, $map:ident, $defined:expr, $ty:expr) => {{
                let candidates: Vec<Vec<Candidate<'_, _>>> = modules
                    .iter()
                    .enumerate()
                    .map(|(m, module)| {
                        module
                            .$map
                            .values()
                            .map(|x| Candidate {
                                symbol: &x.symbol,
                                import: x.import.as_ref(),
                                defined: $defined(x),
                                ty: $ty(m, x),
                                discarded: is_discarded(m, &x.symbol),
                            })
                            .collect()
                    })
                    .collect();
                resolve(
                    $word,
                    &candidates,
                    &self.names,
                    relocatable,
                    &mut self.errors,
                )
            }};
        }
        let id = |m: usize, t: TypeId| canonical.canonical(types[m][t.index()]);
        let map_type = |m: usize, mut ty: Type| {
            if let Type::Ref(RefType {
                heap: HeapType::Concrete(t),
                ..
            }) = &mut ty
            {
                *t = id(m, *t);
            }
            ty
        };
        let funcs = kind!(
            "function",
            funcs,
            |x: &FuncData| !is_undefined(&x.symbol) && x.import.is_none(),
            |m, x: &FuncData| id(m, x.ty)
        );
        let tables = kind!(
            "table",
            tables,
            |x: &TableData| !is_undefined(&x.symbol) && x.import.is_none(),
            |m, x: &TableData| (map_type(m, Type::Ref(x.ty)), x.index64, x.shared)
        );
        let memories = kind!(
            "memory",
            memories,
            |x: &MemoryData| !is_undefined(&x.symbol) && x.import.is_none(),
            |_, x: &MemoryData| (x.index64, x.shared, x.page_size_log2)
        );
        let globals = kind!(
            "global",
            globals,
            |x: &GlobalData| !is_undefined(&x.symbol) && x.import.is_none(),
            |m, x: &GlobalData| (map_type(m, x.ty), x.mutable, x.shared)
        );
        let tags = kind!(
            "tag",
            tags,
            |x: &TagData| !is_undefined(&x.symbol) && x.import.is_none(),
            |m, x: &TagData| id(m, x.ty)
        );
        let datas: Vec<Vec<Candidate<'_, ()>>> = modules
            .iter()
            .enumerate()
            .map(|(m, module)| {
                module
                    .datas
                    .values()
                    .map(|x| {
                        let undeclared = matches!(
                            x.kind,
                            DataKind::Symbol {
                                undefined: true,
                                ..
                            }
                        );
                        Candidate {
                            symbol: &x.symbol,
                            import: None,
                            defined: !undeclared && !is_undefined(&x.symbol),
                            ty: (),
                            discarded: is_discarded(m, &x.symbol),
                        }
                    })
                    .collect()
            })
            .collect();
        let datas = resolve(
            "data symbol",
            &datas,
            &self.names,
            relocatable,
            &mut self.errors,
        );

        let (mut starts, mut exports) =
            (None::<usize>, FxHashMap::<String, (usize, Item)>::default());
        let maps = funcs
            .into_iter()
            .zip(tables)
            .zip(memories)
            .zip(globals)
            .zip(tags)
            .zip(datas);
        for (m, (mut module, maps)) in modules.into_iter().zip(maps).enumerate() {
            let (((((funcs, tables), memories), globals), tags), datas) = maps;
            let mut elems = SecondaryMap::new();
            for (id, _) in module.elems.iter() {
                elems[id] = Some(Elem::new(self.out.elems.len() + id.index())).into();
            }
            let n = Renumber {
                funcs: funcs.0,
                tables: tables.0,
                memories: memories.0,
                globals: globals.0,
                tags: tags.0,
                datas: datas.0,
                elems,
                types: types[m].clone(),
                sections: self.out.customs.len() as u32,
            };
            n.rewrite(&mut module);
            self.locations(&mut module);
            self.import_limits(&module, &n);
            take(&mut module.funcs, &mut self.out.funcs, &funcs.1);
            take(&mut module.tables, &mut self.out.tables, &tables.1);
            take(&mut module.memories, &mut self.out.memories, &memories.1);
            take(&mut module.globals, &mut self.out.globals, &globals.1);
            take(&mut module.tags, &mut self.out.tags, &tags.1);
            take(&mut module.datas, &mut self.out.datas, &datas.1);
            for elem in std::mem::take(&mut module.elems)
                .into_iter()
                .map(|(_, e)| e)
            {
                self.out.elems.push(elem);
            }
            for export in module.exports {
                match exports.get(&export.name) {
                    Some((_, item)) if *item == export.item => continue,
                    Some((first, _)) => self.errors.push(LinkError::DuplicateExport {
                        name: export.name.clone(),
                        modules: [self.names[*first].clone(), self.names[m].clone()],
                    }),
                    None => {
                        exports.insert(export.name.clone(), (m, export.item));
                        self.out.exports.push(export);
                    }
                }
            }
            let order = module.import_order.into_iter();
            for item in order.filter(|_| !module.relocatable) {
                if !self.out.import_order.contains(&item) {
                    self.out.import_order.push(item);
                }
            }
            if let Some(start) = module.start {
                match starts.replace(m) {
                    None => self.out.start = Some(start),
                    Some(first) => self.errors.push(LinkError::TwoStarts {
                        modules: [self.names[first].clone(), self.names[m].clone()],
                    }),
                }
            }
            self.out.init_funcs.extend(module.init_funcs);
            self.out.customs.extend(module.customs);
            for (func, contract) in module.contracts {
                self.out.contracts.entry(func).or_insert(contract);
            }
            for (ty, names) in module.names.types {
                self.out.names.types.entry(ty).or_insert(names);
            }
            for (func, names) in module.names.funcs {
                self.out.names.funcs.entry(func).or_insert(names);
            }
            self.out.relocatable |= module.relocatable;
        }
        self.out.init_funcs.sort_by_key(|(priority, _)| *priority);
    }

    /// Merges COMDAT groups; returns for each module those of which another copy is kept.
    fn comdats(&mut self, modules: &mut [Module]) -> Vec<Vec<Comdat>> {
        let mut groups: FxHashMap<String, Comdat> = FxHashMap::default();
        let mut all = Vec::new();
        for module in modules {
            let mut discarded = Vec::new();
            let mut map = SecondaryMap::<Comdat, PackedOption<Comdat>>::new();
            for (id, name) in module.comdats.iter() {
                let new = *groups.entry(name.clone()).or_insert_with(|| {
                    map[id] = Some(self.out.comdats.next_key()).into();
                    self.out.comdats.push(name.clone())
                });
                if map[id].is_none() {
                    discarded.push(new);
                    map[id] = Some(new).into();
                }
            }
            let symbols = module.funcs.values_mut().map(|x| &mut x.symbol);
            let symbols = symbols.chain(module.tables.values_mut().map(|x| &mut x.symbol));
            let symbols = symbols.chain(module.memories.values_mut().map(|x| &mut x.symbol));
            let symbols = symbols.chain(module.globals.values_mut().map(|x| &mut x.symbol));
            let symbols = symbols.chain(module.tags.values_mut().map(|x| &mut x.symbol));
            let symbols = symbols.chain(module.datas.values_mut().map(|x| &mut x.symbol));
            for symbol in symbols {
                symbol.comdat = symbol.comdat.and_then(|c| map[c].expand());
            }
            all.push(discarded);
        }
        all
    }

    /// Moves source locations and line tables behind those of earlier modules.
    fn locations(&mut self, module: &mut Module) {
        let base = self
            .out
            .debug
            .rows
            .last()
            .map_or(0, |row| row.start.0.saturating_add(1));
        let shift = |loc: SrcLoc| {
            if loc.is_some() {
                SrcLoc(loc.0.saturating_add(base).min(u32::MAX - 1))
            } else {
                loc
            }
        };
        let mut last = base;
        for func in module.funcs.values_mut() {
            match &mut func.body {
                FuncBody::None => {}
                FuncBody::Raw(raw) => {
                    raw.code_offset = raw.code_offset.saturating_add(base);
                    last = last.max(raw.code_offset.saturating_add(raw.bytes.len() as u32));
                }
                FuncBody::Ir(body) => {
                    for block in body.blocks.values_mut() {
                        block.locs.iter_mut().for_each(|loc| *loc = shift(*loc));
                        block.term_loc = shift(block.term_loc);
                        let locs = block.locs.iter().chain([&block.term_loc]);
                        let max = locs.filter(|l| l.is_some()).map(|l| l.0).max();
                        last = last.max(max.unwrap_or(0));
                    }
                }
            }
        }
        let files = self.out.debug.files.len() as u32;
        for row in &mut module.debug.rows {
            row.start = shift(row.start);
            row.file = row.file.map(|file| file + files);
            last = last.max(row.start.0);
        }
        self.out.debug.files.append(&mut module.debug.files);
        self.out.debug.rows.append(&mut module.debug.rows);
        // Positions of this module end here, whatever the next one says.
        let end = crate::debug::LineRow {
            start: SrcLoc(last.saturating_add(1)),
            file: None,
            line: 0,
            col: 0,
        };
        if last > base {
            self.out.debug.rows.push(end);
        }
        let units = self.out.units.len() as u32;
        for func in module.funcs.values_mut() {
            if let FuncBody::Raw(raw) = &mut func.body {
                raw.unit = Unit::from_u32(raw.unit.as_u32() + units);
            }
        }
        for unit in std::mem::take(&mut module.units)
            .into_iter()
            .map(|(_, u)| u)
        {
            self.out.units.push(unit);
        }
    }

    /// An import shared by modules must be large enough for each of them.
    fn import_limits(&mut self, module: &Module, n: &Renumber) {
        for (id, memory) in module.memories.iter().filter(|(_, m)| m.import.is_some()) {
            if let Some(kept) = n.memories[id]
                .expand()
                .and_then(|id| self.out.memories.get_mut(id))
            {
                kept.min = kept.min.max(memory.min);
            }
        }
        for (id, table) in module.tables.iter().filter(|(_, t)| t.import.is_some()) {
            if let Some(kept) = n.tables[id]
                .expand()
                .and_then(|id| self.out.tables.get_mut(id))
            {
                kept.min = kept.min.max(table.min);
            }
        }
    }
}

/// Adds the types of all modules to `out`, each recursion group once; returns the maps.
fn merge_types(modules: &[Module], out: &mut Types) -> Vec<Vec<TypeId>> {
    // Groups by their definitions, in which the group's own types are counted from the last number
    // down and all others are those of the result.
    let mut groups: FxHashMap<Vec<TypeDef>, TypeId> = FxHashMap::default();
    let mut maps = Vec::new();
    for module in modules {
        let mut map: Vec<TypeId> = Vec::with_capacity(module.types.len());
        for range in module.types.groups() {
            let start = range.start;
            let own = |i: u32| TypeId::from_u32(u32::MAX - 1 - i);
            let key: Vec<TypeDef> = range
                .clone()
                .map(|i| {
                    let mut def = module.types[TypeId::from_u32(i)].clone();
                    for_each_type_id(&mut def, |id| {
                        *id = match id.as_u32().checked_sub(start) {
                            Some(inside) => own(inside),
                            None => map[id.index()],
                        };
                    });
                    def
                })
                .collect();
            let first = *groups.entry(key).or_insert_with_key(|key| {
                let base = out.len() as u32;
                out.push_group(key.iter().cloned().map(|mut def| {
                    for_each_type_id(&mut def, |id| {
                        if id.as_u32() > u32::MAX - 1 - range.len() as u32 {
                            *id = TypeId::from_u32(base + (u32::MAX - 1 - id.as_u32()));
                        }
                    });
                    def
                }))
            });
            map.extend((0..range.len() as u32).map(|i| TypeId::from_u32(first.as_u32() + i)));
        }
        maps.push(map);
    }
    maps
}

fn for_each_type_id(def: &mut TypeDef, mut f: impl FnMut(&mut TypeId)) {
    let mut ty = |ty: &mut Type| {
        if let Type::Ref(RefType {
            heap: HeapType::Concrete(t),
            ..
        }) = ty
        {
            f(t);
        }
    };
    match &mut def.composite {
        CompositeType::Func(t) => t.params.iter_mut().chain(&mut t.results).for_each(&mut ty),
        CompositeType::Struct(fields) => fields.iter_mut().for_each(|x| ty(&mut x.ty)),
        CompositeType::Array(element) => ty(&mut element.ty),
    }
    def.supertype.iter_mut().for_each(f);
}
