//! Loading: from bytes to something whose instances cost microseconds.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre as ComponentPre, Val};
use wasmtime::{ExternType, InstancePre, Linker, Module, UnknownImportError, Val as CoreVal};

use super::canonical::is_plain;
use super::convert::{self, Resources};
use super::error::Stop;
use super::runtime::Shared;
use super::state::State;
use super::wit;
use crate::exports::Functions;
use crate::host::{HostFunction, import_name};
use crate::value::{ResourceHandle, Signature, Value, WitFunction};
use crate::{Error, FunctionInfo, ImportInfo, ModuleId, ModuleKind, Result, WasmModule};

/// The interface of WASI preview 1.
const PREVIEW1: &str = "wasi_snapshot_preview1";

/// A module or component that the wasmtime backend compiled.
///
/// ```
/// use wasm_sandbox::{RuntimeConfig, WasmtimeModule, create_runtime};
///
/// let runtime = create_runtime(&RuntimeConfig::default())?;
/// let module = runtime.load_module(&wat::parse_str("(module)")?)?;
/// assert!(module.as_any().downcast_ref::<WasmtimeModule>().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct WasmtimeModule {
    pub(super) loaded: Arc<Loaded>,
}

/// A compiled module with its imports already linked.
pub(super) struct Loaded {
    pub(super) runtime: u64,
    pub(super) id: ModuleId,
    pub(super) size: usize,
    pub(super) functions: Functions,
    pub(super) imports: Vec<ImportInfo>,
    pub(super) wasi: bool,
    pub(super) code: Code,
}

pub(super) enum Code {
    Core(InstancePre<State>),
    /// With its exported functions, in the order of `functions`.
    Component(ComponentPre<State>, Vec<Export>),
}

/// What is known of a component's exported function besides its name and type.
pub(super) struct Export {
    pub(super) index: ComponentExportIndex,
    /// Whether its values go straight to the canonical ABI.
    pub(super) plain: bool,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("id", &self.id)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    pub(super) fn kind(&self) -> ModuleKind {
        match self.code {
            Code::Core(_) => ModuleKind::Core,
            Code::Component(..) => ModuleKind::Component,
        }
    }
}

impl WasmModule for WasmtimeModule {
    fn id(&self) -> ModuleId {
        self.loaded.id
    }

    fn kind(&self) -> ModuleKind {
        self.loaded.kind()
    }

    fn exports(&self) -> Vec<FunctionInfo> {
        self.loaded.functions.to_vec()
    }

    fn imports(&self) -> Vec<ImportInfo> {
        self.loaded.imports.clone()
    }

    fn wit_exports(&self) -> Vec<WitFunction> {
        match &self.loaded.code {
            Code::Core(pre) => wit::core_exports(pre.module()),
            Code::Component(pre, _) => wit::component_exports(pre.component()),
        }
    }

    fn size(&self) -> usize {
        self.loaded.size
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn invalid(error: wasmtime::Error) -> Error {
    Error::InvalidModule {
        reason: format!("{error:#}"),
    }
}

/// Why a module whose imports are all known could not be linked.
fn unlinked(error: wasmtime::Error) -> Error {
    match error.downcast_ref::<UnknownImportError>() {
        Some(missing) => Error::MissingImports {
            imports: vec![info(missing.module(), missing.name())],
        },
        None => Error::ImportMismatch {
            reason: format!("{error:#}"),
        },
    }
}

fn info(interface: &str, name: &str) -> ImportInfo {
    ImportInfo {
        interface: interface.into(),
        name: name.into(),
    }
}

fn all_provided(missing: Vec<ImportInfo>) -> Result<()> {
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::MissingImports { imports: missing }),
    }
}

/// Compiles and links `bytes`.
pub(super) fn load(shared: &Shared, id: ModuleId, bytes: &[u8]) -> Result<Loaded> {
    // The four bytes after the magic number tell a module from a component.
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => load_core(shared, id, bytes),
        [0, b'a', b's', b'm', _, 0, 1, 0, ..] => load_component(shared, id, bytes),
        _ => Err(Error::InvalidModule {
            reason: "the bytes begin neither a module nor a component".into(),
        }),
    }
}

