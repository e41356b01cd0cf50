//! The linear checker: on every path, a value of a linear type reaches a consumer.
//!
//! # Way of a crate
//!
//! [`configure`] asks rustc to keep the MIR that borrow checking has seen; [`check`] runs after rustc's own analyses, so that `cargo check`
//! suffices and code generation has no part in it. Each body of the crate is analysed by [`flow`]; what it finds is asked of [`graph`],
//! which follows calls into generic functions of this crate and of others; [`report`] says what is wrong. A crate without the library `wasm`
//! among its dependencies is not looked at: it has no linear types.
//!
//! The rules, and the argument why a program that passes loses no value, stand in `docs/architecture/linear.md`.

mod abi;
mod alias;
mod content;
mod flow;
mod graph;
mod handles;
mod known;
mod lints;
mod report;
mod types;

use flow::{Form, Input};
use graph::Graph;
use lints::Library;
use report::Report;
use rustc_data_structures::fx::FxHashSet;
use rustc_data_structures::steal::Steal;
use rustc_hir::def::DefKind;
use rustc_hir::def_id::LocalDefId;
use rustc_interface::interface;
use rustc_middle::mir::Body;
use rustc_middle::ty::{TyCtxt, TypingEnv};
use rustc_span::Span;
use std::sync::OnceLock;
use types::Types;

type DropsElaborated = for<'tcx> fn(TyCtxt<'tcx>, LocalDefId) -> &'tcx Steal<Body<'tcx>>;

/// rustc's own way to elaborate drops, which takes the MIR that it works on away.
static ELABORATE: OnceLock<DropsElaborated> = OnceLock::new();

/// Prepares a compilation for the checker.
pub(crate) fn configure(config: &mut interface::Config) {
    // By this, the library leaves the check to the checker: its own, made of constants that panic, refuses more than need be.
    config.crate_cfg.push("wasmrust".to_owned());
    config.crate_check_cfg.push("cfg(wasmrust)".to_owned());
    config.register_lints = Some(Box::new(|_session, store| lints::register(store)));
    config.override_queries = Some(|_session, providers| {
        ELABORATE.get_or_init(|| providers.queries.mir_drops_elaborated_and_const_checked);
        providers.queries.mir_drops_elaborated_and_const_checked = drops_elaborated;
    });
}

/// As rustc does it, but on a copy where the checker will want the original.
fn drops_elaborated(tcx: TyCtxt<'_>, def: LocalDefId) -> &Steal<Body<'_>> {
    if types::linear_traits(tcx).is_empty() {
        let elaborate = ELABORATE.get().expect("set before any query runs");
        return elaborate(tcx, def);
    }
    if tcx.is_coroutine(def.to_def_id()) {
        tcx.ensure_done().mir_coroutine_witnesses(def);
    }
    let root = tcx.typeck_root_def_id_local(def);
    let tainted = if tcx.is_synthetic_mir(def) { None } else { tcx.mir_borrowck(root).err() };
    tcx.ensure_done().check_liveness(def);
    let mut body = tcx.mir_promoted(def).0.borrow().clone();
    if tainted.is_some() {
        body.tainted_by_errors = tainted;
    }
    let has_signature = matches!(
        tcx.def_kind(root),
        DefKind::Fn | DefKind::AssocFn | DefKind::Static { .. } | DefKind::Const { .. } | DefKind::AssocConst { .. }
    );
    if has_signature && let Err(error) = tcx.ensure_result().check_well_formed(root) {
        body.tainted_by_errors = Some(error);
    }
    rustc_mir_transform::run_analysis_to_runtime_passes(tcx, &mut body);
    tcx.alloc_steal_mir(body)
}

pub(crate) use abi::{Wit, read as read_wit};
pub(crate) use lints::unreached_effects;

/// Checks the crate; errors go to the session. `wit` is what the package's WIT says.
pub(crate) fn check(tcx: TyCtxt<'_>, wit: &Wit) {
    abi::check(tcx, wit);
    let Some(types) = Types::new(tcx) else { return };
    tcx.sess.time("linear_checking", || Checker { graph: Graph::new(types), reported: FxHashSet::default() }.run(tcx));
}

struct Checker<'tcx> {
    graph: Graph<'tcx>,
    /// Where a body of this crate loses a value itself.
    reported: FxHashSet<Span>,
}

impl<'tcx> Checker<'tcx> {
    fn run(&mut self, tcx: TyCtxt<'tcx>) {
        let mut calls = Vec::new();
        let library = Library::of(tcx);
        for def in tcx.hir_body_owners() {
            let analysed = matches!(
                tcx.def_kind(def),
                DefKind::Fn
                    | DefKind::AssocFn
                    | DefKind::Closure
                    | DefKind::Const { .. }
                    | DefKind::AssocConst { .. }
                    | DefKind::Static { .. }
            );
            if !analysed || tcx.is_trivial_const(def) {
                continue;
            }
            let body = tcx.mir_promoted(def).0.borrow();
            if body.tainted_by_errors.is_some() {
                continue;
            }
            if let Some(library) = library {
                handles::check(tcx, library, def, &body);
            }
            let env = TypingEnv::post_analysis(tcx, def);
            let form = Form::Source { consumer: graph::is_consumer(tcx, def.to_def_id()) };
            let outcome = flow::analyse(&self.graph.types, &Input { body: &body, form, instance: None, env });
            let report = Report { graph: &self.graph, body: &body, outcome: &outcome, def, env };
            let mut seen = FxHashSet::default();
            for event in &outcome.events {
                let Some(&held) = event.held.iter().find(|&&held| self.graph.owns(held, env)) else { continue };
                let span = flow::span_of(&body, event.location);
                // Several parts of one variable, or one drop reached in several ways.
                if seen.insert((span, event.local)) {
                    self.reported.insert(span);
                    report.event(event, held).emit();
                }
            }
            for used in outcome.uses {
                if let Some(steps) = self.graph.losing(used.instance, env) {
                    calls.push((def, used, steps));
                }
            }
        }
        // Not what is an error where it happens.
        let reported = &self.reported;
        calls.retain(|(_, _, steps)| !steps.iter().any(|step| step.loss.is_some() && reported.contains(&step.span)));
        let mut seen = FxHashSet::default();
        for (def, used, steps) in calls {
            let body = tcx.mir_promoted(def).0.borrow();
            if seen.insert(flow::span_of(&body, used.location)) {
                let env = TypingEnv::post_analysis(tcx, def);
                let outcome = flow::Outcome::default();
                Report { graph: &self.graph, body: &body, outcome: &outcome, def, env }.call(&used, &steps).emit();
            }
        }
    }
}
