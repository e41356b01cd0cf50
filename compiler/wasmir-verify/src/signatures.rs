//! The core functions that the canonical ABI makes of WIT, by name.
//!
//! # Algorithm
//! Each exported function (with its post-return and callback), the destructors of exported resources, the allocator, and each imported
//! function with the intrinsics of resources has a core name and a core type, in each of the ways in which names are mangled and calls are
//! lifted. Of a world these are what it imports and exports; of a folder of WIT, what any interface in it is as an import and as an export, and
//! the functions of the worlds of its main package. A name that two of these worlds give different types is left out: which is meant
//! is not known.
//!
//! # Cost
//! Linear in the size of the WIT.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use wasmir::{FuncType, Type};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{
    Function, InterfaceId, LiftLowerAbi, ManglingAndAbi, PackageId, Resolve, ResourceIntrinsic,
    TypeDefKind, TypeId, WasmExport, WasmExportKind, WasmImport, WorldId, WorldItem, WorldKey,
};

/// The ways in which a function's core names are made.
const WAYS: [ManglingAndAbi; 4] = [
    ManglingAndAbi::Legacy(LiftLowerAbi::Sync),
    ManglingAndAbi::Standard32,
    ManglingAndAbi::Legacy(LiftLowerAbi::AsyncCallback),
    ManglingAndAbi::Legacy(LiftLowerAbi::AsyncStackful),
];

/// The core types of functions that cross the boundary of a component, by their core names.
#[derive(Clone, Debug, Default)]
pub struct CoreSignatures {
    exports: BTreeMap<String, FuncType>,
    imports: BTreeMap<(String, String), FuncType>,
    /// For each exported function the names it may have, of which one must be there.
    wanted: Vec<Vec<String>>,
}

/// A folder of WIT that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitFolderError {
    /// The folder.
    pub folder: PathBuf,
    /// What the parser says, with the place.
    pub reason: String,
}

impl fmt::Display for WitFolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot read the WIT in `{}`: {}",
            self.folder.display(),
            self.reason
        )
    }
}

impl std::error::Error for WitFolderError {}

impl CoreSignatures {
    /// What a world imports and exports, for memories addressed by `pointer`.
    pub fn of_world(resolve: &Resolve, world: WorldId, pointer: Type) -> CoreSignatures {
        let mut collector = Collector::new(resolve, pointer);
        collector.realloc();
        collector.world(world);
        collector.to
    }

    /// What the WIT in a folder, the package's own and its dependencies in `deps`, says of any import or export; and the files that were
    /// read.
    ///
    /// # Errors
    /// If there is no such folder, or what is in it is not WIT.
    pub fn of_folder(folder: &Path) -> Result<(CoreSignatures, Vec<PathBuf>), WitFolderError> {
        let mut resolve = Resolve::default();
        let read = resolve.push_dir(folder).map_err(|error| WitFolderError {
            folder: folder.to_owned(),
            reason: format!("{error:#}"),
        });
        let (package, files) = read?;
        let files = files.paths().map(Path::to_owned).collect();
        Ok((CoreSignatures::of_package(&resolve, package), files))
    }

    /// What each interface that `resolve` has is as an import and as an export, and the functions of the package's worlds.
    fn of_package(resolve: &Resolve, package: PackageId) -> CoreSignatures {
        let interfaces = resolve.interfaces.iter();
        // Interfaces that a world writes out come with the world.
        let keys: Vec<(WorldKey, InterfaceId)> = interfaces
            .filter(|(_, interface)| interface.name.is_some() && interface.package.is_some())
            .map(|(id, _)| (WorldKey::Interface(id), id))
            .collect();
        let mut collector = Collector::new(resolve, Type::I32);
        for (key, id) in &keys {
            collector.imports(key, *id);
            collector.exports(key, *id);
        }
        let mut all = collector.to;
        let worlds = resolve.packages[package].worlds.values();
        let worlds: Vec<CoreSignatures> = worlds
            .map(|&world| CoreSignatures::of_world(resolve, world, Type::I32))
            .collect();
        merge(&mut all.exports, worlds.iter().map(|world| &world.exports));
        merge(&mut all.imports, worlds.iter().map(|world| &world.imports));
        // Which of the functions a program must have is known of a world only.
        all.wanted.clear();
        all
    }

    /// The type of an export of this core name.
    pub fn export(&self, name: &str) -> Option<&FuncType> {
        self.exports.get(name)
    }

    /// The type of an import of these core names.
    pub fn import(&self, module: &str, name: &str) -> Option<&FuncType> {
        self.imports.get(&(module.to_owned(), name.to_owned()))
    }

    /// Whether any import of this module is known: then it is an interface, and all its functions are.
    pub fn has_import_module(&self, module: &str) -> bool {
        let from = (module.to_owned(), String::new());
        let mut imports = self.imports.range(from..);
        imports
            .next()
            .is_some_and(|((first, _), _)| first == module)
    }

    /// For each exported function the names it may have; the first one's type is that of the plain way.
    pub(crate) fn wanted(&self) -> &[Vec<String>] {
        &self.wanted
    }
}

