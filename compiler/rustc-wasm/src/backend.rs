//! The code generation backend: codegen units to WasmIR.
//!
//! Each unit becomes an object that holds its WasmIR. Nothing is compiled to wasm before a program is linked: then
//! `wasmir-ld` takes what the program reaches of all crates. Where somebody else is to link, it is compiled earlier: a unit
//! by `--emit obj`, what a static library exports when that is made ([`crate::archive`]).
//!
//! # Incremental compilation
//! A unit of which nothing has changed since the last session is not translated again: its object is a work product of the
//! session, as it is for rustc's other backends.

use crate::archive::Archives;
use crate::builder::Builder;
use crate::cx::CodegenCx;
use crate::times::{Clock, Part};
use crate::{allocator, checker, driver, emit};
use rustc_codegen_ssa::assert_module_sources::{CguReuse, assert_module_sources};
use rustc_codegen_ssa::back::link::link_binary;
use rustc_codegen_ssa::back::write::produce_final_output_artifacts;
use rustc_codegen_ssa::base::{
    allocator_kind_for_codegen, allocator_shim_contents, determine_cgu_reuse, maybe_create_entry_wrapper,
};
use rustc_codegen_ssa::mono_item::MonoItemExt;
use rustc_codegen_ssa::target_features::cfg_target_feature;
use rustc_codegen_ssa::traits::CodegenBackend;
use rustc_codegen_ssa::{CompiledModule, CompiledModules, CrateInfo, ModuleKind, TargetConfig};
use rustc_data_structures::fx::FxIndexMap;
use rustc_fs_util::link_or_copy;
use rustc_hir::def_id::{DefIdSet, LOCAL_CRATE};
use rustc_incremental::{copy_cgu_workproduct_to_incr_comp_cache_dir, in_incr_comp_dir_sess};
use rustc_metadata::EncodedMetadata;
use rustc_middle::dep_graph::{WorkProduct, WorkProductId};
use rustc_middle::mono::{CodegenUnit, CodegenUnitNameBuilder};
use rustc_middle::ty::TyCtxt;
use rustc_session::Session;
use rustc_session::config::{CrateType, OutputFilenames, OutputType};
use rustc_span::Symbol;
use std::any::Any;
use std::path::PathBuf;

/// The features that wasm32 targets have unless told otherwise; the same as LLVM's default processor.
const BASE_FEATURES: &[&str] =
    &["bulk-memory", "multivalue", "mutable-globals", "nontrapping-fptoint", "reference-types", "sign-ext"];

/// WasmRust's code generation backend.
#[derive(Default)]
pub(crate) struct WasmBackend {
    /// Tells code generation from the front end.
    pub(crate) clock: Clock,
}

/// The objects of a crate, and which of them are those of an earlier session.
struct Translated {
    compiled: CompiledModules,
    reused: FxIndexMap<WorkProductId, WorkProduct>,
}

