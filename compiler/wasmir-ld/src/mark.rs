//! What the program reaches.
//!
//! # Algorithm
//! A worklist over pairs of unit and entity. Roots are the names that the command line wants, those that loaded objects of other
//! origin cannot do without, and what a loaded unit keeps in any case: symbols marked `used`, init functions, what
//! custom sections refer to. A mention of a name leads to the definition that stands for it: the strongest, of equals the
//! first. Bodies are read in rounds, those of a round in parallel; what they mention is followed in order, so the result does not depend on
//! threads.
//!
//! # Cost
//! Linear in the declarations of loaded units and in the bodies that are reached.

use crate::Error;
use crate::args::Args;
use crate::units::{Units, name_of, says_defined};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use wasmir::reach::Live;
use wasmir::refs::{EntityVisitor, visit_body, visit_const_expr, visit_relocs};
use wasmir::{
    Body, Data, DataKind, Func, FuncBody, Global, Item, LazyModule, Linkage, Memory, Module,
    Symbol, Table, Tag,
};

/// What is reached of a unit.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) live: Live,
    pub(crate) bodies: Vec<(Func, Body)>,
    /// Definitions for which another unit's stands.
    pub(crate) replaced: Vec<Item>,
}

/// What is reached of all units; nothing of those that are not loaded or hold no WasmIR.
pub(crate) type Reached = Vec<Option<Part>>;

/// A definition: which unit's, and which of its entities.
type Definition = (usize, Item);

/// Finds what is reached.
pub(crate) fn reach(units: &Units, args: &Args) -> Result<Reached, Error> {
    let mut marker = Marker {
        units,
        definitions: definitions(units)?,
        parts: units.list.iter().map(|_| None).collect(),
        work: Vec::new(),
        bodies: Vec::new(),
    };
    for (i, _) in units.wir() {
        marker.parts[i] = Some(Part::default());
    }
    marker.roots(args);
    loop {
        while let Some((unit, item)) = marker.work.pop() {
            marker.follow(unit, item);
        }
        if marker.bodies.is_empty() {
            break;
        }
        marker.read_bodies()?;
    }
    Ok(marker.parts)
}

/// Calls `f` for every entity of a module that has a symbol, and whether it is defined there.
fn for_each_symbol<'m>(unit: &'m LazyModule, mut f: impl FnMut(Item, &'m Symbol, bool)) {
    let module = unit.module();
    for (id, func) in module.funcs.iter() {
        let defined = unit.has_body(id) || !matches!(func.body, FuncBody::None);
        f(Item::Func(id), &func.symbol, defined);
    }
    for (id, data) in module.datas.iter() {
        let undefined = matches!(
            data.kind,
            DataKind::Symbol {
                undefined: true,
                ..
            }
        );
        let defined = says_defined(&data.symbol) && !undefined;
        f(Item::Data(id), &data.symbol, defined);
    }
    for (id, global) in module.globals.iter() {
        let defined = global.import.is_none() && says_defined(&global.symbol);
        f(Item::Global(id), &global.symbol, defined);
    }
    for (id, table) in module.tables.iter() {
        let defined = table.import.is_none() && says_defined(&table.symbol);
        f(Item::Table(id), &table.symbol, defined);
    }
    for (id, tag) in module.tags.iter() {
        let defined = tag.import.is_none() && says_defined(&tag.symbol);
        f(Item::Tag(id), &tag.symbol, defined);
    }
}

/// The definition that stands for each name.
fn definitions(units: &Units) -> Result<FxHashMap<&str, Definition>, Error> {
    let mut found: FxHashMap<&str, (Definition, Linkage)> = FxHashMap::default();
    let mut errors = Vec::new();
    for (i, unit) in units.wir() {
        for_each_symbol(unit, |item, symbol, defined| {
            let Some(name) = name_of(symbol).filter(|_| defined) else {
                return;
            };
            let new = ((i, item), symbol.linkage);
            let old = found.entry(name).or_insert(new);
            match (old.1, symbol.linkage) {
                (Linkage::Weak, Linkage::Strong) => *old = new,
                (Linkage::Strong, Linkage::Strong) if old.0 != new.0 => errors.push(format!(
                    "the symbol `{name}` is defined in `{}` and again in `{}`",
                    units.list[old.0.0].name, units.list[i].name
                )),
                _ => {}
            }
        });
    }
    match errors.is_empty() {
        true => Ok(found
            .into_iter()
            .map(|(name, (at, _))| (name, at))
            .collect()),
        false => Err(Error::new(errors.join("\nwasmir-ld: error: "))),
    }
}

struct Marker<'a> {
    units: &'a Units,
    definitions: FxHashMap<&'a str, Definition>,
    parts: Reached,
    /// Entities to follow.
    work: Vec<Definition>,
    /// Bodies to read.
    bodies: Vec<(usize, Func)>,
}

/// Collects what is mentioned.
#[derive(Default)]
struct Mentions(Vec<Item>);

impl EntityVisitor for Mentions {
    fn func(&mut self, x: &mut Func) {
        self.0.push(Item::Func(*x));
    }
    fn table(&mut self, x: &mut Table) {
        self.0.push(Item::Table(*x));
    }
    fn memory(&mut self, x: &mut Memory) {
        self.0.push(Item::Memory(*x));
    }
    fn global(&mut self, x: &mut Global) {
        self.0.push(Item::Global(*x));
    }
    fn tag(&mut self, x: &mut Tag) {
        self.0.push(Item::Tag(*x));
    }
    fn data(&mut self, x: &mut Data) {
        self.0.push(Item::Data(*x));
    }
}

