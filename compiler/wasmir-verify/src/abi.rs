//! Exports and imports of a core module against the WIT world it carries.
//!
//! # Algorithm
//! The world says which core functions the canonical ABI wants, and of which types: each exported function (with its
//! post-return and callback), the destructors of exported resources, the allocator, and each imported function with the
//! intrinsics of resources. What the module has under these names must have these types; what the world exports must be
//! there. Both ways of mangling names, and the asynchronous forms, are known. Names that the world does not know are the
//! encoder's business.
//!
//! # Cost
//! Linear in the size of the world and of the module's exports and imports.

use std::collections::BTreeMap;
use std::fmt;

use wasmir::{FuncType, Item, Module, Type};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{
    Function, InterfaceId, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind,
    TypeId, WasmExport, WasmExportKind, WasmImport, WorldId, WorldItem, WorldKey,
};

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

/// The ways in which a function's core names are made.
const WAYS: [ManglingAndAbi; 4] = [
    ManglingAndAbi::Legacy(LiftLowerAbi::Sync),
    ManglingAndAbi::Standard32,
    ManglingAndAbi::Legacy(LiftLowerAbi::AsyncCallback),
    ManglingAndAbi::Legacy(LiftLowerAbi::AsyncStackful),
];

/// Compares the exports and imports of `module` with `world`: missing exports first, then in the module's order.
pub fn check_abi(module: &Module, resolve: &Resolve, world: WorldId) -> Vec<AbiMismatch> {
    let mut expected = Expected {
        resolve,
        pointer: match module.memories.values().next() {
            Some(memory) if memory.index64 => Type::I64,
            _ => Type::I32,
        },
        exports: BTreeMap::new(),
        imports: BTreeMap::new(),
        wanted: Vec::new(),
    };
    expected.world(world);
    let mut mismatches: Vec<AbiMismatch> = expected
        .wanted
        .iter()
        .filter(|names| {
            let there = |name: &String| module.exports.iter().any(|export| export.name == *name);
            !names.iter().any(there)
        })
        .filter_map(|names| {
            let name = names.first()?;
            Some(AbiMismatch::Missing {
                name: name.clone(),
                expected: signature(expected.exports.get(name)?),
            })
        })
        .collect();
    for export in &module.exports {
        let Some(wanted) = expected.exports.get(&export.name) else {
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
        let key = (import.module.clone(), import.name.clone());
        if let Some(wanted) = expected.imports.get(&key)
            && let Some(found) = module.func_type(func).filter(|found| *found != wanted)
        {
            mismatches.push(AbiMismatch::Import {
                module: key.0,
                name: key.1,
                expected: signature(wanted),
                found: signature(found),
            });
        }
    }
    mismatches
}

/// A type as `(i32, i64) -> (i32)`.
fn signature(ty: &FuncType) -> String {
    let list = |types: &[Type]| {
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    format!("({}) -> ({})", list(&ty.params), list(&ty.results))
}

/// The core functions that a world wants, by name.
struct Expected<'a> {
    resolve: &'a Resolve,
    pointer: Type,
    exports: BTreeMap<String, FuncType>,
    imports: BTreeMap<(String, String), FuncType>,
    /// For each exported function the names it may have, of which one must be there.
    wanted: Vec<Vec<String>>,
}

impl<'a> Expected<'a> {
    fn world(&mut self, world: WorldId) {
        let resolve = self.resolve;
        let world = &resolve.worlds[world];
        let pointer = self.pointer;
        let realloc = FuncType::new([pointer; 4], [pointer]);
        for way in WAYS {
            let name = resolve.wasm_export_name(way, WasmExport::Realloc);
            self.exports.insert(name, realloc.clone());
        }
        for (key, item) in &world.imports {
            match item {
                WorldItem::Interface { id, .. } => {
                    for func in resolve.interfaces[*id].functions.values() {
                        self.import(Some(key), func);
                    }
                    self.intrinsics(key, *id, false);
                }
                WorldItem::Function(func) => self.import(None, func),
                WorldItem::Type { .. } => {}
            }
        }
        for (key, item) in &world.exports {
            match item {
                WorldItem::Interface { id, .. } => {
                    for func in resolve.interfaces[*id].functions.values() {
                        self.export(Some(key), func);
                    }
                    self.intrinsics(key, *id, true);
                }
                WorldItem::Function(func) => self.export(None, func),
                WorldItem::Type { .. } => {}
            }
        }
    }

    fn import(&mut self, interface: Option<&'a WorldKey>, func: &'a Function) {
        for way in WAYS {
            let names = self
                .resolve
                .wasm_import_name(way, WasmImport::Func { interface, func });
            let ty = self.lowered(way.import_variant(), func);
            self.imports.insert(names, ty);
        }
    }

    fn export(&mut self, interface: Option<&'a WorldKey>, func: &'a Function) {
        let mut names = Vec::new();
        let name = |way: ManglingAndAbi, kind| {
            let export = WasmExport::Func {
                interface,
                func,
                kind,
            };
            self.resolve.wasm_export_name(way, export)
        };
        let mut found = Vec::new();
        for way in WAYS {
            let ty = self.lowered(way.export_variant(), func);
            let normal = name(way, WasmExportKind::Normal);
            names.push(normal.clone());
            if !way.is_async() {
                // Given what the function returned, to clean up after it.
                let post = FuncType::new(ty.results.to_vec(), []);
                found.push((name(way, WasmExportKind::PostReturn), post));
            }
            if way == ManglingAndAbi::Legacy(LiftLowerAbi::AsyncCallback) {
                let callback = FuncType::new([Type::I32; 3], [Type::I32]);
                found.push((name(way, WasmExportKind::Callback), callback));
            }
            found.push((normal, ty));
        }
        self.exports.extend(found);
        self.wanted.push(names);
    }

    /// What goes with the resources of an interface.
    fn intrinsics(&mut self, key: &'a WorldKey, interface: InterfaceId, exported: bool) {
        let resolve = self.resolve;
        let resources = resolve.interfaces[interface].types.values().copied();
        let resources =
            resources.filter(|&id| matches!(resolve.types[id].kind, TypeDefKind::Resource));
        for resource in resources.collect::<Vec<TypeId>>() {
            for way in [WAYS[0], WAYS[1]] {
                let mut intrinsic = |intrinsic, ty| {
                    let names = resolve.wasm_import_name(
                        way,
                        WasmImport::ResourceIntrinsic {
                            interface: Some(key),
                            resource,
                            intrinsic,
                        },
                    );
                    self.imports.insert(names, ty);
                };
                if exported {
                    let pointer = self.pointer;
                    intrinsic(
                        ResourceIntrinsic::ExportedDrop,
                        FuncType::new([Type::I32], []),
                    );
                    intrinsic(
                        ResourceIntrinsic::ExportedNew,
                        FuncType::new([pointer], [Type::I32]),
                    );
                    intrinsic(
                        ResourceIntrinsic::ExportedRep,
                        FuncType::new([Type::I32], [pointer]),
                    );
                    let dtor = resolve.wasm_export_name(
                        way,
                        WasmExport::ResourceDtor {
                            interface: key,
                            resource,
                        },
                    );
                    self.exports.insert(dtor, FuncType::new([pointer], []));
                } else {
                    intrinsic(
                        ResourceIntrinsic::ImportedDrop,
                        FuncType::new([Type::I32], []),
                    );
                }
            }
        }
    }

    fn lowered(&self, variant: AbiVariant, func: &Function) -> FuncType {
        let WasmSignature {
            params, results, ..
        } = self.resolve.wasm_signature(variant, func);
        let list = |types: Vec<WasmType>| -> Vec<Type> {
            types.into_iter().map(|ty| self.core(ty)).collect()
        };
        FuncType::new(list(params), list(results))
    }

    fn core(&self, ty: WasmType) -> Type {
        match ty {
            WasmType::I32 => Type::I32,
            WasmType::I64 | WasmType::PointerOrI64 => Type::I64,
            WasmType::F32 => Type::F32,
            WasmType::F64 => Type::F64,
            WasmType::Pointer | WasmType::Length => self.pointer,
        }
    }
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
