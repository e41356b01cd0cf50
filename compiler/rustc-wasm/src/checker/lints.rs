//! The lints of the group `wasm_recognition`: mistakes about what the library `wasm` promises that are none of the language.
//!
//! They are rustc's own kind of lint: levels are set by attributes (`#![allow(wasm_recognition)]`, or one by its name), by `-W` and by
//! Cargo's `[lints.rust]`. A plain rustc does not know the names; `#![allow(unknown_lints, wasm_recognition)]` is accepted by both.
//!
//! | lint | says |
//! |---|---|
//! | `wasm_linear_without_consumer` | no function ends the values of a linear type |
//! | `wasm_handle_outlives_referent` | an `ExternId` is used after its `ExternRef` is gone, or a `FuncRef` by number leaves safe code ([`super::handles`]) |
//! | `wasm_pod_by_hand` | a type is called plain data that is not, so that a `SharedSlice` of it is none either |
//! | `wasm_abi_mismatch` | an import or export does not have the core type of its WIT ([`super::abi`]) |
//! | `wasm_unreached_effect` | effects are declared of a function that the program does not have (when code is generated) |

use super::graph::Graph;
use super::report;
use super::types::{self, Types};
use rustc_errors::DiagDecorator;
use rustc_hir as hir;
use rustc_hir::def::DefKind;
use rustc_hir::def_id::{CrateNum, DefId, LocalDefId};
use rustc_lint::{LateContext, LateLintPass, LintContext, LintStore};
use rustc_middle::ty::layout::LayoutOf;
use rustc_middle::ty::{self, Ty, TyCtxt};
use rustc_session::lint::{Lint, LintId};
use rustc_session::{declare_lint, impl_lint_pass};
use rustc_span::Span;

declare_lint! {
    /// A linear type whose values no function of its crate ends.
    pub(crate) WASM_LINEAR_WITHOUT_CONSUMER,
    Warn,
    "a linear type that has no consumer"
}

declare_lint! {
    /// An `ExternId` that outlives the `ExternRef` it came from, or a `FuncRef` the promise that its index was one.
    pub(crate) WASM_HANDLE_OUTLIVES_REFERENT,
    Warn,
    "a handle that outlives what it refers to"
}

declare_lint! {
    /// An `unsafe impl Pod` for a type that is not plain data.
    pub(crate) WASM_POD_BY_HAND,
    Warn,
    "a type in shared memory that is not plain data"
}

declare_lint! {
    /// An import or export whose core type is not the one that the canonical ABI makes of its WIT.
    pub(crate) WASM_ABI_MISMATCH,
    Warn,
    "an import or export whose ABI does not match its WIT"
}

declare_lint! {
    /// Effects declared of a function that no code reaches.
    pub(crate) WASM_UNREACHED_EFFECT,
    Warn,
    "an effect annotation on a function that is never reached"
}

/// All lints.
const ALL: [&Lint; 5] = [
    WASM_LINEAR_WITHOUT_CONSUMER,
    WASM_HANDLE_OUTLIVES_REFERENT,
    WASM_POD_BY_HAND,
    WASM_ABI_MISMATCH,
    WASM_UNREACHED_EFFECT,
];

/// Makes the lints known, and their group.
pub(super) fn register(store: &mut LintStore) {
    store.register_lints(&ALL);
    store.register_group(false, "wasm_recognition", None, ALL.iter().map(|lint| LintId::of(lint)).collect());
    store.register_late_pass(|tcx| Box::new(Recognition { library: Library::of(tcx) }));
}

/// The library `wasm`.
#[derive(Clone, Copy)]
pub(super) struct Library(CrateNum);

impl Library {
    /// The library, if the crate has it.
    pub(super) fn of(tcx: TyCtxt<'_>) -> Option<Library> {
        types::linear_traits(tcx).first().map(|linear| Library(linear.krate))
    }

    /// Whether a definition is the library's.
    pub(super) fn has(self, def: DefId) -> bool {
        self.0 == def.krate
    }

    /// Whether a definition is the library's, of this name.
    pub(super) fn is(self, tcx: TyCtxt<'_>, def: DefId, name: &str) -> bool {
        self.has(def) && tcx.opt_item_name(def).is_some_and(|item| item.as_str() == name)
    }
}

/// The lints' pass over a crate, for those that need no more than its items.
struct Recognition {
    library: Option<Library>,
}

impl_lint_pass!(Recognition => [WASM_LINEAR_WITHOUT_CONSUMER, WASM_POD_BY_HAND]);

