//! What the user is told about a lost value: where it is lost and by which way control got there, where it came from, what loses it,
//! and which functions would consume it.

use super::flow::{self, Event, Loss, Outcome, Use};
use super::graph::{Graph, Step, Vertex};
use rustc_errors::{Diag, MultiSpan};
use rustc_hir as hir;
use rustc_hir::def_id::{DefId, LocalDefId};
use rustc_hir::intravisit::{self, Visitor};
use rustc_middle::mir::*;
use rustc_middle::ty::print::with_no_trimmed_paths;
use rustc_middle::ty::{self, Ty, TyCtxt, TypingEnv};
use rustc_span::Span;

/// At most so many consumers are named.
const MOST_CONSUMERS: usize = 4;

/// Not an expression that leaves the scope, but one whose value decides.
const BRANCH: &str = "branch";

/// At most so many ways to a loss are shown.
const MOST_EXITS: usize = 8;

/// What is said about one body.
pub(super) struct Report<'a, 'tcx> {
    pub(super) graph: &'a Graph<'tcx>,
    pub(super) body: &'a Body<'tcx>,
    pub(super) outcome: &'a Outcome<'tcx>,
    pub(super) def: LocalDefId,
    pub(super) env: TypingEnv<'tcx>,
}

impl<'tcx> Report<'_, 'tcx> {
    fn tcx(&self) -> TyCtxt<'tcx> {
        self.graph.types.tcx
    }

    /// A value that this body ends itself; `held` is the type of what is lost.
    pub(super) fn event(&self, event: &Event<'tcx>, held: Ty<'tcx>) -> Diag<'tcx> {
        let lost = self.linear_in(held);
        let name = event.local.and_then(|local| self.name(local));
        let subject = name.clone().map_or_else(|| "the value".to_owned(), |name| format!("`{name}`"));
        let span = flow::span_of(self.body, event.location);
        let (mut labels, mut branches) = (Vec::new(), Vec::new());
        match event.loss {
            Loss::Dropped | Loss::Ended => {
                let verb = if event.loss == Loss::Dropped { "is dropped" } else { "ends" };
                let exits = event.local.map_or_else(Vec::new, |local| self.exits(event.location, local));
                for (exit, way) in &exits {
                    match way {
                        Some(BRANCH) => branches.push(*exit),
                        Some(way) => labels.push((*exit, format!("{subject} {verb} when this {way} leaves its scope"))),
                        None => labels.push((span, format!("{subject} {verb} here without reaching a consumer"))),
                    }
                }
                if labels.is_empty() {
                    labels.push((span, format!("{subject} {verb} here without reaching a consumer")));
                }
            }
            Loss::Overwritten if event.local.is_some() => {
                labels.push((span, format!("what {subject} holds is lost here, for another value takes its place")));
            }
            Loss::Overwritten => labels.push((span, "another value takes its place here".to_owned())),
            Loss::Erased => labels
                .push((span, format!("{subject} becomes a trait object here, which may be dropped by whoever has it"))),
            Loss::Transmuted => {
                labels.push((span, format!("{subject} becomes a value that need not be consumed here")))
            }
            Loss::Forgotten(how) => labels.push((span, format!("{subject} {how} here"))),
            Loss::Shared => {
                labels.push((
                    span,
                    format!("{subject} gets several owners here, which may own each other and then never end"),
                ));
            }
        }
        labels.sort_by_key(|(span, _)| span.lo());
        labels.dedup();
        let mut diagnostic = self.start(&labels, lost, held);
        self.origin(&mut diagnostic, event.local, &labels);
        for branch in branches {
            diagnostic.span_label(branch, format!("on a way from here, {subject} is not consumed"));
        }
        if let Loss::Erased = event.loss {
            diagnostic.help("keep the type: use an enum, or a function that is generic over the trait");
        }
        self.consumers(&mut diagnostic, lost);
        diagnostic
    }

    /// A function that is called with a value and loses it.
    pub(super) fn call(&self, used: &Use<'tcx>, steps: &[Step<'tcx>]) -> Diag<'tcx> {
        let tcx = self.tcx();
        let lost = steps.iter().rev().find_map(|step| match step.to {
            Vertex::Held(ty) | Vertex::Dropped(ty) => Some(ty),
            Vertex::Runs(_) => None,
        });
        let lost = lost.unwrap_or(tcx.types.unit);
        let span = flow::span_of(self.body, used.location);
        let function = self.function(used.instance);
        let labels = vec![(span, format!("{function} loses a value here"))];
        let mut diagnostic = self.start(&labels, lost, lost);
        self.origin(&mut diagnostic, used.local, &labels);
        self.way(&mut diagnostic, used, steps);
        self.consumers(&mut diagnostic, lost);
        diagnostic
    }

    fn start(&self, labels: &[(Span, String)], lost: Ty<'tcx>, held: Ty<'tcx>) -> Diag<'tcx> {
        let mut spans = MultiSpan::from_spans(labels.iter().map(|(span, _)| *span).collect());
        for (span, label) in labels {
            spans.push_span_label(*span, label.clone());
        }
        let message = if lost == held {
            format!("a value of the linear type `{lost}` is lost")
        } else {
            format!("a value of the linear type `{lost}` is lost, in a value of type `{held}`")
        };
        self.tcx().dcx().struct_span_err(spans, message)
    }

    /// The linear type that a type owns.
    fn linear_in(&self, held: Ty<'tcx>) -> Ty<'tcx> {
        self.graph.linear_in(held, self.env).unwrap_or(held)
    }

    fn name(&self, local: Local) -> Option<String> {
        let of_local = self.body.var_debug_info.iter().find(|info| match info.value {
            VarDebugInfoContents::Place(place) => place.local == local && place.projection.is_empty(),
            VarDebugInfoContents::Const(_) => false,
        });
        of_local.map(|info| info.name.to_string())
    }

    fn function(&self, instance: ty::Instance<'tcx>) -> String {
        let tcx = self.tcx();
        let def = instance.def_id();
        match tcx.def_kind(def) {
            hir::def::DefKind::Closure => "the closure".to_owned(),
            _ => format!("`{}`", tcx.def_path_str_with_args(def, instance.args)),
        }
    }

    // How control gets to a loss.

    /// The expressions that leave the value's scope (`None`: its end is reached).
    fn exits(&self, location: Location, local: Local) -> Vec<(Span, Option<&'static str>)> {
        let mut finder = ExitFinder { tcx: self.tcx(), exits: Vec::new() };
        if let Some(body) = self.tcx().hir_maybe_body_owned_by(self.def) {
            finder.visit_expr(body.value);
        }
        let predecessors = self.body.basic_blocks.predecessors();
        let mut found: Vec<(Span, Option<&'static str>)> = Vec::new();
        let mut seen = vec![location.block];
        let mut queue = vec![(location.block, location.statement_index)];
        while let Some((block, end)) = queue.pop() {
            let data = &self.body.basic_blocks[block];
            let real = data.statements[..end]
                .iter()
                .rev()
                .find(|statement| matches!(statement.kind, StatementKind::Assign(_)));
            if let Some(statement) = real {
                found.push(finder.innermost(statement.source_info.span));
                continue;
            }
            let before = found.len();
            for &predecessor in &predecessors[block] {
                let holds = self.outcome.held.get(&(predecessor, block)).is_some_and(|locals| locals.contains(&local));
                if !holds || seen.contains(&predecessor) {
                    continue;
                }
                seen.push(predecessor);
                let data = &self.body.basic_blocks[predecessor];
                let terminator = data.terminator();
                let exit = finder.innermost(terminator.source_info.span);
                match terminator.kind {
                    TerminatorKind::Drop { .. } | TerminatorKind::Goto { .. } if exit.1.is_none() => {
                        queue.push((predecessor, data.statements.len()));
                    }
                    TerminatorKind::SwitchInt { .. } if exit.1.is_none() => {
                        found.push((exit.0.source_callsite(), Some(BRANCH)))
                    }
                    _ => found.push(exit),
                }
            }
            if predecessors[block].is_empty() && before == found.len() {
                found.push((self.body.span, None));
            }
            if found.len() >= MOST_EXITS {
                break;
            }
        }
        found.sort_by_key(|(span, _)| (span.lo(), span.hi()));
        found.dedup();
        found
    }

    // Where the value came from.

    fn origin(&self, diagnostic: &mut Diag<'tcx>, local: Option<Local>, labels: &[(Span, String)]) {
        let Some(local) = local else { return };
        let mut spans = self.made(local, 0);
        spans.sort_by_key(|(span, _)| span.lo());
        spans.dedup();
        for (span, what) in spans {
            let shown = labels
                .iter()
                .any(|(label, _)| label.overlaps(span) && label.lo() <= span.lo() && label.hi() >= span.hi());
            if !shown && !span.is_dummy() {
                diagnostic.span_label(span, what);
            }
        }
    }

    fn made(&self, local: Local, depth: usize) -> Vec<(Span, &'static str)> {
        let body = self.body;
        if local != RETURN_PLACE && local.as_usize() <= body.arg_count {
            return vec![(body.local_decls[local].source_info.span, "the value comes in here")];
        }
        let mut made = Vec::new();
        for data in body.basic_blocks.iter().filter(|data| !data.is_cleanup) {
            for statement in &data.statements {
                let StatementKind::Assign(assignment) = &statement.kind else { continue };
                let (place, rvalue) = &**assignment;
                if place.as_local() != Some(local) {
                    continue;
                }
                match rvalue {
                    Rvalue::Use(Operand::Move(from)) | Rvalue::Cast(_, Operand::Move(from), _) if depth < 8 => {
                        made.extend(self.made(from.local, depth + 1));
                    }
                    _ => made.push((statement.source_info.span, "the value is made here")),
                }
            }
            if let TerminatorKind::Call { destination, .. } = data.terminator().kind
                && destination.as_local() == Some(local)
            {
                made.push((data.terminator().source_info.span, "the value is made here"));
            }
        }
        made
    }

    // What loses it.

    fn way(&self, diagnostic: &mut Diag<'tcx>, used: &Use<'tcx>, steps: &[Step<'tcx>]) {
        let mut inside = self.function(used.instance);
        for step in steps {
            match step.to {
                Vertex::Runs(instance) => {
                    let next = self.function(instance);
                    if step.span.is_dummy() || next == inside {
                        inside = next;
                        continue;
                    }
                    let local =
                        used.instance.def_id().is_local() && !self.tcx().sess.source_map().is_imported(step.span);
                    if local {
                        diagnostic.span_note(step.span, format!("{inside} calls {next} here"));
                    }
                    inside = next;
                }
                Vertex::Held(ty) | Vertex::Dropped(ty) => {
                    let Some(loss) = step.loss else { continue };
                    let verb = match loss {
                        Loss::Dropped => "drops",
                        Loss::Ended | Loss::Forgotten(_) | Loss::Transmuted => "ends",
                        Loss::Overwritten => "overwrites",
                        Loss::Erased => "makes a trait object of",
                        Loss::Shared => "shares",
                    };
                    let message = format!("{inside} {verb} a value of type `{ty}`");
                    if !self.tcx().sess.source_map().is_imported(step.span) && !step.span.is_dummy() {
                        diagnostic.span_note(step.span, message);
                    } else {
                        diagnostic.note(message);
                    }
                    return;
                }
            }
        }
    }

    // What would consume it.

    fn consumers(&self, diagnostic: &mut Diag<'tcx>, lost: Ty<'tcx>) {
        let tcx = self.tcx();
        let Some(adt) = lost.ty_adt_def() else { return };
        let mut consumers = consumers(self.graph, adt.did());
        if consumers.is_empty() {
            diagnostic.help(format!(
                "write a consumer of `{lost}`: a function marked `#[wasm::consume]` that takes the value apart"
            ));
            return;
        }
        let more = consumers.len().saturating_sub(MOST_CONSUMERS);
        consumers.truncate(MOST_CONSUMERS);
        let mut names: Vec<String> = with_no_trimmed_paths!(
            consumers.iter().map(|&consumer| format!("`{}`", tcx.def_path_str(consumer))).collect()
        );
        if more > 0 {
            names.push(format!("{more} more"));
        }
        diagnostic.help(format!("on every path, pass the value on, or to one of its consumers: {}", names.join(", ")));
    }
}

/// The functions that consume values of a type: those marked, and inherent methods that take `self` by value and return nothing that owns
/// a value of the type.
pub(super) fn consumers(graph: &Graph<'_>, adt: DefId) -> Vec<DefId> {
    let tcx = graph.types.tcx;
    let mut consumers = Vec::new();
    for &implementation in tcx.inherent_impls(adt) {
        for item in tcx.associated_items(implementation).in_definition_order() {
            if item.is_method() && takes_and_ends(graph, item.def_id, adt, true) {
                consumers.push(item.def_id);
            }
        }
    }
    for owner in tcx.hir_body_owners() {
        let def = owner.to_def_id();
        let elsewhere = matches!(tcx.def_kind(def), hir::def::DefKind::Fn | hir::def::DefKind::AssocFn)
            && !consumers.contains(&def);
        if elsewhere && super::graph::is_consumer(tcx, def) && takes_and_ends(graph, def, adt, false) {
            consumers.push(def);
        }
    }
    consumers
}

/// Whether a function takes a value of the type and returns none; `own` if it must be the first parameter.
fn takes_and_ends(graph: &Graph<'_>, def: DefId, adt: DefId, own: bool) -> bool {
    let tcx = graph.types.tcx;
    let signature = tcx.fn_sig(def).instantiate_identity().skip_binder();
    let is_of_type = |ty: Ty<'_>| ty.ty_adt_def().is_some_and(|of| of.did() == adt);
    let mut inputs = signature.inputs().iter().take(if own { 1 } else { usize::MAX });
    let returns = signature.output().walk().any(|part| part.as_type().is_some_and(is_of_type));
    inputs.any(|&ty| is_of_type(ty)) && !returns
}

/// Finds the expressions that leave scopes.
struct ExitFinder<'tcx> {
    tcx: TyCtxt<'tcx>,
    exits: Vec<Exit>,
}

/// An expression that leaves scopes: its range, where to point at, and what it is.
struct Exit {
    range: Span,
    shown: Span,
    way: &'static str,
}

impl ExitFinder<'_> {
    /// The innermost of the expressions that has the span in it.
    fn innermost(&self, span: Span) -> (Span, Option<&'static str>) {
        let around = span.source_callsite();
        let containing = self.exits.iter().filter(|exit| exit.range.contains(around));
        match containing.min_by_key(|exit| exit.range.hi() - exit.range.lo()) {
            Some(exit) => (exit.shown, Some(exit.way)),
            None => (span, None),
        }
    }
}

impl<'tcx> Visitor<'tcx> for ExitFinder<'tcx> {
    type NestedFilter = rustc_middle::hir::nested_filter::OnlyBodies;

    fn maybe_tcx(&mut self) -> TyCtxt<'tcx> {
        self.tcx
    }

    fn visit_expr(&mut self, expression: &'tcx hir::Expr<'tcx>) {
        let way = match expression.kind {
            hir::ExprKind::Ret(_) if expression.span.desugaring_kind().is_none() => Some("`return`"),
            hir::ExprKind::Break(..) if expression.span.desugaring_kind().is_none() => Some("`break`"),
            hir::ExprKind::Continue(_) => Some("`continue`"),
            hir::ExprKind::Match(_, _, hir::MatchSource::TryDesugar(_)) => Some("`?`"),
            _ => None,
        };
        if let Some(way) = way {
            let range = expression.span.source_callsite();
            // Only the question mark itself, not what it is applied to.
            let shown = if way == "`?`" { self.tcx.sess.source_map().end_point(range) } else { range };
            self.exits.push(Exit { range, shown, way });
        }
        intravisit::walk_expr(self, expression);
    }
}
