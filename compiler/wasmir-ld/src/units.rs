//! What there is to link: objects and members of archives, and which of them are loaded.
//!
//! # Algorithm
//! That of `wasm-ld`. An object named on the command line is loaded, a member of an archive when a loaded one needs a name that
//! it defines and none loaded before it does; of several members the first is taken. Objects that hold WasmIR and others
//! are treated alike, so that the same members are loaded as if all were compiled.
//!
//! # Cost
//! Linear in the number of symbols.

use crate::args::{Arg, Args};
use crate::{Error, archive, envelope, foreign};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmir::{DataKind, FuncBody, LazyModule, Linkage, Module, Symbol};

/// What an input consists of.
#[derive(Debug)]
pub(crate) enum Contents {
    /// WasmIR.
    Wir(Box<LazyModule>),
    /// Anything else.
    Foreign,
}

/// An object, or a member of an archive.
#[derive(Debug)]
pub(crate) struct UnitFile {
    /// What it is called in messages.
    pub(crate) name: String,
    pub(crate) contents: Contents,
    pub(crate) symbols: foreign::Symbols,
    /// Loaded without being needed.
    pub(crate) direct: bool,
}

/// All inputs.
#[derive(Debug)]
pub(crate) struct Units {
    pub(crate) list: Vec<UnitFile>,
    /// Which of the units are loaded.
    pub(crate) loaded: Vec<bool>,
    /// For each argument what it consists of.
    pub(crate) kinds: Vec<Kind>,
}

/// What an argument of the command line consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    /// There is WasmIR in it.
    pub(crate) wir: bool,
    /// There is something else in it.
    pub(crate) foreign: bool,
}

impl Units {
    /// Reads all inputs and loads what is needed.
    pub(crate) fn read(args: &Args) -> Result<Units, Error> {
        let mut sources = Vec::new();
        let mut whole = false;
        for (index, arg) in args.list.iter().enumerate() {
            match arg {
                Arg::File(path) => sources.push((index, path.clone(), whole)),
                // The linker will say that there is no such library.
                Arg::Library(name) => {
                    sources.extend(args.find(name).map(|path| (index, path, whole)));
                }
                Arg::Other(words) => match words[0].to_str() {
                    Some("--whole-archive") => whole = true,
                    Some("--no-whole-archive") => whole = false,
                    _ => {}
                },
            }
        }
        let read: Vec<Result<_, Error>> = sources
            .par_iter()
            .map(|(index, path, whole)| Ok((*index, open(path, *whole)?)))
            .collect();
        let mut kinds = vec![Kind::default(); args.list.len()];
        let mut list = Vec::new();
        for source in read {
            let (index, units) = source?;
            for unit in units {
                match unit.contents {
                    Contents::Wir(_) => kinds[index].wir = true,
                    Contents::Foreign => kinds[index].foreign = true,
                }
                list.push(unit);
            }
        }
        let loaded = load(&list, args);
        Ok(Units {
            list,
            loaded,
            kinds,
        })
    }

    /// These objects, all of them loaded.
    pub(crate) fn all_of(objects: &[(String, Vec<u8>)]) -> Result<Units, Error> {
        let list: Vec<UnitFile> = objects
            .par_iter()
            .map(|(name, bytes)| unit(name.clone(), bytes, true))
            .collect::<Result<_, Error>>()?;
        Ok(Units {
            loaded: vec![true; list.len()],
            list,
            kinds: Vec::new(),
        })
    }

    /// The loaded units that hold WasmIR, by number.
    pub(crate) fn wir(&self) -> impl Iterator<Item = (usize, &LazyModule)> {
        let loaded = self.list.iter().zip(&self.loaded).enumerate();
        loaded.filter_map(|(i, (unit, loaded))| match &unit.contents {
            Contents::Wir(module) if *loaded => Some((i, &**module)),
            _ => None,
        })
    }

    /// The loaded units that hold something else.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &foreign::Symbols> {
        let loaded = self.list.iter().zip(&self.loaded);
        loaded.filter_map(|(unit, loaded)| match &unit.contents {
            Contents::Foreign if *loaded => Some(&unit.symbols),
            _ => None,
        })
    }
}

/// Reads an object, or the members of an archive.
fn open(path: &Path, whole: bool) -> Result<Vec<UnitFile>, Error> {
    let failed = |e| Error::file("read", path, e);
    if !archive::is_archive(path).map_err(failed)? {
        let bytes = std::fs::read(path).map_err(failed)?;
        return Ok(vec![unit(path.display().to_string(), &bytes, true)?]);
    }
    let members = archive::read(path).map_err(failed)?;
    members
        .par_iter()
        .map(|member| {
            let name = format!("{}({})", path.display(), member.name);
            unit(name, &member.bytes, whole)
        })
        .collect()
}

