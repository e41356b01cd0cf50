//! One module of what was reached.
//!
//! # Algorithm
//! Each unit is reduced to its part; definitions for which another unit's stands become declarations; source positions are numbered
//! anew, so that those of all units together fit; then the units are linked. Of the result, every definition that neither the command line nor
//! an object of other origin can name becomes local: it may be inlined and removed like any other.
//!
//! Units that were loaded for what they define (members of libraries) come before those that were loaded in any case (the program's own).
//! What is numbered or placed in order, types, table elements and addresses, thus stays where it was when the program's own code changes,
//! and [`Merged::space`] keeps what grows in one section from moving the next. An engine that keeps compiled functions by their
//! content then finds nearly all of them again.
//!
//! # Invariants
//! What has a name outside stays as it is, a weak definition among them: `wasm-ld` may replace it.

use crate::Error;
use crate::args::Args;
use crate::mark::{Part, Reached};
use crate::units::{Contents, Units, says_defined};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use wasmir::{
    DataKind, DebugInfo, FuncBody, Import, Item, LazyModule, LineRow, Linkage, Module, SrcLoc,
    Symbol, reach,
};

/// Sections start at multiples of this, as a power of two.
const PAGE_LOG2: u8 = 12;

/// The program.
pub(crate) struct Merged {
    pub(crate) module: Module,
    /// Names that others may use.
    outside: FxHashSet<String>,
}

/// Puts what was reached into one module.
pub(crate) fn merge(units: Units, reached: Reached, args: &Args) -> Result<Merged, Error> {
    let mut outside: FxHashSet<String> = args.wanted.iter().cloned().collect();
    outside.extend(["_start".to_owned(), "_initialize".to_owned()]);
    for symbols in units.foreign() {
        let names = symbols.defined.iter().chain(&symbols.undefined);
        outside.extend(names.chain(&symbols.wanted).cloned());
    }
    let (own, libraries): (Vec<_>, Vec<_>) = units
        .list
        .into_iter()
        .zip(reached)
        .partition(|(unit, _)| unit.direct);
    let parts: Vec<(LazyModule, Part)> = libraries
        .into_iter()
        .chain(own)
        .filter_map(|(unit, part)| match (unit.contents, part) {
            (Contents::Wir(module), Some(part)) => Some((*module, part)),
            _ => None,
        })
        .collect();
    let mut modules: Vec<Module> = parts
        .into_par_iter()
        .map(|(module, part)| reduced(module.into_module(), part, !args.no_debug))
        .collect();
    settle_threads(&mut modules);
    let mut module = wasmir::link(modules).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Error::new(errors.join("\nwasmir-ld: error: "))
    })?;
    join_files(&mut module.debug);
    let mut merged = Merged { module, outside };
    if !args.everything {
        merged.internalise();
    }
    Ok(merged)
}

/// Units made for threads have a shared memory. A program is for threads if all of its units are; with one that is not they
/// make a program of one thread, in which atomic operators are as good. What is left of the memory then says `atomics`
/// among the features of the object, without which `wasm-ld` refuses `--shared-memory`.
fn settle_threads(modules: &mut [Module]) {
    let shared = |module: &Module| module.memories.values().all(|memory| memory.shared);
    if modules.iter().all(shared) {
        return;
    }
    for memory in modules.iter_mut().flat_map(|m| m.memories.values_mut()) {
        if memory.import.is_some() && memory.shared {
            (memory.shared, memory.max) = (false, None);
        }
    }
}

/// Reduces a unit to what is reached of it.
fn reduced(mut module: Module, part: Part, debug: bool) -> Module {
    for (func, body) in part.bodies {
        module.funcs[func].body = FuncBody::Ir(Box::new(body));
    }
    for item in part.replaced {
        declare_only(&mut module, item);
    }
    reach::shake(&mut module, &part.live);
    if debug {
        renumber_lines(&mut module);
    } else {
        for_each_location(&mut module, |loc| *loc = SrcLoc::NONE);
        module.debug = DebugInfo::default();
    }
    module
}

/// Makes a declaration of a definition.
fn declare_only(module: &mut Module, item: Item) {
    let declare = |symbol: &mut Symbol| {
        if says_defined(symbol) {
            symbol.linkage = Linkage::Undefined;
        }
        symbol.used = false;
        symbol.comdat = None;
    };
    let import = |symbol: &Symbol| {
        let name = symbol.name.clone().unwrap_or_default();
        let module = "env".to_owned();
        Some(Import { module, name })
    };
    match item {
        Item::Func(x) => {
            module.funcs[x].body = FuncBody::None;
            declare(&mut module.funcs[x].symbol);
        }
        Item::Data(x) => {
            let data = &mut module.datas[x];
            data.kind = DataKind::Symbol {
                align_log2: 0,
                section: String::new(),
                size: 0,
                strings: false,
                undefined: true,
            };
            data.bytes = Vec::new().into();
            data.relocs.clear();
            declare(&mut data.symbol);
        }
        Item::Global(x) => {
            let global = &mut module.globals[x];
            global.init = None;
            global.import = import(&global.symbol);
            declare(&mut global.symbol);
        }
        Item::Table(x) => {
            let table = &mut module.tables[x];
            table.init = None;
            table.import = import(&table.symbol);
            declare(&mut table.symbol);
        }
        Item::Tag(x) => {
            let tag = &mut module.tags[x];
            tag.import = import(&tag.symbol);
            declare(&mut tag.symbol);
        }
        Item::Memory(_) => {}
    }
}

