//! Assembly: not expressible, reported at its span, but for two things.
//!
//! - An empty `asm!` that only reads, the idiom for hiding a value from the optimiser, does nothing.
//! - A `global_asm!` that defines tags of exceptions (`.tagtype NAME TYPE, …`, the label `NAME:`, `.globl NAME`), which Rust has no
//!   other way to do; `library/unwind` defines the tag of panics so.

use crate::builder::{Builder, Funclet};
use crate::cx::CodegenCx;
use rustc_ast::{InlineAsmOptions, InlineAsmTemplatePiece};
use rustc_codegen_ssa::traits::{AsmBuilderMethods, AsmCodegenMethods, GlobalAsmOperandRef, InlineAsmOperandRef};
use rustc_middle::ty::Instance;
use rustc_span::{DUMMY_SP, Span};
use wasmir::{FuncType, Linkage, Symbol, TagData, Type};

impl<'tcx> AsmBuilderMethods<'tcx> for Builder<'_, 'tcx> {
    fn codegen_inline_asm(
        &mut self,
        template: &[InlineAsmTemplatePiece],
        operands: &[InlineAsmOperandRef<'tcx, Self>],
        _options: InlineAsmOptions,
        line_spans: &[Span],
        _instance: Instance<'_>,
        dest: Option<wasmir::Block>,
        _catch_funclet: Option<(wasmir::Block, Option<&Funclet>)>,
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

/// A tag that assembly defines.
#[derive(Debug, PartialEq, Eq)]
struct AsmTag<'a> {
    name: &'a str,
    payload: Vec<Type>,
    global: bool,
}

/// The tags that a piece of assembly defines, if it does nothing else.
fn tags(text: &str) -> Option<Vec<AsmTag<'_>>> {
    let (mut types, mut globals, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix(".globl ") {
            globals.push(name.trim());
        } else if let Some(rest) = line.strip_prefix(".tagtype ") {
            let (name, list) = rest.trim().split_once([' ', '\t'])?;
            let payload = list.split(',').map(|ty| match ty.trim() {
                "i32" => Some(Type::I32),
                "i64" => Some(Type::I64),
                "f32" => Some(Type::F32),
                "f64" => Some(Type::F64),
                _ => None,
            });
            types.push((name, payload.collect::<Option<Vec<Type>>>()?));
        } else {
            labels.push(line.strip_suffix(':')?);
        }
    }
    let mut tags = Vec::with_capacity(labels.len());
    for name in labels {
        let (_, payload) = types.iter().find(|(typed, _)| *typed == name)?;
        tags.push(AsmTag { name, payload: payload.clone(), global: globals.contains(&name) });
    }
    Some(tags)
}

impl CodegenCx<'_> {
    fn define_tag(&self, tag: AsmTag<'_>) {
        let mut module = self.module.borrow_mut();
        let ty = module.types.intern_func(FuncType::new(tag.payload, []));
        let linkage = if tag.global { Linkage::Strong } else { Linkage::Local };
        let name = Some(tag.name.to_owned());
        let known = module.tags.iter().find(|(_, old)| old.symbol.name == name).map(|(id, _)| id);
        match known {
            Some(id) => module.tags[id].symbol.linkage = linkage,
            None => {
                let symbol = Symbol { name, linkage, ..Symbol::default() };
                let id = module.tags.push(TagData { ty, import: None, symbol });
                if tag.name == crate::builder::TAG {
                    self.exception_tag.set(Some(id));
                }
            }
        }
    }
}

impl<'tcx> AsmCodegenMethods<'tcx> for CodegenCx<'tcx> {
    fn codegen_global_asm(
        &mut self,
        template: &[InlineAsmTemplatePiece],
        _operands: &[GlobalAsmOperandRef<'tcx>],
        _options: InlineAsmOptions,
        line_spans: &[Span],
    ) {
        let text: Option<String> = template
            .iter()
            .map(|piece| match piece {
                InlineAsmTemplatePiece::String(text) => Some(text.as_ref()),
                InlineAsmTemplatePiece::Placeholder { .. } => None,
            })
            .collect();
        match text.as_deref().and_then(tags) {
            Some(tags) => tags.into_iter().for_each(|tag| self.define_tag(tag)),
            None => {
                let span = line_spans.first().copied().unwrap_or(DUMMY_SP);
                self.unsupported(span, "`global_asm!` that does more than define tags of exceptions");
            }
        }
    }

    fn mangled_name(&self, instance: Instance<'tcx>) -> String {
        self.tcx.symbol_name(instance).name.to_owned()
    }
}