impl CodegenBackend for WasmBackend {
    fn name(&self) -> &'static str {
        "wasmrust"
    }

    fn target_config(&self, sess: &Session) -> TargetConfig {
        let (unstable_target_features, target_features) = cfg_target_feature::<1>(
            sess,
            |feature| std::iter::once(feature).collect(),
            |feature| BASE_FEATURES.contains(&feature),
        );
        TargetConfig {
            target_features,
            unstable_target_features,
            has_reliable_f16: true,
            has_reliable_f16_math: true,
            has_reliable_f128: true,
            // The run-time library has no `sin` and its like for `f128`; wasi-libc has, but not every target has wasi-libc.
            has_reliable_f128_math: false,
        }
    }

    fn supported_crate_types(&self, _sess: &Session) -> Vec<CrateType> {
        vec![CrateType::Executable, CrateType::Cdylib, CrateType::Rlib, CrateType::StaticLib]
    }

    fn replaced_intrinsics(&self) -> Vec<Symbol> {
        Vec::new()
    }

    fn thin_lto_supported(&self) -> bool {
        false
    }

    fn print_version(&self) {
        println!("WasmRust code generator {}", env!("CARGO_PKG_VERSION"));
    }

    fn target_cpu(&self, sess: &Session) -> String {
        sess.opts.cg.target_cpu.clone().unwrap_or_else(|| sess.target.cpu.to_string())
    }

    fn codegen_crate<'tcx>(&self, tcx: TyCtxt<'tcx>, _crate_info: &CrateInfo) -> Box<dyn Any> {
        // What is to be compiled, and its MIR, are the front end's work, whoever asks for it first.
        let units = tcx.collect_and_partition_mono_items(()).codegen_units;
        if tcx.crate_types().iter().any(|kind| is_linked(*kind)) {
            let items = units.iter().flat_map(|unit| unit.items().keys());
            let reached: DefIdSet = items.map(|item| item.def_id()).collect();
            checker::unreached_effects(tcx, |function| reached.contains(&function));
        }
        if tcx.dep_graph.is_fully_enabled() {
            for unit in units {
                tcx.ensure_ok().codegen_unit(unit.name());
            }
        }
        let reuse: Vec<CguReuse> =
            tcx.sess.time("find_cgu_reuse", || units.iter().map(|unit| determine_cgu_reuse(tcx, unit)).collect());
        assert_module_sources(tcx, &|tracker| {
            for (unit, reuse) in units.iter().zip(&reuse) {
                tracker.set_actual_reuse(unit.name().as_str(), *reuse);
            }
        });
        let mut translated = Translated {
            compiled: CompiledModules { modules: Vec::with_capacity(units.len()), allocator_module: None },
            reused: FxIndexMap::default(),
        };
        let translate_all = || {
            for (unit, reuse) in units.iter().zip(reuse) {
                let module = match reuse {
                    CguReuse::No => {
                        let node = unit.codegen_dep_node(tcx);
                        tcx.dep_graph.with_task(node, tcx, unit.name(), translate, None).0
                    }
                    CguReuse::PreLto | CguReuse::PostLto => reused(tcx, unit, &mut translated.reused),
                };
                translated.compiled.modules.push(module);
            }
        };
        self.clock.time(Part::CodeGeneration, || tcx.sess.time("mir_to_wasmir", translate_all));
        if let Some(kind) = allocator_kind_for_codegen(tcx) {
            let name =
                CodegenUnitNameBuilder::new(tcx).build_cgu_name(LOCAL_CRATE, &["crate"], Some("allocator")).to_string();
            let module = allocator::module(tcx, &name, &allocator_shim_contents(tcx, kind));
            translated.compiled.allocator_module = Some(written(tcx, name, ModuleKind::Allocator, module));
        }
        tcx.dcx().abort_if_errors();
        Box::new(translated)
    }

    fn join_codegen(
        &self,
        ongoing_codegen: Box<dyn Any>,
        sess: &Session,
        outputs: &OutputFilenames,
    ) -> (CompiledModules, FxIndexMap<WorkProductId, WorkProduct>) {
        let Translated { compiled, reused: mut products } = match ongoing_codegen.downcast::<Translated>() {
            Ok(translated) => *translated,
            Err(_) => rustc_middle::bug!("the result of another backend"),
        };
        for module in &compiled.modules {
            let id = WorkProductId::from_cgu_name(&module.name);
            if let Some(object) = &module.object
                && !products.contains_key(&id)
                && let Some((id, product)) =
                    copy_cgu_workproduct_to_incr_comp_cache_dir(sess, &module.name, &[(PRODUCT, object)], &[])
            {
                products.insert(id, product);
            }
        }
        produce_final_output_artifacts(sess, &compiled, outputs);
        (compiled, products)
    }

    fn link(
        &self,
        sess: &Session,
        compiled_modules: CompiledModules,
        crate_info: CrateInfo,
        metadata: EncodedMetadata,
        outputs: &OutputFilenames,
    ) {
        if crate_info.crate_types.iter().any(|kind| is_linked(*kind))
            && let Some(error) = driver::linker_error(sess)
        {
            sess.dcx().fatal(error);
        }
        let exported = crate_info.exported_symbols.get(&CrateType::StaticLib);
        let exported = exported.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let archives = Archives { exported };
        self.clock.time(Part::Link, || {
            link_binary(sess, &archives, compiled_modules, crate_info, metadata, outputs, self.name());
        });
    }
}

