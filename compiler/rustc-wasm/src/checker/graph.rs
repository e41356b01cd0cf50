//! What losing a linear value comes down to: the graph of types and functions.
//!
//! # Input and output
//!
//! Questions: does ending a value of this type end a linear value ([`Graph::owns`])? Does this instance of a function lose one, or
//! anything that it calls ([`Graph::losing`])? The answer to the second is the way to the loss, for the message.
//!
//! # Algorithm
//!
//! Vertices are types, *held* (ending their storage matters, too) or *dropped* (only destructors matter), and instances of functions.
//! A type leads to what its values own: fields, elements, captured variables, what a suspended future has saved, and the `Drop::drop` of
//! a type that has one, which is how a `Vec<T>` leads to `T`. An instance leads to the types of the values that its body may drop, and to
//! the instances that it uses with type arguments which mention linear types ([`super::flow`]). A linear type is a sink. The answer is
//! whether a sink can be reached: a depth-first search over a graph that is made as it is walked.
//!
//! # Invariants
//!
//! An edge is never made from an answer, only from types and MIR; so cycles (recursive types and functions) need no care, and what is
//! remembered is right whatever the order of questions: if no sink is reached, then from none of the vertices seen.
//!
//! # Cost
//!
//! Each vertex is expanded once. Only types that mention linear types and functions that work on them become vertices.

use super::flow::{self, Form, Input, Loss};
use super::known::{self, Known};
use super::types::Types;
use rustc_data_structures::fx::{FxHashMap, FxHashSet};
use rustc_hir::LangItem;
use rustc_hir::def::DefKind;
use rustc_hir::def_id::DefId;
use rustc_middle::mir::Body;
use rustc_middle::ty::{self, Instance, InstanceKind, Ty, TyCtxt, TypeVisitableExt, TypingEnv};
use rustc_span::{DUMMY_SP, Span, Symbol};
use std::cell::RefCell;
use std::rc::Rc;

/// Something that may lead to the loss of a linear value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Vertex<'tcx> {
    /// A value of the type ends, with or without a destructor.
    Held(Ty<'tcx>),
    /// A value of the type is dropped.
    Dropped(Ty<'tcx>),
    /// A function runs.
    Runs(Instance<'tcx>),
}

/// A step, and where it is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'tcx> {
    pub(super) to: Vertex<'tcx>,
    pub(super) span: Span,
    /// How, if a function ends a value.
    pub(super) loss: Option<Loss>,
}

type Key<'tcx> = (Vertex<'tcx>, TypingEnv<'tcx>);

/// The graph, as far as it has been walked.
pub(super) struct Graph<'tcx> {
    pub(super) types: Types<'tcx>,
    steps: RefCell<FxHashMap<Key<'tcx>, Rc<[Step<'tcx>]>>>,
    answers: RefCell<FxHashMap<Key<'tcx>, bool>>,
}

impl<'tcx> Graph<'tcx> {
    pub(super) fn new(types: Types<'tcx>) -> Self {
        Self { types, steps: RefCell::default(), answers: RefCell::default() }
    }

    /// Whether the end of a value of the type may be the end of a linear value.
    pub(super) fn owns(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>) -> bool {
        self.types.mentions(ty, env) && self.reaches(Vertex::Held(ty), env)
    }