impl<'a> Marker<'a> {
    fn roots(&mut self, args: &Args) {
        let units = self.units;
        let wanted = args.wanted.iter().map(String::as_str);
        let foreign = units
            .foreign()
            .flat_map(|s| s.undefined.iter().chain(&s.wanted));
        let names = wanted
            .chain(["_start", "_initialize"])
            .chain(foreign.map(String::as_str));
        for name in names {
            if let Some(&(unit, item)) = self.definitions.get(name) {
                self.mark(unit, item);
            }
        }
        for (i, unit) in units.wir() {
            let module = unit.module();
            for_each_symbol(unit, |item, symbol, defined| {
                if symbol.used || args.everything && defined && name_of(symbol).is_some() {
                    self.mark(i, item);
                }
            });
            let exports = module.exports.iter().map(|export| export.item);
            let inits = module.init_funcs.iter().map(|(_, func)| Item::Func(*func));
            exports.chain(inits).for_each(|item| self.mark(i, item));
            let mut mentions = Mentions::default();
            for custom in module
                .customs
                .iter()
                .filter(|c| !c.name.starts_with(".debug"))
            {
                visit_relocs(&mut custom.relocs.clone(), &mut mentions);
            }
            mentions.0.into_iter().for_each(|item| self.mark(i, item));
        }
    }

    fn module(&self, unit: usize) -> &'a LazyModule {
        match &self.units.list[unit].contents {
            crate::units::Contents::Wir(module) => module,
            crate::units::Contents::Foreign => unreachable!("only units with WasmIR are followed"),
        }
    }

    /// Marks an entity as needed.
    fn mark(&mut self, unit: usize, item: Item) {
        let Some(part) = &mut self.parts[unit] else {
            return;
        };
        let live = &mut part.live;
        let new = match item {
            Item::Func(x) => live.funcs.insert(x),
            Item::Table(x) => live.tables.insert(x),
            Item::Memory(x) => live.memories.insert(x),
            Item::Global(x) => live.globals.insert(x),
            Item::Tag(x) => live.tags.insert(x),
            Item::Data(x) => live.datas.insert(x),
        };
        if !new {
            return;
        }
        // A declaration stays for the linker to find the definition by; a definition that another replaces becomes one.
        let module = self.module(unit).module();
        let name = symbol_of(module, item).and_then(name_of);
        match name.and_then(|name| self.definitions.get(name)).copied() {
            Some(definition) if definition != (unit, item) => {
                if let Some(part) = &mut self.parts[unit] {
                    part.replaced.push(item);
                }
                self.mark(definition.0, definition.1);
            }
            _ => self.work.push((unit, item)),
        }
    }

    fn follow(&mut self, unit: usize, item: Item) {
        let module = self.module(unit).module();
        let mut mentions = Mentions::default();
        match item {
            Item::Func(func) => {
                if self.module(unit).has_body(func) {
                    self.bodies.push((unit, func));
                }
            }
            Item::Data(data) => {
                let data = &module.datas[data];
                if let DataKind::Alias { of, .. } = data.kind {
                    mentions.0.push(Item::Data(of));
                }
                visit_relocs(&mut data.relocs.clone(), &mut mentions);
            }
            Item::Global(global) => {
                if let Some(init) = &module.globals[global].init {
                    visit_const_expr(&mut init.clone(), &mut mentions);
                }
            }
            Item::Table(table) => {
                if let Some(init) = &module.tables[table].init {
                    visit_const_expr(&mut init.clone(), &mut mentions);
                }
            }
            Item::Memory(_) | Item::Tag(_) => {}
        }
        mentions
            .0
            .into_iter()
            .for_each(|item| self.mark(unit, item));
    }

    /// Reads the bodies of a round and marks what they mention.
    fn read_bodies(&mut self) -> Result<(), Error> {
        let round = std::mem::take(&mut self.bodies);
        let read: Vec<Result<(Option<Body>, Mentions), Error>> = round
            .par_iter()
            .map(|&(unit, func)| {
                let mut mentions = Mentions::default();
                let module = self.module(unit);
                let mut body = module.body(func).map_err(|error| {
                    let name = &self.units.list[unit].name;
                    Error::new(format!(
                        "`{name}` holds a body that cannot be read: {error}"
                    ))
                })?;
                if let Some(body) = &mut body {
                    visit_body(body, &mut mentions);
                    if !body.slots.is_empty() {
                        // A frame lies below the stack pointer, which no instruction mentions.
                        mentions.0.extend(stack_pointer(module.module()));
                    }
                }
                Ok((body, mentions))
            })
            .collect();
        for ((unit, func), read) in round.into_iter().zip(read) {
            let (body, mentions) = read?;
            if let (Some(part), Some(body)) = (&mut self.parts[unit], body) {
                part.bodies.push((func, body));
            }
            mentions
                .0
                .into_iter()
                .for_each(|item| self.mark(unit, item));
        }
        Ok(())
    }
}

fn stack_pointer(module: &Module) -> Option<Item> {
    let mut globals = module.globals.iter();
    let found = globals.find(|(_, g)| g.symbol.name.as_deref() == Some("__stack_pointer"));
    found.map(|(id, _)| Item::Global(id))
}

/// The symbol of an entity.
pub(crate) fn symbol_of(module: &Module, item: Item) -> Option<&Symbol> {
    Some(match item {
        Item::Func(x) => &module.funcs.get(x)?.symbol,
        Item::Table(x) => &module.tables.get(x)?.symbol,
        Item::Memory(x) => &module.memories.get(x)?.symbol,
        Item::Global(x) => &module.globals.get(x)?.symbol,
        Item::Tag(x) => &module.tags.get(x)?.symbol,
        Item::Data(x) => &module.datas.get(x)?.symbol,
    })
}