fn unit(name: String, bytes: &[u8], direct: bool) -> Result<UnitFile, Error> {
    const MEND: &str =
        "`cargo clean`, then build again; what lies in a sysroot, `cargo wasm setup` mends";
    let range = match envelope::open(bytes) {
        envelope::Contents::Module(range) => range,
        envelope::Contents::Damaged => {
            let error = format!("`{name}` is damaged: its WasmIR has another checksum");
            return Err(Error::new(error).help(MEND));
        }
        envelope::Contents::Other => {
            return Ok(UnitFile {
                name,
                contents: Contents::Foreign,
                symbols: foreign::symbols(bytes),
                direct,
            });
        }
    };
    let module = LazyModule::open(&Arc::from(&bytes[range])).map_err(|error| {
        Error::new(format!(
            "`{name}` does not hold WasmIR that can be read: {error}"
        ))
        .help(format!("it was made by another version: {MEND}"))
    })?;
    Ok(UnitFile {
        name,
        symbols: symbols(module.module(), |func| module.has_body(func)),
        contents: Contents::Wir(Box::new(module)),
        direct,
    })
}

/// Whether a symbol is seen outside its module.
pub(crate) fn name_of(symbol: &Symbol) -> Option<&str> {
    let name = symbol.name.as_deref()?;
    (symbol.linkage != Linkage::Local).then_some(name)
}

/// Whether a symbol says that it is defined.
pub(crate) fn says_defined(symbol: &Symbol) -> bool {
    !matches!(symbol.linkage, Linkage::Undefined | Linkage::UndefinedWeak)
}

/// The names of a module, as an object would have them.
fn symbols(module: &Module, has_body: impl Fn(wasmir::Func) -> bool) -> foreign::Symbols {
    let mut out = foreign::Symbols::default();
    let mut add = |symbol: &Symbol, defined: bool, import: Option<&wasmir::Import>| {
        let Some(name) = name_of(symbol) else { return };
        // What the host is to provide is not looked for.
        if import.is_some_and(|i| i.module != "env") {
            return;
        }
        let list = match (defined, symbol.linkage) {
            (true, _) => &mut out.defined,
            (false, Linkage::UndefinedWeak) => &mut out.wanted,
            (false, _) => &mut out.undefined,
        };
        list.push(name.to_owned());
    };
    for (id, func) in module.funcs.iter() {
        let defined = has_body(id) || !matches!(func.body, FuncBody::None);
        add(&func.symbol, defined, func.import.as_ref());
    }
    for data in module.datas.values() {
        let undefined = matches!(
            data.kind,
            DataKind::Symbol {
                undefined: true,
                ..
            }
        );
        add(&data.symbol, says_defined(&data.symbol) && !undefined, None);
    }
    for global in module.globals.values() {
        let defined = global.import.is_none() && says_defined(&global.symbol);
        add(&global.symbol, defined, global.import.as_ref());
    }
    for table in module.tables.values() {
        let defined = table.import.is_none() && says_defined(&table.symbol);
        add(&table.symbol, defined, table.import.as_ref());
    }
    for tag in module.tags.values() {
        let defined = tag.import.is_none() && says_defined(&tag.symbol);
        add(&tag.symbol, defined, tag.import.as_ref());
    }
    out
}

/// Which units are loaded.
fn load(units: &[UnitFile], args: &Args) -> Vec<bool> {
    let mut loaded: Vec<bool> = units.iter().map(|unit| unit.direct).collect();
    // The first definer of each name; one that is loaded in any case goes before members of archives.
    let mut definers: FxHashMap<&str, usize> = FxHashMap::default();
    for direct in [true, false] {
        for (i, unit) in units.iter().enumerate().filter(|(_, u)| u.direct == direct) {
            for name in &unit.symbols.defined {
                definers.entry(name).or_insert(i);
            }
        }
    }
    // Names that a loaded unit defines, though another is their first definer.
    let mut defined: rustc_hash::FxHashSet<&str> = rustc_hash::FxHashSet::default();
    let mut work: std::collections::VecDeque<&str> = std::collections::VecDeque::new();
    for (unit, _) in units.iter().zip(&loaded).filter(|(_, loaded)| **loaded) {
        defined.extend(unit.symbols.defined.iter().map(String::as_str));
        work.extend(unit.symbols.undefined.iter().map(String::as_str));
    }
    work.extend(args.wanted.iter().map(String::as_str));
    work.extend(["_start", "_initialize"]);
    while let Some(name) = work.pop_front() {
        if defined.contains(name) {
            continue;
        }
        let Some(&i) = definers.get(name) else {
            continue;
        };
        if !std::mem::replace(&mut loaded[i], true) {
            defined.extend(units[i].symbols.defined.iter().map(String::as_str));
            work.extend(units[i].symbols.undefined.iter().map(String::as_str));
        }
    }
    loaded
}

/// The folder of a file, and its name with something appended.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
