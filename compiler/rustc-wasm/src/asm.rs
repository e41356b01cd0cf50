//! Inline assembly: not expressible, reported at its span.

use crate::builder::Builder;
use crate::cx::CodegenCx;
use rustc_ast::{InlineAsmOptions, InlineAsmTemplatePiece};
use rustc_codegen_ssa::traits::{AsmBuilderMethods, AsmCodegenMethods, GlobalAsmOperandRef, InlineAsmOperandRef};
use rustc_middle::ty::Instance;
use rustc_span::{DUMMY_SP, Span};

impl<'tcx> AsmBuilderMethods<'tcx> for Builder<'_, 'tcx> {
    fn codegen_inline_asm(
        &mut self,
        template: &[InlineAsmTemplatePiece],
        operands: &[InlineAsmOperandRef<'tcx, Self>],
        _options: InlineAsmOptions,
        line_spans: &[Span],
        _instance: Instance<'_>,
        dest: Option<wasmir::Block>,
        _catch_funclet: Option<(wasmir::Block, Option<&()>)>,
    ) {
        // An empty template that only reads is the idiom for hiding a value from the optimiser; it does nothing.
        let reads = operands.iter().all(|op| matches!(op, InlineAsmOperandRef::In { .. }));
        if !template.is_empty() || !reads {
            let span = line_spans.first().copied().unwrap_or(self.span);
            self.cx.unsupported(span, "inline assembly");
        }
        if let Some(dest) = dest {
            self.jump(dest);
        }
    }
}

impl<'tcx> AsmCodegenMethods<'tcx> for CodegenCx<'tcx> {
    fn codegen_global_asm(
        &mut self,
        _template: &[InlineAsmTemplatePiece],
        _operands: &[GlobalAsmOperandRef<'tcx>],
        _options: InlineAsmOptions,
        line_spans: &[Span],
    ) {
        self.unsupported(line_spans.first().copied().unwrap_or(DUMMY_SP), "`global_asm!`");
    }

    fn mangled_name(&self, instance: Instance<'tcx>) -> String {
        self.tcx.symbol_name(instance).name.to_owned()
    }
}
