//! The lint `wasm_abi_mismatch`: imports and exports whose core type is not that of their WIT.
//!
//! # Algorithm
//!
//! WIT in the package's folder `wit`, with what it depends on in `wit/deps`, says which core type each function of an interface has, as an
//! import and as an export (`wasmir_verify::CoreSignatures`). The core type of a Rust function is what its ABI makes of its signature. So each
//! foreign function in a block that names an interface as its `wasm_import_module`, and each function with an exported name, is compared,
//! written by hand or by `#[wasm::import]` and `#[wasm::export]`: those compute the ABI of the Rust types, which may not be the WIT's.
//!
//! Of an interface that the folder does not have, or without a folder, a signature written by hand is only compared with what the
//! canonical ABI can pass at all.
//!
//! # Cost
//!
//! Reading the folder, and one look at each foreign or exported function.

use super::lints::{self, WASM_ABI_MISMATCH};
use rustc_abi::{BackendRepr, ExternAbi, Primitive, RegKind, Scalar};
use rustc_hir::def::DefKind;
use rustc_hir::def_id::{CRATE_DEF_ID, LOCAL_CRATE, LocalDefId};
use rustc_middle::middle::codegen_fn_attrs::CodegenFnAttrFlags;
use rustc_middle::ty::{self, Instance, Ty, TyCtxt, TypingEnv};
use rustc_session::Session;
use rustc_span::{Span, Symbol};
use rustc_target::callconv::{ArgAbi, PassMode};
use std::path::Path;
use wasmir::{FuncType, Type};
use wasmir_verify::{CoreSignatures, WitFolderError, signature};

/// The folder of a package's WIT, below that of its manifest.
const FOLDER: &str = "wit";

/// What `#[wasm::export]` puts before the names of functions of the world itself, so that they are no symbols of Rust's or C's.
const WORLD_PREFIX: &str = "wasmrust#";

/// What the WIT of the package that is compiled says; nothing, if it has none.
pub(crate) type Wit = Option<Result<CoreSignatures, WitFolderError>>;

/// Reads the WIT of the package that Cargo is compiling, and makes the compilation depend on its files.
pub(crate) fn read(session: &Session) -> Wit {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let folder = Path::new(&package).join(FOLDER);
    if !folder.is_dir() {
        return None;
    }
    let read = CoreSignatures::of_folder(&folder);
    Some(read.map(|(signatures, files)| {
        let mut inputs = session.file_depinfo.borrow_mut();
        inputs.extend(files.iter().filter_map(|file| file.to_str()).map(Symbol::intern));
        signatures
    }))
}

/// Compares the crate's imports and exports.
pub(super) fn check(tcx: TyCtxt<'_>, wit: &Wit) {
    let unknown = CoreSignatures::default();
    let known = match wit {
        Some(Ok(signatures)) => signatures,
        Some(Err(error)) => {
            lints::lint(
                tcx,
                WASM_ABI_MISMATCH,
                CRATE_DEF_ID,
                tcx.def_span(CRATE_DEF_ID).shrink_to_lo(),
                |diagnostic| {
                    diagnostic.primary_message(error.to_string());
                    diagnostic.note("imports and exports are not compared with it");
                },
            );
            &unknown
        }
        None => &unknown,
    };
    let modules = tcx.wasm_import_module_map(LOCAL_CRATE);
    for def in tcx.hir_crate_items(()).definitions() {
        if !matches!(tcx.def_kind(def), DefKind::Fn | DefKind::AssocFn)
            || tcx.generics_of(def).requires_monomorphization(tcx)
        {
            continue;
        }
        if tcx.is_foreign_item(def) {
            if let Some(module) = modules.get(&def.to_def_id()) {
                import(tcx, known, def, module);
            }
        } else {
            export(tcx, known, def);
        }
    }
}