impl Recognition {
    /// Why a type is not plain data, if it is not.
    fn not_plain<'tcx>(&self, cx: &LateContext<'tcx>, pod: DefId, ty: Ty<'tcx>) -> Option<String> {
        let tcx = cx.tcx;
        let ty::Adt(adt, args) = ty.kind() else { return None };
        if !adt.is_struct() {
            return Some(format!("`{ty}` is no struct: not every bit pattern is a value"));
        }
        let mut size = 0;
        for field in &adt.non_enum_variant().fields {
            let field_ty = field.ty(tcx, args);
            let mut plain = false;
            tcx.for_each_relevant_impl(pod, field_ty, |_| plain = true);
            if !plain {
                return Some(format!("its field `{}` of type `{field_ty}` is not `Pod`", field.name));
            }
            size += cx.layout_of(field_ty).ok()?.size.bytes();
        }
        let whole = cx.layout_of(ty).ok()?.size.bytes();
        (size < whole).then(|| format!("{} of its {whole} bytes are padding", whole - size))
    }
}

impl<'tcx> LateLintPass<'tcx> for Recognition {
    fn check_item(&mut self, cx: &LateContext<'tcx>, item: &'tcx hir::Item<'tcx>) {
        let tcx = cx.tcx;
        let Some(library) = self.library else { return };
        if !matches!(tcx.def_kind(item.owner_id), DefKind::Impl { of_trait: true }) {
            return;
        }
        let implemented = tcx.impl_trait_ref(item.owner_id).instantiate_identity();
        let derived = tcx.is_automatically_derived(item.owner_id.to_def_id());
        if derived || !library.is(tcx, implemented.def_id, "Pod") {
            return;
        }
        let ty = implemented.self_ty();
        if let Some(reason) = self.not_plain(cx, implemented.def_id, ty) {
            cx.emit_span_lint(
                WASM_POD_BY_HAND,
                item.span,
                DiagDecorator(|diagnostic| {
                    diagnostic.primary_message(format!("`{ty}` is called plain data, but {reason}"));
                    diagnostic.note("what lies in a `SharedSlice` is read as bytes, and bytes are read as it");
                    diagnostic.help("use `#[derive(wasm::Pod)]`, which proves that a type is plain data");
                }),
            );
        }
    }

    fn check_crate_post(&mut self, cx: &LateContext<'tcx>) {
        let tcx = cx.tcx;
        if self.library.is_none() {
            return;
        }
        let Some(types) = Types::new(tcx) else { return };
        let graph = Graph::new(types);
        for adt in graph.types.local() {
            if report::consumers(&graph, adt).is_empty()
                && let Some(local) = adt.as_local()
            {
                let span = tcx.def_ident_span(adt).unwrap_or_else(|| tcx.def_span(adt));
                lint(tcx, WASM_LINEAR_WITHOUT_CONSUMER, local, span, |diagnostic| {
                    diagnostic.primary_message(format!("the linear type `{}` has no consumer", tcx.item_name(adt)));
                    diagnostic.help(
                        "write a method that takes `self` apart, or mark the function that does by `#[wasm::consume]`",
                    );
                });
            }
        }
    }
}

/// Reports functions with declared effects that the program does not have; `has` tells whether it does.
pub(crate) fn unreached_effects(tcx: TyCtxt<'_>, has: impl Fn(DefId) -> bool) {
    if Library::of(tcx).is_none() {
        return;
    }
    for definition in tcx.hir_crate_items(()).definitions() {
        let is_marker =
            tcx.def_kind(definition) == DefKind::Fn && tcx.item_name(definition).as_str().starts_with("__wasm_effect_");
        let Some(function) = is_marker.then(|| tcx.local_parent(definition)) else { continue };
        let kind = tcx.def_kind(function);
        if !matches!(kind, DefKind::Fn | DefKind::AssocFn) || has(definition.to_def_id()) {
            continue;
        }
        let span = tcx.def_ident_span(function).unwrap_or_else(|| tcx.def_span(function));
        lint(tcx, WASM_UNREACHED_EFFECT, function, span, |diagnostic| {
            diagnostic.primary_message(format!(
                "the program never reaches `{}`, so its effects are not checked",
                tcx.item_name(function)
            ));
            diagnostic.help("remove the function, or export what should call it");
        });
    }
}

/// Emits a lint at a definition.
pub(super) fn lint(
    tcx: TyCtxt<'_>,
    lint: &'static Lint,
    node: LocalDefId,
    span: Span,
    say: impl FnOnce(&mut rustc_errors::Diag<'_, ()>),
) {
    let node = tcx.local_def_id_to_hir_id(node);
    tcx.emit_node_span_lint(lint, node, span, DiagDecorator(say));
}