    /// How an instance loses a linear value: the steps from it to the linear type, if it does.
    pub(super) fn losing(&self, instance: Instance<'tcx>, env: TypingEnv<'tcx>) -> Option<Vec<Step<'tcx>>> {
        let start = Vertex::Runs(instance);
        self.reaches(start, env).then(|| self.way(start, env))
    }

    /// The linear type that a value of the type owns.
    pub(super) fn linear_in(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>) -> Option<Ty<'tcx>> {
        if self.types.is_linear(ty, env) {
            return Some(ty);
        }
        self.way(Vertex::Held(ty), env).last().and_then(|step| match step.to {
            Vertex::Held(ty) | Vertex::Dropped(ty) => Some(ty),
            Vertex::Runs(_) => None,
        })
    }

    fn key(&self, vertex: Vertex<'tcx>, env: TypingEnv<'tcx>) -> Key<'tcx> {
        let generic = match vertex {
            Vertex::Held(ty) | Vertex::Dropped(ty) => ty.has_param(),
            Vertex::Runs(instance) => instance.has_param(),
        };
        (vertex, if generic { env } else { TypingEnv::fully_monomorphized() })
    }

    fn is_sink(&self, (vertex, env): Key<'tcx>) -> bool {
        match vertex {
            Vertex::Held(ty) | Vertex::Dropped(ty) => self.types.is_linear(ty, env),
            Vertex::Runs(_) => false,
        }
    }

    fn reaches(&self, start: Vertex<'tcx>, env: TypingEnv<'tcx>) -> bool {
        let start = self.key(start, env);
        if let Some(&known) = self.answers.borrow().get(&start) {
            return known;
        }
        let mut seen = FxHashSet::default();
        let mut queue = vec![start];
        let mut found = false;
        while let Some(key) = queue.pop() {
            if !seen.insert(key) {
                continue;
            }
            let known = self.answers.borrow().get(&key).copied();
            if known == Some(true) || self.is_sink(key) {
                found = true;
                break;
            }
            if known == Some(false) {
                continue;
            }
            queue.extend(self.steps(key).iter().map(|step| self.key(step.to, key.1)));
        }
        let mut answers = self.answers.borrow_mut();
        if !found {
            answers.extend(seen.into_iter().map(|key| (key, false)));
        }
        answers.insert(start, found);
        found
    }

    /// A shortest way from a vertex to a sink.
    fn way(&self, start: Vertex<'tcx>, env: TypingEnv<'tcx>) -> Vec<Step<'tcx>> {
        let start = self.key(start, env);
        let mut from: FxHashMap<Key<'tcx>, (Key<'tcx>, Step<'tcx>)> = FxHashMap::default();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(key) = queue.pop_front() {
            if self.is_sink(key) {
                let mut steps = Vec::new();
                let mut at = key;
                while at != start
                    && let Some(&(before, step)) = from.get(&at)
                {
                    steps.push(step);
                    at = before;
                }
                steps.reverse();
                return steps;
            }
            for step in self.steps(key).iter() {
                let next = self.key(step.to, key.1);
                if next != start && !from.contains_key(&next) {
                    from.insert(next, (key, *step));
                    queue.push_back(next);
                }
            }
        }
        Vec::new()
    }

    fn steps(&self, key: Key<'tcx>) -> Rc<[Step<'tcx>]> {
        if let Some(steps) = self.steps.borrow().get(&key) {
            return steps.clone();
        }
        let (vertex, env) = key;
        let steps: Rc<[Step<'tcx>]> = match vertex {
            Vertex::Held(ty) => self.owned(ty, env, true).into(),
            Vertex::Dropped(ty) => self.owned(ty, env, false).into(),
            Vertex::Runs(instance) => self.run(instance, env).into(),
        };
        self.steps.borrow_mut().insert(key, steps.clone());
        steps
    }

    /// What ends with a value of the type.
    fn owned(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>, held: bool) -> Vec<Step<'tcx>> {
        let tcx = self.types.tcx;
        let mut steps = Vec::new();
        let mut own = |ty: Ty<'tcx>| {
            if self.types.mentions(ty, env) {
                let to = if held { Vertex::Held(ty) } else { Vertex::Dropped(ty) };
                steps.push(Step { to, span: DUMMY_SP, loss: None });
            }
        };
        match *ty.kind() {
            ty::Adt(adt, _) if adt.is_union() || adt.is_phantom_data() => {}
            ty::Adt(adt, _) if adt.is_manually_drop() && !held => {}
            ty::Adt(adt, args) if adt.is_box() => own(args.type_at(0)),
            ty::Adt(adt, args) => {
                for field in adt.all_fields() {
                    if let Ok(field) = tcx.try_normalize_erasing_regions(env, field.ty(tcx, args)) {
                        own(field);
                    }
                }
                if adt.has_dtor(tcx)
                    && let Some(instance) = self.destructor(ty, env)
                {
                    steps.push(Step { to: Vertex::Runs(instance), span: DUMMY_SP, loss: None });
                }
            }
            ty::Tuple(fields) => fields.iter().for_each(own),
            ty::Closure(_, args) => args.as_closure().upvar_tys().iter().for_each(own),
            ty::CoroutineClosure(_, args) => args.as_coroutine_closure().upvar_tys().iter().for_each(own),
            ty::Coroutine(def, args) => {
                args.as_coroutine().upvar_tys().iter().for_each(&mut own);
                self.types.saved_types(def, args, env).into_iter().for_each(own);
            }
            ty::Array(element, length) if length.try_to_target_usize(tcx) != Some(0) => own(element),
            ty::Slice(element) => own(element),
            _ => {}
        }
        steps
    }

    fn destructor(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>) -> Option<Instance<'tcx>> {
        let tcx = self.types.tcx;
        let drop = tcx.lang_items().get(LangItem::Drop)?;
        let method = *tcx.associated_item_def_ids(drop).first()?;
        Instance::try_resolve(tcx, env, method, tcx.mk_args(&[ty.into()])).ok().flatten()
    }

    /// What ends when a function runs.
    fn run(&self, instance: Instance<'tcx>, env: TypingEnv<'tcx>) -> Vec<Step<'tcx>> {
        let tcx = self.types.tcx;
        let mentions = |ty| self.types.mentions(ty, env);
        match instance.def {
            InstanceKind::DropGlue(_, Some(ty)) => {
                return vec![Step { to: Vertex::Dropped(ty), span: DUMMY_SP, loss: None }];
            }
            InstanceKind::DropGlue(_, None) | InstanceKind::Intrinsic(_) | InstanceKind::Virtual(..) => {
                return Vec::new();
            }
            InstanceKind::Item(def) if known::known(tcx, def, instance.args, mentions) == Some(Known::DropsNone) => {
                return Vec::new();
            }
            _ => {}
        }
        let outcome = self.with_body(instance, |body, form| {
            flow::analyse(&self.types, &Input { body, form, instance: Some(instance), env })
        });
        let Some(outcome) = outcome else { return Vec::new() };
        let mut steps = Vec::new();
        for event in &outcome.outcome.events {
            for &held in &event.held {
                let to = match event.loss {
                    Loss::Dropped | Loss::Overwritten => Vertex::Dropped(held),
                    _ => Vertex::Held(held),
                };
                steps.push(Step { to, span: outcome.spans(event.location), loss: Some(event.loss) });
            }
        }
        for used in &outcome.outcome.uses {
            steps.push(Step { to: Vertex::Runs(used.instance), span: outcome.spans(used.location), loss: None });
        }
        steps.retain(|step| !known::finds_nothing(tcx, instance, step.to));
        steps
    }

    /// Analyses the body of an instance, if there is one that has not been analysed by itself.
    fn with_body(
        &self,
        instance: Instance<'tcx>,
        analyse: impl FnOnce(&Body<'tcx>, Form) -> flow::Outcome<'tcx>,
    ) -> Option<Analysed<'tcx>> {
        let tcx = self.types.tcx;
        let analysed = |body: &Body<'tcx>, form| {
            let outcome = analyse(body, form);
            let locations =
                outcome.events.iter().map(|event| event.location).chain(outcome.uses.iter().map(|used| used.location));
            let spans = locations.map(|location| (location, flow::span_of(body, location))).collect();
            Analysed { outcome, spans }
        };
        let InstanceKind::Item(def) = instance.def else {
            return Some(analysed(tcx.instance_mir(instance.def), Form::Compiled));
        };
        if !matches!(
            tcx.def_kind(def),
            DefKind::Fn | DefKind::AssocFn | DefKind::Closure | DefKind::SyntheticCoroutineBody
        ) {
            return None;
        }
        if let Some(local) = def.as_local()
            && tcx.hir_maybe_body_owned_by(local).is_some()
        {
            if !is_generic(tcx, def) {
                // It is analysed by itself.
                return None;
            }
            let body = tcx.mir_promoted(local).0;
            return Some(analysed(&body.borrow(), Form::Source { consumer: is_consumer(tcx, def) }));
        }
        let available = tcx.is_mir_available(def) && !tcx.is_foreign_item(def);
        available.then(|| analysed(tcx.instance_mir(instance.def), Form::Compiled))
    }
}

