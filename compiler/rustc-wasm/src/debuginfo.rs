//! Source positions.
//!
//! A WasmIR source location is the byte position of the statement in rustc's source map; [`write_lines`] turns the
//! positions that were used into the module's line table. Variables and scopes are not described.

use crate::builder::Builder;
use crate::cx::CodegenCx;
use crate::value::Value;
use rustc_abi::Size;
use rustc_codegen_ssa::mir::debuginfo::{FunctionDebugContext, VariableKind};
use rustc_codegen_ssa::traits::{DebugInfoBuilderMethods, DebugInfoCodegenMethods};
use rustc_data_structures::fx::FxHashMap;
use rustc_middle::mir;
use rustc_middle::ty::{ExistentialTraitRef, Instance, Ty, TyCtxt};
use rustc_span::{BytePos, SourceFile, Span, Symbol};
use rustc_target::callconv::FnAbi;
use std::collections::BTreeSet;
use std::ops::Range;
use wasmir::{Func, SrcLoc};

/// Writes the line table for the positions used.
///
/// Files are listed by name. Where a file of another crate lies in the source map depends on when it was first asked for, and what an
/// incremental session knows already it does not ask for: in the order of positions the list would depend on the builds before.
pub(crate) fn write_lines(tcx: TyCtxt<'_>, positions: &BTreeSet<BytePos>, debug: &mut wasmir::DebugInfo) {
    let source_map = tcx.sess.source_map();
    let locs: Vec<_> = positions.iter().map(|&position| source_map.lookup_char_pos(position)).collect();
    let mut names = FxHashMap::default();
    for loc in &locs {
        let name = || loc.file.name.prefer_remapped_unconditionally().to_string();
        names.entry(loc.file.stable_id).or_insert_with(name);
    }
    let sorted: BTreeSet<&String> = names.values().collect();
    debug.files = sorted.into_iter().cloned().collect();
    for (position, loc) in positions.iter().zip(&locs) {
        let file = debug.files.binary_search(&names[&loc.file.stable_id]).ok();
        debug.rows.push(wasmir::LineRow {
            start: SrcLoc(position.0),
            file: file.map(|index| index as u32),
            line: loc.line as u32,
            col: loc.col_display as u32 + 1,
        });
    }
}

impl<'tcx> DebugInfoCodegenMethods<'tcx> for CodegenCx<'tcx> {
    fn create_vtable_debuginfo(&self, _: Ty<'tcx>, _: Option<ExistentialTraitRef<'tcx>>, _: Value) {}

    fn create_function_debug_context(
        &self,
        _instance: Instance<'tcx>,
        _fn_abi: &FnAbi<'tcx, Ty<'tcx>>,
        _func: Func,
        _mir: &mir::Body<'tcx>,
    ) -> Option<FunctionDebugContext<'tcx, (), ()>> {
        None
    }

    fn dbg_scope_fn(&self, _: Instance<'tcx>, _: &FnAbi<'tcx, Ty<'tcx>>, _: Option<Func>) {}

    fn dbg_loc(&self, (): (), _inlined_at: Option<()>, _span: Span) {}

    fn extend_scope_to_file(&self, (): (), _file: &SourceFile) {}

    fn debuginfo_finalize(&self) {}

    fn create_dbg_var(&self, _: Symbol, _: Ty<'tcx>, (): (), _: VariableKind, _: Span) {}
}

impl<'tcx> DebugInfoBuilderMethods<'tcx> for Builder<'_, 'tcx> {
    fn dbg_var_addr(&mut self, (): (), (): (), _: Value, _: Size, _: &[Size], _: &Option<Range<Size>>) {}

    fn dbg_var_value(&mut self, (): (), (): (), _: Value, _: Size, _: &[Size], _: &Option<Range<Size>>) {}

    fn set_dbg_loc(&mut self, (): ()) {}

    fn clear_dbg_loc(&mut self) {}

    fn insert_reference_to_gdb_debug_scripts_section_global(&mut self) {}

    fn set_var_name(&mut self, _: Value, _: &str) {}
}
