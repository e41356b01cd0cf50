//! The code generation backend: codegen units to WasmIR, WasmIR to objects.
//!
//! Each unit becomes one relocatable object, compiled on its own; the linker joins them with the objects of other crates,
//! of C code and of wasi-libc. Nothing is reused between compilations: incremental compilation spares the front end its
//! work and repeats ours.

use crate::builder::Builder;
use crate::cx::CodegenCx;
use crate::{allocator, emit};
use rustc_codegen_ssa::back::write::produce_final_output_artifacts;
use rustc_codegen_ssa::base::{allocator_kind_for_codegen, allocator_shim_contents, maybe_create_entry_wrapper};
use rustc_codegen_ssa::mono_item::MonoItemExt;
use rustc_codegen_ssa::target_features::cfg_target_feature;
use rustc_codegen_ssa::traits::CodegenBackend;
use rustc_codegen_ssa::{CompiledModule, CompiledModules, CrateInfo, ModuleKind, TargetConfig};
use rustc_data_structures::fx::FxIndexMap;
use rustc_hir::def_id::LOCAL_CRATE;
use rustc_middle::dep_graph::{WorkProduct, WorkProductId};
use rustc_middle::mono::{CodegenUnit, CodegenUnitNameBuilder};
use rustc_middle::ty::TyCtxt;
use rustc_session::Session;
use rustc_session::config::{CrateType, OutputFilenames, OutputType};
use rustc_span::Symbol;
use std::any::Any;

/// The features that wasm32 targets have unless told otherwise; the same as LLVM's default processor.
const BASE_FEATURES: &[&str] =
    &["bulk-memory", "multivalue", "mutable-globals", "nontrapping-fptoint", "reference-types", "sign-ext"];

/// WasmRust's code generation backend.
pub(crate) struct WasmBackend;

/// The units of a crate, translated.
struct Translated {
    modules: Vec<(String, ModuleKind, wasmir::Module)>,
}

impl CodegenBackend for WasmBackend {
    fn name(&self) -> &'static str {
        "wasmrust"
    }

    fn init(&self, sess: &Session) {
        if sess.panic_strategy().unwinds() {
            sess.dcx()
                .struct_fatal("the WasmRust code generator does not support `panic = \"unwind\"`")
                .with_help("set `panic = \"abort\"` in the profile, or build with `--frontend stock`")
                .emit();
        }
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
        let partitions = tcx.collect_and_partition_mono_items(());
        let mut modules = Vec::with_capacity(partitions.codegen_units.len() + 1);
        tcx.sess.time("mir_to_wasmir", || {
            for unit in partitions.codegen_units {
                modules.push((unit.name().to_string(), ModuleKind::Regular, translate(tcx, unit)));
            }
        });
        if let Some(kind) = allocator_kind_for_codegen(tcx) {
            let name =
                CodegenUnitNameBuilder::new(tcx).build_cgu_name(LOCAL_CRATE, &["crate"], Some("allocator")).to_string();
            let module = allocator::module(tcx, &name, &allocator_shim_contents(tcx, kind));
            modules.push((name, ModuleKind::Allocator, module));
        }
        tcx.dcx().abort_if_errors();
        Box::new(Translated { modules })
    }

    fn join_codegen(
        &self,
        ongoing_codegen: Box<dyn Any>,
        sess: &Session,
        outputs: &OutputFilenames,
    ) -> (CompiledModules, FxIndexMap<WorkProductId, WorkProduct>) {
        let translated = match ongoing_codegen.downcast::<Translated>() {
            Ok(translated) => translated,
            Err(_) => rustc_middle::bug!("the result of another backend"),
        };
        let mut compiled = CompiledModules { modules: Vec::new(), allocator_module: None };
        sess.time("wasmir_to_objects", || {
            for (name, kind, module) in translated.modules {
                let path = outputs.temp_path_for_cgu(OutputType::Object, &name, sess.invocation_temp.as_deref());
                if let Err(error) = emit::object(sess, module, &path) {
                    sess.dcx().err(format!("cannot compile the codegen unit `{name}`: {error}"));
                    continue;
                }
                let compiled_unit = CompiledModule {
                    name,
                    kind,
                    object: Some(path),
                    dwarf_object: None,
                    bytecode: None,
                    assembly: None,
                    llvm_ir: None,
                    links_from_incr_cache: Vec::new(),
                };
                match kind {
                    ModuleKind::Regular => compiled.modules.push(compiled_unit),
                    ModuleKind::Allocator => compiled.allocator_module = Some(compiled_unit),
                }
            }
        });
        sess.dcx().abort_if_errors();
        produce_final_output_artifacts(sess, &compiled, outputs);
        (compiled, FxIndexMap::default())
    }
}

/// Translates one codegen unit.
fn translate<'tcx>(tcx: TyCtxt<'tcx>, unit: &'tcx CodegenUnit<'tcx>) -> wasmir::Module {
    let name = unit.name();
    let mut cx = CodegenCx::new(tcx, name.as_str());
    let items = unit.items_in_deterministic_order(tcx);
    for &(item, data) in &items {
        item.predefine::<Builder<'_, '_>>(&mut cx, name.as_str(), data.linkage, data.visibility);
    }
    for &(item, data) in &items {
        item.define::<Builder<'_, '_>>(&mut cx, name.as_str(), data);
    }
    maybe_create_entry_wrapper::<Builder<'_, '_>>(&cx, unit);
    cx.finish()
}
