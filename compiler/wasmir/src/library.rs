//! Libraries: objects that take part in a link only if something needs them.
//!
//! # Algorithm
//! Symbols that are used and not defined are a work list. One that an object of a library defines pulls that object in, whose own
//! undefined symbols join the list; of several objects that define it the first counts. As with `wasm-ld`, the order of objects and
//! libraries does not matter, functions, data, globals, tables and tags share one name space, and a weak reference pulls nothing.
//!
//! # Invariants
//! The answer depends on the modules and their order alone.
//!
//! # Cost
//! Linear in the number of symbols.

use crate::module::*;
use crate::symbol::{Linkage, Symbol};
use rustc_hash::{FxHashMap, FxHashSet};

/// The objects of `library` that linking `objects` needs, by number, in the order in which they are found to be needed. `roots` are
/// symbols that are needed for themselves, such as those that are to be exported.
///
/// ```
/// let object = |text: &str| {
///     let text = format!("wasmir 1\nrelocatable\ntype type0 = func() -> ()\n{text}");
///     wasmir::parse_module(&text).unwrap()
/// };
/// let program = object("func %main type0 strong {\nb0:\n  call %f()\n  return\n}\nfunc %f type0 undefined\n");
/// let library = [
///     object("func %g type0 strong {\nb0:\n  return\n}\n"),
///     object("func %unused type0 strong {\nb0:\n  return\n}\n"),
///     object("func %f type0 strong {\nb0:\n  call %g()\n  return\n}\nfunc %g type0 undefined\n"),
/// ];
/// assert_eq!(wasmir::needed_of_library(&[program], &library, &[]), [2, 0]);
/// ```
pub fn needed_of_library(objects: &[Module], library: &[Module], roots: &[&str]) -> Vec<usize> {
    let mut definers: FxHashMap<&str, usize> = FxHashMap::default();
    for (number, module) in library.iter().enumerate() {
        for_each_symbol(module, &mut |name, state| {
            if state == State::Defined {
                definers.entry(name).or_insert(number);
            }
        });
    }
    let mut defined: FxHashSet<&str> = FxHashSet::default();
    // Used, in the order of the first use.
    let mut used: Vec<&str> = roots.to_vec();
    for module in objects {
        scan(module, &mut defined, &mut used);
    }
    let (mut needed, mut next) = (Vec::new(), 0);
    while let Some(&name) = used.get(next) {
        next += 1;
        if defined.contains(name) {
            continue;
        }
        if let Some(&number) = definers.get(name) {
            needed.push(number);
            scan(&library[number], &mut defined, &mut used);
        }
    }
    needed
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Defined,
    Used,
    Weak,
}

fn scan<'m>(module: &'m Module, defined: &mut FxHashSet<&'m str>, used: &mut Vec<&'m str>) {
    for_each_symbol(module, &mut |name, state| match state {
        State::Defined => {
            defined.insert(name);
        }
        State::Used => used.push(name),
        State::Weak => {}
    });
}

/// The symbols of a module that other modules see.
fn for_each_symbol<'m>(module: &'m Module, f: &mut dyn FnMut(&'m str, State)) {
    let mut see = |symbol: &'m Symbol, elsewhere: bool| {
        let state = match symbol.linkage {
            Linkage::Local => return,
            Linkage::UndefinedWeak => State::Weak,
            Linkage::Undefined => State::Used,
            Linkage::Weak | Linkage::Strong if elsewhere => State::Used,
            Linkage::Weak | Linkage::Strong => State::Defined,
        };
        if let Some(name) = &symbol.name {
            f(name, state);
        }
    };
    for func in module.funcs.values() {
        see(&func.symbol, func.import.is_some());
    }
    for data in module.datas.values() {
        let undefined = matches!(
            data.kind,
            DataKind::Symbol {
                undefined: true,
                ..
            }
        );
        see(&data.symbol, undefined);
    }
    for global in module.globals.values() {
        see(&global.symbol, global.import.is_some());
    }
    for table in module.tables.values() {
        see(&table.symbol, table.import.is_some());
    }
    for tag in module.tags.values() {
        see(&tag.symbol, tag.import.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_module;

    fn object(text: &str) -> Module {
        let text = format!("wasmir 1\nrelocatable\ntype type0 = func() -> ()\n{text}");
        parse_module(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
    }

    const F: &str = "func %f type0 strong {\nb0:\n  return\n}\n";
    const D: &str = "data %d strong symbol \".data.d\" align 4 size 4 \"\"\n";

    #[test]
    fn a_weak_reference_pulls_nothing() {
        let weak = object("func %f type0 undefined_weak\n");
        assert!(needed_of_library(&[weak], &[object(F)], &[]).is_empty());
    }

    #[test]
    fn what_is_defined_is_not_taken_again() {
        let user = object("func %f type0 undefined\n");
        let own = object(&F.replace("strong", "weak"));
        assert!(needed_of_library(&[user.clone(), own], &[object(F)], &[]).is_empty());
        let both = [object(F), object(F)];
        assert_eq!(needed_of_library(&[user], &both, &[]), [0]);
    }

    #[test]
    fn data_and_roots_pull_too() {
        let user = object("data %d undefined symbol \"\" align 1 size 0 undefined_data \"\"\n");
        let library = [object(F), object(D)];
        assert_eq!(needed_of_library(&[user], &library, &[]), [1]);
        assert_eq!(
            needed_of_library(&[], &library, &["d", "f", "nothing"]),
            [1, 0]
        );
    }

    #[test]
    fn local_symbols_are_nobody_elses() {
        let user = object("func %f type0 undefined\n");
        let local = object(&F.replace(" strong", ""));
        assert!(needed_of_library(&[user], &[local], &[]).is_empty());
    }
}