fn import(tcx: TyCtxt<'_>, known: &CoreSignatures, def: LocalDefId, module: &str) {
    let attributes = tcx.codegen_fn_attrs(def);
    let name = attributes.symbol_name.unwrap_or_else(|| tcx.item_name(def));
    let reason = match known.import(module, name.as_str()) {
        Some(wanted) => match core_type(tcx, def) {
            Some(found) if found != *wanted => Reason::Differs { wanted, found },
            _ => return,
        },
        None if known.has_import_module(module) => Reason::Unknown,
        None if is_interface(module) && !tcx.def_span(def).from_expansion() => match impossible(tcx, def) {
            Some(why) => Reason::Impossible(why),
            None => return,
        },
        None => return,
    };
    report(tcx, def, &format!("`{module}`"), name.as_str(), &reason, "#[wasm::import]");
}

fn export(tcx: TyCtxt<'_>, known: &CoreSignatures, def: LocalDefId) {
    let attributes = tcx.codegen_fn_attrs(def);
    let unmangled = attributes.flags.contains(CodegenFnAttrFlags::NO_MANGLE).then(|| tcx.item_name(def));
    let Some(symbol) = attributes.symbol_name.or(unmangled) else { return };
    let name = symbol.as_str().strip_prefix(WORLD_PREFIX).unwrap_or(symbol.as_str());
    if !matches!(tcx.fn_sig(def).skip_binder().abi(), ExternAbi::C { .. }) {
        return;
    }
    let reason = match known.export(name) {
        Some(wanted) => match core_type(tcx, def) {
            Some(found) if found != *wanted => Reason::Differs { wanted, found },
            _ => return,
        },
        None if name.split_once('#').is_some_and(|(interface, _)| known.has_import_module(interface)) => {
            Reason::Unknown
        }
        None => return,
    };
    report(tcx, def, "the WIT of this package", name, &reason, "#[wasm::export]");
}

/// What is wrong with a function.
enum Reason<'a> {
    Differs {
        wanted: &'a FuncType,
        found: FuncType,
    },
    /// The interface has no such function.
    Unknown,
    /// No function of an interface has such a type.
    Impossible(String),
}

fn report(tcx: TyCtxt<'_>, def: LocalDefId, whose: &str, name: &str, reason: &Reason<'_>, attribute: &str) {
    lints::lint(tcx, WASM_ABI_MISMATCH, def, place(tcx, def), |diagnostic| {
        match reason {
            Reason::Differs { wanted, found } => {
                diagnostic.primary_message(format!("`{name}` does not have the type that {whose} gives it"));
                let (wanted, found) = (signature(wanted), signature(found));
                diagnostic.note(format!("by the canonical ABI it is `{wanted}`, but this is `{found}`"));
            }
            Reason::Unknown => {
                diagnostic.primary_message(format!("{whose} has no function `{name}`"));
            }
            Reason::Impossible(why) => {
                diagnostic.primary_message(format!("no function of {whose} has this signature: {why}"));
                diagnostic.note(
                    "the canonical ABI passes numbers of 32 and 64 bits, and everything else by its address in memory",
                );
            }
        }
        diagnostic.help(match reason {
            Reason::Impossible(_) => format!("let `{attribute}` compute the signature"),
            _ => format!("use the types of the WIT with `{attribute}`, which computes the signature, or mend the WIT"),
        });
    });
}

/// Where the user wrote the function: for what an attribute wrote inside of one, that one's name, and else the attribute.
fn place(tcx: TyCtxt<'_>, def: LocalDefId) -> Span {
    let span = match tcx.is_foreign_item(def) {
        true => tcx.hir_span(tcx.local_def_id_to_hir_id(def)),
        false => tcx.def_span(def),
    };
    if !span.from_expansion() {
        return span;
    }
    let mut around = def;
    while let Some(parent) = tcx.opt_local_parent(around) {
        around = parent;
        let name = tcx.def_ident_span(around).filter(|name| !name.from_expansion());
        if let (DefKind::Fn | DefKind::AssocFn, Some(name)) = (tcx.def_kind(around), name) {
            return name;
        }
    }
    span.source_callsite()
}