/// Whether such a crate is what a linker makes.
fn is_linked(kind: CrateType) -> bool {
    matches!(kind, CrateType::Executable | CrateType::Cdylib)
}

/// What a unit's object is called among its work products.
const PRODUCT: &str = "o";

/// Whether an object is to be one that any linker understands.
fn wants_machine_code(tcx: TyCtxt<'_>) -> bool {
    tcx.output_filenames(()).outputs.contains_key(&OutputType::Object)
}

/// Translates one codegen unit and writes its object.
fn translate(tcx: TyCtxt<'_>, name: Symbol) -> CompiledModule {
    let unit = tcx.codegen_unit(name);
    let mut cx = CodegenCx::new(tcx, name.as_str());
    let items = unit.items_in_deterministic_order(tcx);
    for &(item, data) in &items {
        item.predefine::<Builder<'_, '_>>(&mut cx, name.as_str(), data.linkage, data.visibility);
    }
    for &(item, data) in &items {
        item.define::<Builder<'_, '_>>(&mut cx, name.as_str(), data);
    }
    maybe_create_entry_wrapper::<Builder<'_, '_>>(&cx, unit);
    written(tcx, name.to_string(), ModuleKind::Regular, cx.finish())
}

/// Writes the object of a unit.
fn written(tcx: TyCtxt<'_>, name: String, kind: ModuleKind, module: wasmir::Module) -> CompiledModule {
    let path = object_path(tcx, &name);
    // After an error the module is not what the source says, and perhaps not valid.
    if tcx.dcx().has_errors().is_none()
        && let Err(error) = emit::object(tcx.sess, module, &path, wants_machine_code(tcx))
    {
        tcx.dcx().err(format!("cannot compile the codegen unit `{name}`: {error}"));
    }
    compiled(name, kind, path, Vec::new())
}

/// The object of a unit of which nothing has changed, from the last session.
fn reused(
    tcx: TyCtxt<'_>,
    unit: &CodegenUnit<'_>,
    products: &mut FxIndexMap<WorkProductId, WorkProduct>,
) -> CompiledModule {
    let product = unit.previous_work_product(tcx);
    let name = unit.name().to_string();
    let path = object_path(tcx, &name);
    let Some(file) = product.saved_files.get(PRODUCT) else {
        rustc_middle::bug!("a work product without its object");
    };
    let source = in_incr_comp_dir_sess(tcx.sess, file);
    if let Err(error) = link_or_copy(&source, &path) {
        tcx.dcx().err(format!("cannot copy `{}` to `{}`: {error}", source.display(), path.display()));
    }
    products.insert(unit.work_product_id(), product);
    compiled(name, ModuleKind::Regular, path, vec![source])
}

fn object_path(tcx: TyCtxt<'_>, unit: &str) -> PathBuf {
    let temporary = tcx.sess.invocation_temp.as_deref();
    tcx.output_filenames(()).temp_path_for_cgu(OutputType::Object, unit, temporary)
}

fn compiled(name: String, kind: ModuleKind, object: PathBuf, links_from_incr_cache: Vec<PathBuf>) -> CompiledModule {
    CompiledModule {
        name,
        kind,
        object: Some(object),
        dwarf_object: None,
        bytecode: None,
        assembly: None,
        llvm_ir: None,
        links_from_incr_cache,
    }
}