/// An analysed body, and where it is in the source.
struct Analysed<'tcx> {
    outcome: flow::Outcome<'tcx>,
    spans: FxHashMap<rustc_middle::mir::Location, Span>,
}

impl Analysed<'_> {
    fn spans(&self, location: rustc_middle::mir::Location) -> Span {
        self.spans.get(&location).copied().unwrap_or(DUMMY_SP)
    }
}

/// Whether a function, or the one around it, has type or constant parameters.
pub(super) fn is_generic(tcx: TyCtxt<'_>, def: DefId) -> bool {
    tcx.generics_of(tcx.typeck_root_def_id(def)).requires_monomorphization(tcx)
}

/// Whether a function of this crate is marked as a consumer: a constant of that name stands in its body.
pub(super) fn is_consumer(tcx: TyCtxt<'_>, def: DefId) -> bool {
    let marker = Symbol::intern("__WASM_CONSUMER");
    let Some(local) = def.as_local() else { return false };
    let Some(body) = tcx.hir_maybe_body_owned_by(local) else { return false };
    let rustc_hir::ExprKind::Block(block, _) = &body.value.kind else { return false };
    block.stmts.iter().any(|statement| match statement.kind {
        rustc_hir::StmtKind::Item(item) => tcx.hir_item(item).kind.ident().is_some_and(|ident| ident.name == marker),
        _ => false,
    })
}