/// Adds what all agree about.
fn merge<'a, K: Ord + Clone + 'a>(
    to: &mut BTreeMap<K, FuncType>,
    from: impl Iterator<Item = &'a BTreeMap<K, FuncType>>,
) {
    let mut disputed = Vec::new();
    for (name, ty) in from.flatten() {
        if to.entry(name.clone()).or_insert_with(|| ty.clone()) != ty {
            disputed.push(name.clone());
        }
    }
    for name in disputed {
        to.remove(&name);
    }
}

/// Collects the functions of interfaces and worlds.
struct Collector<'a> {
    resolve: &'a Resolve,
    pointer: Type,
    to: CoreSignatures,
}

impl<'a> Collector<'a> {
    fn new(resolve: &'a Resolve, pointer: Type) -> Self {
        let to = CoreSignatures::default();
        Collector {
            resolve,
            pointer,
            to,
        }
    }

    fn realloc(&mut self) {
        let realloc = FuncType::new([self.pointer; 4], [self.pointer]);
        for way in WAYS {
            let name = self.resolve.wasm_export_name(way, WasmExport::Realloc);
            self.to.exports.insert(name, realloc.clone());
        }
    }

    fn world(&mut self, world: WorldId) {
        let world = &self.resolve.worlds[world];
        for (key, item) in &world.imports {
            match item {
                WorldItem::Interface { id, .. } => self.imports(key, *id),
                WorldItem::Function(func) => self.import(None, func),
                WorldItem::Type { .. } => {}
            }
        }
        for (key, item) in &world.exports {
            match item {
                WorldItem::Interface { id, .. } => self.exports(key, *id),
                WorldItem::Function(func) => self.export(None, func),
                WorldItem::Type { .. } => {}
            }
        }
    }

    fn imports(&mut self, key: &'a WorldKey, interface: InterfaceId) {
        for func in self.resolve.interfaces[interface].functions.values() {
            self.import(Some(key), func);
        }
        self.intrinsics(key, interface, false);
    }

    fn exports(&mut self, key: &'a WorldKey, interface: InterfaceId) {
        for func in self.resolve.interfaces[interface].functions.values() {
            self.export(Some(key), func);
        }
        self.intrinsics(key, interface, true);
    }

    fn import(&mut self, interface: Option<&'a WorldKey>, func: &'a Function) {
        for way in WAYS {
            let names = self
                .resolve
                .wasm_import_name(way, WasmImport::Func { interface, func });
            let ty = self.lowered(way.import_variant(), func);
            self.to.imports.insert(names, ty);
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
        self.to.exports.extend(found);
        self.to.wanted.push(names);
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
                    self.to.imports.insert(names, ty);
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
                    self.to.exports.insert(dtor, FuncType::new([pointer], []));
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

    fn of(wit: &str) -> CoreSignatures {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("app.wit", wit).unwrap();
        CoreSignatures::of_package(&resolve, package)
    }

    fn shown(ty: Option<&FuncType>) -> String {
        ty.map_or_else(|| "unknown".to_owned(), crate::abi::signature)
    }

    #[test]
    fn an_interface_is_known_as_import_and_as_export_whichever_world_has_it() {
        let all = of("package my:app@1.0.0;\n\
            interface log { say: func(text: string) -> u64; resource file { close: func(); } }\n\
            interface unused { nop: func(); }\n\
            world app { import log; export add: func(a: u32, b: f64) -> u64; import now: func() -> u64; }\n");
        let log = "my:app/log@1.0.0";
        assert_eq!(shown(all.import(log, "say")), "(i32, i32) -> (i64)");
        assert_eq!(shown(all.import(log, "[resource-drop]file")), "(i32) -> ()");
        assert_eq!(
            shown(all.export("my:app/log@1.0.0#say")),
            "(i32, i32) -> (i64)"
        );
        assert_eq!(
            shown(all.export("my:app/log@1.0.0#[dtor]file")),
            "(i32) -> ()"
        );
        assert_eq!(shown(all.import("my:app/unused@1.0.0", "nop")), "() -> ()");
        assert_eq!(shown(all.export("add")), "(i32, f64) -> (i64)");
        assert_eq!(shown(all.import("$root", "now")), "() -> (i64)");
        assert_eq!(shown(all.export("my:app/log@1.0.0#shout")), "unknown");
        assert_eq!(shown(all.import("my:app/log@2.0.0", "say")), "unknown");
        assert!(all.wanted().is_empty());
        assert!(all.has_import_module(log) && !all.has_import_module("my:app/lo"));
    }

    #[test]
    fn what_two_worlds_disagree_about_is_not_known() {
        let all = of("package my:app;\n\
            world a { export run: func(a: u32); export both: func() -> u32; }\n\
            world b { export run: func(a: u64); export both: func() -> u32; }\n\
            world c { export run: func(a: u32); }\n");
        assert_eq!(shown(all.export("run")), "unknown");
        assert_eq!(shown(all.export("both")), "() -> (i32)");
    }

    #[test]
    fn what_is_not_wit_is_said_with_its_place() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let error = CoreSignatures::of_folder(&folder).unwrap_err();
        assert_eq!(error.folder, folder);
        let missing = CoreSignatures::of_folder(Path::new("no/such/folder")).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("cannot read the WIT in `no/such/folder`: ")
        );
    }
}