/// The core type that a function's ABI gives it; `None` where rustc reports an error of its own.
fn core_type(tcx: TyCtxt<'_>, def: LocalDefId) -> Option<FuncType> {
    let instance = Instance::mono(tcx, def.to_def_id());
    let query = TypingEnv::fully_monomorphized().as_query_input((instance, ty::List::empty()));
    let abi = tcx.fn_abi_of_instance(query).ok()?;
    let (mut params, mut results) = (Vec::new(), Vec::new());
    match abi.ret.mode {
        PassMode::Indirect { .. } => params.push(Type::I32),
        _ => pass(&abi.ret, &mut results),
    }
    for argument in abi.args.iter() {
        pass(argument, &mut params);
    }
    Some(FuncType::new(params, results))
}

/// Adds the core values by which a value travels.
fn pass(argument: &ArgAbi<'_, Ty<'_>>, to: &mut Vec<Type>) {
    match &argument.mode {
        PassMode::Ignore => {}
        PassMode::Indirect { .. } => to.push(Type::I32),
        PassMode::Cast { cast, .. } => to.push(match (cast.rest.unit.kind, cast.rest.unit.size.bits()) {
            (RegKind::Float, 64) => Type::F64,
            (RegKind::Float, _) => Type::F32,
            (_, 0..=32) => Type::I32,
            _ => Type::I64,
        }),
        PassMode::Direct(_) | PassMode::Pair(..) => match argument.layout.backend_repr {
            BackendRepr::Scalar(scalar) => pass_scalar(scalar, to),
            BackendRepr::ScalarPair(first, second) => {
                pass_scalar(first, to);
                pass_scalar(second, to);
            }
            BackendRepr::SimdVector { .. } => to.push(Type::V128),
            _ => to.push(Type::I32),
        },
    }
}

fn pass_scalar(scalar: Scalar, to: &mut Vec<Type>) {
    match scalar.primitive() {
        Primitive::Int(int, _) if int.size().bits() == 128 => to.extend([Type::I64; 2]),
        Primitive::Int(int, _) if int.size().bits() == 64 => to.push(Type::I64),
        Primitive::Int(..) | Primitive::Pointer(_) => to.push(Type::I32),
        Primitive::Float(float) if float.size().bits() == 64 => to.push(Type::F64),
        Primitive::Float(_) => to.push(Type::F32),
    }
}

/// Why no function of an interface has this signature, if none has.
fn impossible(tcx: TyCtxt<'_>, def: LocalDefId) -> Option<String> {
    let signature = tcx.fn_sig(def).instantiate_identity().skip_binder();
    if let Some(ty) = signature.inputs().iter().find(|ty| !is_core(**ty)) {
        return Some(format!("a parameter has the type `{ty}`"));
    }
    let result = signature.output();
    if !result.is_unit() && !result.is_never() && !is_core(result) {
        return Some(format!("the result has the type `{result}`"));
    }
    // More than 16 are passed in memory, by one address.
    (signature.inputs().len() > 17).then(|| "it has more than 17 parameters".to_owned())
}

/// Whether a core module's name is that of a WIT interface, as `acme:shop/orders@1.0.0`.
fn is_interface(module: &str) -> bool {
    let path = module.split_once('@').map_or(module, |(path, _)| path);
    path.split_once(':').is_some_and(|(namespace, rest)| {
        !namespace.is_empty()
            && rest.split_once('/').is_some_and(|(package, interface)| !package.is_empty() && !interface.is_empty())
    })
}

/// Whether a value of the type is one core value of the canonical ABI.
fn is_core(ty: Ty<'_>) -> bool {
    match ty.kind() {
        ty::Int(int) => int.bit_width() != Some(128),
        ty::Uint(int) => int.bit_width() != Some(128),
        ty::Float(float) => matches!(float.bit_width(), 32 | 64),
        ty::Bool | ty::Char | ty::RawPtr(..) | ty::FnPtr(..) => true,
        // A pointer with a name, or a number with one.
        ty::Adt(adt, _) => adt.repr().transparent(),
        _ => false,
    }
}