fn load_core(shared: &Shared, id: ModuleId, bytes: &[u8]) -> Result<Loaded> {
    let module = Module::from_binary(&shared.engine, bytes).map_err(invalid)?;
    let wasi = module.imports().any(|import| import.module() == PREVIEW1);
    // Copied only for a module that has imports of its own.
    let mut linker = match wasi {
        true => Cow::Borrowed(shared.core_wasi()?),
        false => Cow::Owned(Linker::new(&shared.engine)),
    };
    let mut imports = Vec::new();
    let mut missing = Vec::new();
    for import in module
        .imports()
        .filter(|import| import.module() != PREVIEW1)
    {
        let (interface, name) = (import.module(), import.name());
        let function = shared.config.host_functions.get(interface, name);
        let (ExternType::Func(ty), Some(function)) = (import.ty(), function) else {
            missing.push(info(interface, name));
            continue;
        };
        let (function, signature) = (function.clone(), convert::core_signature(&ty));
        let info = info(interface, name);
        if imports.contains(&info) {
            continue;
        }
        imports.push(info);
        let label = import_name(interface, name);
        linker
            .to_mut()
            .func_new(interface, name, ty, move |mut caller, params, results| {
                call_host_core(
                    &function,
                    &label,
                    &signature,
                    caller.data_mut(),
                    params,
                    results,
                )
                .map_err(Stop::because)
            })
            .map_err(invalid)?;
    }
    all_provided(missing)?;
    let functions = Functions::of_core(
        bytes,
        module.exports().filter_map(|export| match export.ty() {
            ExternType::Func(ty) => Some((export.name(), convert::core_signature(&ty))),
            _ => None,
        }),
    )?;
    let pre = linker.instantiate_pre(&module).map_err(unlinked)?;
    Ok(Loaded {
        runtime: shared.id,
        id,
        size: bytes.len(),
        functions,
        imports,
        wasi,
        code: Code::Core(pre),
    })
}

fn load_component(shared: &Shared, id: ModuleId, bytes: &[u8]) -> Result<Loaded> {
    let engine = &shared.engine;
    let component = Component::from_binary(engine, bytes).map_err(invalid)?;
    let ty = component.component_type();
    let mut linker = Cow::Borrowed(shared.component()?);
    let mut imports = Vec::new();
    let mut missing = Vec::new();
    let mut wasi = false;
    for (name, import) in ty.imports(engine) {
        match import.ty {
            ComponentItem::ComponentFunc(ty) => {
                let import = info("", name);
                match shared.config.host_functions.get("", name) {
                    Some(function) => {
                        let signature = convert::component_signature(&ty);
                        let mut root = linker.to_mut().root();
                        define(&mut root, &import, function.clone(), signature)?;
                        imports.push(import);
                    }
                    None => missing.push(import),
                }
            }
            ComponentItem::ComponentInstance(instance) => {
                let is_ours = instance
                    .exports(engine)
                    .any(|(item, _)| shared.config.host_functions.get(name, item).is_some());
                if !is_ours && is_wasi(name) {
                    wasi = true;
                    continue;
                }
                let mut definitions = linker.to_mut().instance(name).map_err(invalid)?;
                for (item, export) in instance.exports(engine) {
                    let import = info(name, item);
                    let function = shared.config.host_functions.get(name, item);
                    match (export.ty, function) {
                        (ComponentItem::ComponentFunc(ty), Some(function)) => {
                            let signature = convert::component_signature(&ty);
                            define(&mut definitions, &import, function.clone(), signature)?;
                            imports.push(import);
                        }
                        (ComponentItem::Type(_), _) => {}
                        _ => missing.push(import),
                    }
                }
            }
            ComponentItem::Type(_) => {}
            _ => missing.push(info("", name)),
        }
    }
    all_provided(missing)?;
    let mut functions = Vec::new();
    let mut add = |name: String, ty: &ComponentFunc, index: Option<ComponentExportIndex>| {
        let signature = convert::component_signature(ty);
        let plain = is_plain(&signature);
        functions.extend(index.map(|index| (name, signature, Export { index, plain })));
    };
    for (name, export) in ty.exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(ty) => {
                add(name.into(), &ty, component.get_export_index(None, name));
            }
            ComponentItem::ComponentInstance(instance) => {
                let outer = component.get_export_index(None, name);
                for (item, export) in instance.exports(engine) {
                    if let ComponentItem::ComponentFunc(ty) = export.ty {
                        let index = component.get_export_index(outer.as_ref(), item);
                        add(import_name(name, item), &ty, index);
                    }
                }
            }
            _ => {}
        }
    }
    let (functions, exports) = Functions::of_component(functions);
    let pre = linker.instantiate_pre(&component).map_err(unlinked)?;
    Ok(Loaded {
        runtime: shared.id,
        id,
        size: bytes.len(),
        functions,
        imports,
        wasi,
        code: Code::Component(pre, exports),
    })
}

