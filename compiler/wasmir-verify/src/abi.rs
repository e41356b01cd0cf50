//! Exports and imports of a core module against the WIT world it carries.
//!
//! # Algorithm
//! The world says which core functions the canonical ABI wants, and of which types ([`CoreSignatures`]). What the module has under these
//! names must have these types; what the world exports must be there. Names that the world does not know are the encoder's business.
//!
//! # Cost
//! Linear in the size of the world and of the module's exports and imports.

use std::fmt;

use wasmir::{FuncType, Item, Module, Type};
use wit_parser::{Resolve, WorldId};

use crate::signatures::CoreSignatures;

/// A core function that does not fit its WIT.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AbiMismatch {
    /// The world exports a function that the module does not.
    Missing {
        /// The core name it should have.
        name: String,
        /// The type it should have.
        expected: String,
    },
    /// An export is of another type than its WIT wants, or no function at all.
    Export {
        /// Its core name.
        name: String,
        /// The type it should have.
        expected: String,
        /// What it is.
        found: String,
    },
    /// An import is of another type than its WIT gives.
    Import {
        /// Its core module name.
        module: String,
        /// Its core field name.
        name: String,
        /// The type it should have.
        expected: String,
        /// The type it has.
        found: String,
    },
}

impl fmt::Display for AbiMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AbiMismatch::Missing { name, expected } => {
                write!(f, "export `{name}` is missing: its WIT wants `{expected}`")
            }
            AbiMismatch::Export {
                name,
                expected,
                found,
            } => write!(
                f,
                "export `{name}` does not match its WIT: expected `{expected}`, found `{found}`"
            ),
            AbiMismatch::Import {
                module,
                name,
                expected,
                found,
            } => write!(
                f,
                "import `{module}::{name}` does not match its WIT: expected `{expected}`, found `{found}`"
            ),
        }
    }
}

/// Compares the exports and imports of `module` with `world`: missing exports first, then in the module's order.
pub fn check_abi(module: &Module, resolve: &Resolve, world: WorldId) -> Vec<AbiMismatch> {
    let pointer = match module.memories.values().next() {
        Some(memory) if memory.index64 => Type::I64,
        _ => Type::I32,
    };
    let expected = CoreSignatures::of_world(resolve, world, pointer);
    let mut mismatches: Vec<AbiMismatch> = expected
        .wanted()
        .iter()
        .filter(|names| {
            let there = |name: &String| module.exports.iter().any(|export| export.name == *name);
            !names.iter().any(there)
        })
        .filter_map(|names| {
            let name = names.first()?;
            Some(AbiMismatch::Missing {
                name: name.clone(),
                expected: signature(expected.export(name)?),
            })
        })
        .collect();
    for export in &module.exports {
        let Some(wanted) = expected.export(&export.name) else {
            continue;
        };
        let found = match export.item {
            Item::Func(func) => module.func_type(func),
            _ => None,
        };
        if found != Some(wanted) {
            mismatches.push(AbiMismatch::Export {
                name: export.name.clone(),
                expected: signature(wanted),
                found: found.map_or_else(|| "no function".to_owned(), signature),
            });
        }
    }
    for (func, data) in module.funcs.iter() {
        let Some(import) = &data.import else { continue };
        if let Some(wanted) = expected.import(&import.module, &import.name)
            && let Some(found) = module.func_type(func).filter(|found| *found != wanted)
        {
            mismatches.push(AbiMismatch::Import {
                module: import.module.clone(),
                name: import.name.clone(),
                expected: signature(wanted),
                found: signature(found),
            });
        }
    }
    mismatches
}

/// A type as `(i32, i64) -> (i32)`.
pub fn signature(ty: &FuncType) -> String {
    let list = |types: &[Type]| {
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    format!("({}) -> ({})", list(&ty.params), list(&ty.results))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIT: &str = "package my:app@1.0.0;\n\
        interface log { say: func(text: string) -> u32; resource file { close: func(); } }\n\
        interface shapes { resource polygon { area: func() -> f64; } name: func() -> string; }\n\
        world app { import log; export shapes; export add: func(a: u32, b: u64) -> u64; }\n";

    fn check(wat: &str) -> String {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("app.wit", WIT).unwrap();
        let world = resolve.select_world(&[package], Some("app")).unwrap();
        let module = wasmir_lift::lift(&wat::parse_str(wat).unwrap()).unwrap();
        let list = check_abi(&module, &resolve, world);
        list.iter()
            .map(|mismatch| format!("{mismatch}\n"))
            .collect()
    }

    const GOOD: &str = r#"(module
        (import "my:app/log@1.0.0" "say" (func (param i32 i32) (result i32)))
        (import "my:app/log@1.0.0" "[resource-drop]file" (func (param i32)))
        (import "[export]my:app/shapes@1.0.0" "[resource-new]polygon" (func (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "add") (param i32 i64) (result i64) i64.const 0)
        (func (export "my:app/shapes@1.0.0#[method]polygon.area") (param i32) (result f64) f64.const 0)
        (func (export "my:app/shapes@1.0.0#name") (result i32) i32.const 0)
        (func (export "cabi_post_my:app/shapes@1.0.0#name") (param i32))
        (func (export "my:app/shapes@1.0.0#[dtor]polygon") (param i32))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))"#;

    #[test]
    fn a_module_that_fits_has_no_mismatch() {
        assert_eq!(check(GOOD), "");
    }

    #[test]
    fn each_mismatch_is_named_with_both_types() {
        for (from, to, expected) in [
            (
                "(export \"add\") (param i32 i64)",
                "(export \"add\") (param i64 i64)",
                "export `add` does not match its WIT: expected `(i32, i64) -> (i64)`, found `(i64, i64) -> (i64)`\n",
            ),
            (
                "(export \"add\")",
                "(export \"plus\")",
                "export `add` is missing: its WIT wants `(i32, i64) -> (i64)`\n",
            ),
            (
                "\"say\" (func (param i32 i32)",
                "\"say\" (func (param i32)",
                "import `my:app/log@1.0.0::say` does not match its WIT: expected `(i32, i32) -> (i32)`, found `(i32) -> (i32)`\n",
            ),
            (
                "[resource-drop]file\" (func (param i32))",
                "[resource-drop]file\" (func (param i64))",
                "import `my:app/log@1.0.0::[resource-drop]file` does not match its WIT: expected `(i32) -> ()`, found `(i64) -> ()`\n",
            ),
            (
                "(func (export \"cabi_post_my:app/shapes@1.0.0#name\") (param i32))",
                "(func (export \"cabi_post_my:app/shapes@1.0.0#name\"))",
                "export `cabi_post_my:app/shapes@1.0.0#name` does not match its WIT: expected `(i32) -> ()`, found `() -> ()`\n",
            ),
            (
                "(func (export \"my:app/shapes@1.0.0#[dtor]polygon\") (param i32))",
                "(global (export \"my:app/shapes@1.0.0#[dtor]polygon\") i32 (i32.const 0))",
                "export `my:app/shapes@1.0.0#[dtor]polygon` does not match its WIT: expected `(i32) -> ()`, found `no function`\n",
            ),
        ] {
            let changed = GOOD.replace(from, to);
            assert_ne!(changed, GOOD, "{from}");
            assert_eq!(check(&changed), expected);
        }
    }
}