fn for_each_location(module: &mut Module, mut f: impl FnMut(&mut SrcLoc)) {
    for func in module.funcs.values_mut() {
        if let FuncBody::Ir(body) = &mut func.body {
            for block in body.blocks.values_mut() {
                block.locs.iter_mut().for_each(&mut f);
                f(&mut block.term_loc);
            }
        }
    }
}

/// Keeps the rows of the line table that are used, and numbers positions by their rows.
fn renumber_lines(module: &mut Module) {
    let debug = std::mem::take(&mut module.debug);
    let mut reader = debug.reader();
    // Positions become the starts of their rows, by which rows are told apart.
    let mut used: Vec<LineRow> = Vec::new();
    let mut last = None;
    for_each_location(module, |loc| {
        let row = reader.row(*loc);
        *loc = match row.filter(|row| row.file.is_some() && row.line > 0) {
            Some(row) => {
                if last != Some(row.start) {
                    used.push(*row);
                    last = Some(row.start);
                }
                row.start
            }
            None => SrcLoc::NONE,
        };
    });
    used.sort_unstable_by_key(|row| row.start);
    used.dedup_by_key(|row| row.start);
    let mut last = (SrcLoc::NONE, SrcLoc::NONE);
    for_each_location(module, |loc| {
        if !loc.is_some() {
            return;
        }
        if *loc != last.0 {
            let number = used.partition_point(|row| row.start < *loc);
            last = (*loc, SrcLoc(number as u32));
        }
        *loc = last.1;
    });
    for (row, number) in used.iter_mut().zip(0..) {
        row.start = SrcLoc(number);
    }
    module.debug = DebugInfo {
        files: debug.files,
        rows: used,
    };
}

/// Each file once.
fn join_files(debug: &mut DebugInfo) {
    let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
    let mut files = Vec::new();
    let old = std::mem::take(&mut debug.files);
    for row in &mut debug.rows {
        if let Some(file) = &mut row.file {
            let name = &old[*file as usize];
            *file = *numbers.entry(name.clone()).or_insert_with(|| {
                files.push(name.clone());
                files.len() as u32 - 1
            });
        }
    }
    debug.files = files;
}

impl Merged {
    /// Makes local what nobody outside can name.
    fn internalise(&mut self) {
        let outside = &self.outside;
        let module = &mut self.module;
        let symbols = module.funcs.values_mut().map(|x| &mut x.symbol);
        let symbols = symbols.chain(module.datas.values_mut().map(|x| &mut x.symbol));
        let symbols = symbols.chain(module.globals.values_mut().map(|x| &mut x.symbol));
        let symbols = symbols.chain(module.tables.values_mut().map(|x| &mut x.symbol));
        let symbols = symbols.chain(module.tags.values_mut().map(|x| &mut x.symbol));
        for symbol in symbols.filter(|symbol| says_defined(symbol)) {
            let named = symbol
                .name
                .as_ref()
                .is_some_and(|name| outside.contains(name));
            if !named {
                symbol.linkage = Linkage::Local;
            }
        }
    }

    /// Puts the first of what can be written, and of what is zero, at the start of a page, so that a section that grows moves the next one
    /// seldom.
    pub(crate) fn space(&mut self) {
        for prefix in [".data.", ".bss."] {
            let first = self
                .module
                .datas
                .values_mut()
                .find_map(|data| match &mut data.kind {
                    DataKind::Symbol {
                        align_log2,
                        section,
                        undefined: false,
                        ..
                    } if section.starts_with(prefix) => Some(align_log2),
                    _ => None,
                });
            if let Some(align_log2) = first {
                *align_log2 = (*align_log2).max(PAGE_LOG2);
            }
        }
    }

    /// Removes what passes have left without use.
    pub(crate) fn shake(&mut self) -> Result<(), Error> {
        // What others may use counts as used for as long as this takes.
        let mut marked = Vec::new();
        for (id, func) in self.module.funcs.iter_mut() {
            if keep(&mut func.symbol) {
                marked.push(id);
            }
        }
        let mut marked_datas = Vec::new();
        for (id, data) in self.module.datas.iter_mut() {
            if keep(&mut data.symbol) {
                marked_datas.push(id);
            }
        }
        let names: FxHashSet<String> = marked
            .iter()
            .map(|&id| &self.module.funcs[id].symbol)
            .chain(marked_datas.iter().map(|&id| &self.module.datas[id].symbol))
            .filter_map(|symbol| symbol.name.clone())
            .collect();
        reach::run(&mut self.module).map_err(|error| Error::new(error.to_string()))?;
        let symbols = self.module.funcs.values_mut().map(|x| &mut x.symbol);
        let symbols = symbols.chain(self.module.datas.values_mut().map(|x| &mut x.symbol));
        for symbol in symbols {
            if symbol.linkage != Linkage::Local
                && symbol.name.as_ref().is_some_and(|n| names.contains(n))
            {
                symbol.used = false;
            }
        }
        Ok(())
    }
}

/// Marks a definition that others may name as used; whether it was not before.
fn keep(symbol: &mut Symbol) -> bool {
    let kept = says_defined(symbol) && symbol.linkage != Linkage::Local && !symbol.used;
    symbol.used |= kept;
    kept
}