/// The packages of WASI 0.2 that components may import: `wasi:cli` and so on.
///
/// ```
/// assert!(wasm_sandbox::WASI_PACKAGES.contains(&"filesystem"));
/// ```
pub const WASI_PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Whether an import, `wasi:package/interface@version`, is of the WASI that components are offered.
fn is_wasi(import: &str) -> bool {
    let parts = || {
        let (package, rest) = import.strip_prefix("wasi:")?.split_once('/')?;
        let (_, version) = rest.split_once('@')?;
        Some((package, version))
    };
    parts().is_some_and(|(package, version)| {
        WASI_PACKAGES.contains(&package) && version.starts_with("0.2.")
    })
}

fn define(
    linker: &mut wasmtime::component::LinkerInstance<'_, State>,
    import: &ImportInfo,
    function: HostFunction,
    signature: Signature,
) -> Result<()> {
    let label = import.to_string();
    linker
        .func_new(&import.name, move |mut store, _, params, results| {
            call_host_component(
                &function,
                &label,
                &signature,
                store.data_mut(),
                params,
                results,
            )
            .map_err(Stop::because)
        })
        .map_err(invalid)
}

fn call_host_core(
    function: &HostFunction,
    name: &str,
    signature: &Signature,
    state: &mut State,
    params: &[CoreVal],
    results: &mut [CoreVal],
) -> Result<()> {
    state.host_calls.called()?;
    let unsupported = || Error::Signature {
        name: name.into(),
        reason: format!("`{signature}` has values that cannot leave the guest"),
    };
    let values = params
        .iter()
        .map(|value| convert::from_core(value).ok_or_else(unsupported))
        .collect::<Result<_>>()?;
    let answers = function.call(state.control.id, name, signature, values)?;
    for (slot, answer) in results.iter_mut().zip(&answers) {
        *slot = convert::to_core(answer).ok_or_else(unsupported)?;
    }
    Ok(())
}

fn call_host_component(
    function: &HostFunction,
    name: &str,
    signature: &Signature,
    state: &mut State,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    state.host_calls.called()?;
    let values = params.iter().zip(&signature.params);
    let values: Vec<Value> = values
        .map(|(value, param)| convert::from_val(value.clone(), &param.ty, &mut NoResources))
        .collect::<Result<_>>()?;
    let answers = function.call(state.control.id, name, signature, values)?;
    for ((slot, answer), ty) in results.iter_mut().zip(answers).zip(&signature.results) {
        *slot = convert::to_val(answer, ty, &mut NoResources)?;
    }
    Ok(())
}

/// Host functions do not exchange resources: a handle would outlive the call that lent it.
struct NoResources;

const RESOURCES: Error = Error::Unsupported {
    runtime: "wasmtime",
    operation: "resources as arguments or results of host functions",
};

impl Resources for NoResources {
    fn lower(&mut self, _: ResourceHandle, _: bool) -> Result<wasmtime::component::ResourceAny> {
        Err(RESOURCES)
    }

    fn lift(&mut self, _: wasmtime::component::ResourceAny) -> Result<ResourceHandle> {
        Err(RESOURCES)
    }
}

#[cfg(test)]
mod tests {
    use super::is_wasi;

    #[test]
    fn wasi_is_told_from_what_only_looks_like_it() {
        assert!(is_wasi("wasi:cli/stdout@0.2.6"));
        for other in [
            "wasi:cli/stdout@0.3.0",
            "wasi:http/types@0.2.0",
            "wasi:cli/stdout",
            "docs:cli/stdout@0.2.0",
        ] {
            assert!(!is_wasi(other), "{other}");
        }
    }
}
