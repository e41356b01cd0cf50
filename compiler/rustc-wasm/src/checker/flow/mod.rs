//! The flow analysis of a body: where may a linear value's life end without a consumer?
//!
//! # Input
//!
//! MIR in one of two forms. *Source*: a body of this crate after borrow checking and promotion, before drop elaboration, where each
//! `Drop` stands where the language says that a scope, a temporary or an assignment ends a value, every local has its `StorageDead`,
//! and coroutines still are functions with `yield`s. *Compiled*: a body of another crate, after drop elaboration and optimisation, where
//! only the drops are left that may find a value.
//!
//! # Algorithm
//!
//! A forward analysis over the control-flow graph without unwinding, to a fixed point; its state says of each local what it may hold
//! ([`Content`]). A move empties the place it moves from, and what it held arrives where it is moved to; so a value is followed through
//! aggregates and taken-apart patterns, and drop elaboration's move paths are a special case (a value that is dropped here is dropped by
//! the elaborated MIR). A switch over a discriminant restricts the enum to the variants of the edge; an edge on which a function of the
//! library promises that a place is empty ([`super::known`]) empties it.
//!
//! Then the states are walked once more, and each of these that finds content becomes an [`Event`]: a `Drop`; in source form also a
//! `StorageDead`, a `return` and an overwriting assignment (for types without destructor), a coercion to a trait object, a transmutation
//! to a type without linear values. Calls become [`Use`]s, for the callee may lose what it is given.
//!
//! # Invariants
//!
//! The state over-approximates: along every path from the entry, each local holds at most what the state says. Joins are unions, and
//! whatever is not understood (a pointer that escapes, a union, a raw pointer) reads as full.
//!
//! # Cost
//!
//! A body in which no local and no callee mentions a linear type is left after one look at its locals. Else
//! O(blocks · height), where the height is the number of parts that are taken out of places in the body.

mod call;

use super::alias::{Aliases, KnownCalls, Path};
use super::content::{Content, Part};
use super::known;
use super::types::Types;
use rustc_hir::LangItem;
use rustc_hir::def_id::DefId;
use rustc_index::IndexVec;
use rustc_index::bit_set::DenseBitSet;
use rustc_middle::mir::*;
use rustc_middle::ty::adjustment::PointerCoercion;
use rustc_middle::ty::{self, Instance, Ty, TyCtxt, TypingEnv};
use rustc_span::Span;
use std::collections::BTreeMap;

/// How a value's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Its destructor runs.
    Dropped,
    /// Its storage ends, or the function returns.
    Ended,
    /// Another value takes its place.
    Overwritten,
    /// It becomes a trait object, which may be dropped wherever it goes.
    Erased,
    /// It becomes a value of a type that is not linear.
    Transmuted,
    /// It is given to a function that ends it without a destructor.
    Forgotten(&'static str),
    /// It is given to several owners that may own each other.
    Shared,
}

/// A place in a body where a linear value may be lost.
#[derive(Clone, Debug)]
pub(super) struct Event<'tcx> {
    pub(super) loss: Loss,
    pub(super) location: Location,
    /// The local that holds it.
    pub(super) local: Option<Local>,
    /// The types of what may be held: each may or may not own a linear value.
    pub(super) held: Vec<Ty<'tcx>>,
}

/// A function that a body uses, with type arguments that mention linear types.
#[derive(Clone, Debug)]
pub(super) struct Use<'tcx> {
    pub(super) instance: Instance<'tcx>,
    pub(super) location: Location,
    /// The local whose value is passed, the first that owns one.
    pub(super) local: Option<Local>,
}

/// What a body does with linear values.
#[derive(Debug, Default)]
pub(super) struct Outcome<'tcx> {
    pub(super) events: Vec<Event<'tcx>>,
    pub(super) uses: Vec<Use<'tcx>>,
    /// Which locals may hold a value where control goes from one block to another.
    pub(super) held: BTreeMap<(BasicBlock, BasicBlock), Vec<Local>>,
}

/// Where a body comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// This crate's, before drop elaboration; whether it may end linear values as it likes, for it is marked as a consumer.
    Source {
        consumer: bool,
    },
    Compiled,
}

/// A body to analyse.
pub(super) struct Input<'a, 'tcx> {
    pub(super) body: &'a Body<'tcx>,
    pub(super) form: Form,
    /// The instance, for a body with type parameters.
    pub(super) instance: Option<Instance<'tcx>>,
    pub(super) env: TypingEnv<'tcx>,
}

/// What a comparison of a local says about a place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Promise {
    /// Empty if the local is the first variant.
    First(Path),
    /// Empty if the local has this truth value.
    Truth(Path, bool),
}

impl Promise {
    fn path(&self) -> &Path {
        match self {
            Promise::First(path) | Promise::Truth(path, _) => path,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct State {
    contents: BTreeMap<Local, Content>,
    promises: BTreeMap<Local, Promise>,
}

impl State {
    fn get(&self, path: &Path) -> Content {
        self.contents.get(&path.local).map_or_else(Content::empty, |content| content.get(&path.parts))
    }

    fn set(&mut self, path: &Path, content: Content) {
        let whole = self.contents.entry(path.local).or_default();
        whole.set(&path.parts, content);
        if whole.is_empty() {
            self.contents.remove(&path.local);
        }
    }

    /// Puts something that is not known into a place.
    fn fill(&mut self, path: &Path) {
        self.promises.retain(|_, promise| promise.path().local != path.local);
        self.set(path, Content::full());
    }

    fn join(&mut self, other: &State) -> bool {
        let mut changed = false;
        for (&local, content) in &other.contents {
            changed |= self.contents.entry(local).or_default().join(content);
        }
        let before = self.promises.len();
        self.promises.retain(|local, promise| other.promises.get(local) == Some(promise));
        changed | (before != self.promises.len())
    }
}

/// Analyses a body.
pub(super) fn analyse<'tcx>(types: &Types<'tcx>, input: &Input<'_, 'tcx>) -> Outcome<'tcx> {
    let Some(flow) = Flow::new(types, input) else { return Outcome::default() };
    flow.run()
}

struct Flow<'a, 'tcx> {
    types: &'a Types<'tcx>,
    tcx: TyCtxt<'tcx>,
    input: &'a Input<'a, 'tcx>,
    body: &'a Body<'tcx>,
    /// Normalised.
    local_types: IndexVec<Local, Ty<'tcx>>,
    /// Locals whose types mention linear types.
    tracked: DenseBitSet<Local>,
    known: KnownCalls,
    callees: BTreeMap<BasicBlock, (DefId, ty::GenericArgsRef<'tcx>)>,
    aliases: Aliases,
    outcome: Option<Outcome<'tcx>>,
}

impl<'a, 'tcx> Flow<'a, 'tcx> {
    fn new(types: &'a Types<'tcx>, input: &'a Input<'a, 'tcx>) -> Option<Self> {
        let (tcx, body) = (types.tcx, input.body);
        let mono = |ty| normalise(tcx, input, ty);
        let mut local_types: IndexVec<Local, Ty<'tcx>> = body.local_decls.iter().map(|local| mono(local.ty)).collect();
        if let Form::Source { .. } = input.form
            && body.coroutine.is_some()
            && let ty::Coroutine(_, args) = local_types[ty::CAPTURE_STRUCT_LOCAL].kind()
        {
            // Inside of a coroutine before its transformation, the coroutine is what it captured.
            local_types[ty::CAPTURE_STRUCT_LOCAL] = Ty::new_tup(tcx, args.as_coroutine().upvar_tys());
        }
        let mut tracked = DenseBitSet::new_empty(local_types.len());
        for (local, &ty) in local_types.iter_enumerated() {
            if types.mentions(ty, input.env) {
                tracked.insert(local);
            }
        }
        let (mut known, mut callees) = (KnownCalls::default(), BTreeMap::new());
        for (block, data) in body.basic_blocks.iter_enumerated() {
            if data.is_cleanup {
                continue;
            }
            let func = match &data.terminator().kind {
                TerminatorKind::Call { func, .. } | TerminatorKind::TailCall { func, .. } => func,
                _ => continue,
            };
            // A constant, or, in shims, a parameter of a function's own type.
            let ty::FnDef(def, args) = *normalise(tcx, input, func.ty(body, tcx)).kind() else { continue };
            let mentions = |ty| types.mentions(ty, input.env);
            if let Some(promise) = known::known(tcx, def, args, mentions) {
                known.insert(block, promise);
            }
            if args.types().any(mentions) || types.mentions(Ty::new_fn_def(tcx, def, args), input.env) {
                callees.insert(block, (def, args));
            }
        }
        if tracked.is_empty() && callees.is_empty() {
            return None;
        }
        let aliases =
            Aliases::new(body, &known, tcx.lang_items().get(LangItem::Pin), |place| project(tcx, body, place));
        Some(Self { types, tcx, input, body, local_types, tracked, known, callees, aliases, outcome: None })
    }

    fn env(&self) -> TypingEnv<'tcx> {
        self.input.env
    }

    fn is_source(&self) -> bool {
        matches!(self.input.form, Form::Source { .. })
    }

    fn is_consumer(&self) -> bool {
        matches!(self.input.form, Form::Source { consumer: true })
    }

    fn mentions(&self, ty: Ty<'tcx>) -> bool {
        self.types.mentions(ty, self.env())
    }

    /// The type of a place.
    fn place_type(&self, place: Place<'tcx>) -> Ty<'tcx> {
        match place.as_local() {
            Some(local) => self.local_types[local],
            None => normalise(self.tcx, self.input, place.ty(self.body, self.tcx).ty),
        }
    }

    /// The type at the end of a path.
    fn path_type(&self, path: &Path) -> Option<Ty<'tcx>> {
        let mut ty = self.local_types[path.local];
        for &part in &path.parts {
            ty = self.types.part_type(ty, part, self.env())?;
        }
        Some(ty)
    }

    /// Which content a place is, if that is known.
    fn path(&self, place: Place<'tcx>) -> Option<Path> {
        let mut parts = project(self.tcx, self.body, place.as_ref())?;
        if parts.first() == Some(&Part::Deref)
            && let Some(mut path) = self.aliases.points_to[place.local].clone()
        {
            path.parts.extend(parts.drain(1..));
            return Some(path);
        }
        Some(Path { local: place.local, parts })
    }

    // The fixed point.

    fn run(mut self) -> Outcome<'tcx> {
        let blocks = &self.body.basic_blocks;
        let mut entry: IndexVec<BasicBlock, Option<State>> = IndexVec::from_elem(None, blocks);
        entry[START_BLOCK] = Some(self.initial());
        let order: IndexVec<BasicBlock, usize> = {
            let mut order = IndexVec::from_elem(usize::MAX, blocks);
            for (position, &block) in blocks.reverse_postorder().iter().enumerate() {
                order[block] = position;
            }
            order
        };
        let mut queue = std::collections::BTreeSet::from([(order[START_BLOCK], START_BLOCK)]);
        while let Some((_, block)) = queue.pop_first() {
            let Some(state) = entry[block].clone() else { continue };
            for (target, state) in self.block(block, state) {
                let changed = match &mut entry[target] {
                    Some(before) => before.join(&state),
                    unvisited => {
                        *unvisited = Some(state);
                        true
                    }
                };
                if changed {
                    queue.insert((order[target], target));
                }
            }
        }
        // Once more, now to report.
        self.outcome = Some(Outcome::default());
        for &block in blocks.reverse_postorder() {
            let Some(state) = entry[block].take() else { continue };
            let edges = self.block(block, state);
            self.function_values(block);
            if let Some(outcome) = &mut self.outcome {
                for (target, state) in edges {
                    outcome.held.entry((block, target)).or_default().extend(state.contents.keys());
                }
            }
        }
        self.outcome.unwrap_or_default()
    }

    fn initial(&self) -> State {
        let mut state = State::default();
        for argument in self.body.args_iter().filter(|&argument| self.tracked.contains(argument)) {
            let ty = self.local_types[argument];
            let opened = self.is_consumer() && self.is_opaque_linear(ty);
            if !opened {
                state.contents.insert(argument, Content::full());
            }
        }
        state
    }

    /// Whether the type is linear without a part that is, so that taking a value apart leaves no trace in MIR.
    fn is_opaque_linear(&self, ty: Ty<'tcx>) -> bool {
        self.types.is_linear(ty, self.env()) && *self.types.parts(ty, self.env()) == [Part::Itself]
    }

    fn block(&mut self, block: BasicBlock, mut state: State) -> Vec<(BasicBlock, State)> {
        let data = &self.body.basic_blocks[block];
        for (statement_index, statement) in data.statements.iter().enumerate() {
            self.statement(statement, Location { block, statement_index }, &mut state);
        }
        self.terminator(data.terminator(), block, state)
    }

    // Events.

    fn event(&mut self, loss: Loss, location: Location, local: Option<Local>, content: &Content, ty: Ty<'tcx>) {
        if self.outcome.is_none() {
            return;
        }
        let mut held = Vec::new();
        self.held(content, ty, &mut held);
        if let Some(outcome) = &mut self.outcome
            && !held.is_empty()
        {
            outcome.events.push(Event { loss, location, local, held });
        }
    }

    /// The types of what a content holds, each as large as possible.
    fn held(&self, content: &Content, ty: Ty<'tcx>, held: &mut Vec<Ty<'tcx>>) {
        if content.is_empty() || ty.is_any_ptr() || !self.mentions(ty) {
            return;
        }
        if content.is_full() {
            held.push(ty);
            return;
        }
        for &part in self.types.parts(ty, self.env()).iter() {
            let content = content.part(part);
            match (part, self.types.part_type(ty, part, self.env())) {
                (Part::Itself, _) if !content.is_empty() => held.push(ty),
                (Part::Itself, _) | (_, None) => {}
                (_, Some(ty)) => self.held(&content, ty, held),
            }
        }
    }

    // Statements.

    fn statement(&mut self, statement: &Statement<'tcx>, location: Location, state: &mut State) {
        match &statement.kind {
            StatementKind::Assign(assignment) => {
                let (place, rvalue) = &**assignment;
                let content = self.rvalue(*place, rvalue, location, state);
                self.write(*place, content, location, state);
                if let Rvalue::UnaryOp(UnOp::Not, operand) = rvalue
                    && let (Some(to), Some(from)) =
                        (place.as_local(), operand.place().and_then(|place| place.as_local()))
                    && let Some(Promise::Truth(path, truth)) = state.promises.get(&from).cloned()
                {
                    state.promises.insert(to, Promise::Truth(path, !truth));
                }
            }
            StatementKind::StorageDead(local) => {
                if self.is_source()
                    && let Some(content) = state.contents.get(local).cloned()
                {
                    self.event(Loss::Ended, location, Some(*local), &content, self.local_types[*local]);
                }
                state.contents.remove(local);
                state.promises.remove(local);
                state.promises.retain(|_, promise| promise.path().local != *local);
            }
            StatementKind::StorageLive(local) => {
                state.contents.remove(local);
            }
            _ => {}
        }
    }

    fn write(&mut self, place: Place<'tcx>, content: Content, location: Location, state: &mut State) {
        if let Some(local) = place.as_local() {
            state.promises.remove(&local);
        }
        if !self.tracked.contains(place.local) {
            return;
        }
        let path = self.path(place);
        if self.is_source() {
            let before = match &path {
                Some(path) => state.get(path),
                None => Content::empty(),
            };
            let ty = self.place_type(place);
            self.event(Loss::Overwritten, location, Some(place.local), &before, ty);
        }
        if let Some(path) = path {
            state.promises.retain(|_, promise| promise.path().local != path.local);
            state.set(&path, content);
        }
    }

    fn rvalue(&mut self, place: Place<'tcx>, rvalue: &Rvalue<'tcx>, location: Location, state: &mut State) -> Content {
        match rvalue {
            Rvalue::Use(operand) | Rvalue::Repeat(operand, _) | Rvalue::WrapUnsafeBinder(operand, _) => {
                let content = self.operand(operand, state);
                if content.is_empty() || matches!(rvalue, Rvalue::Use(_)) { content } else { Content::full() }
            }
            Rvalue::Cast(kind, operand, target) => {
                let from = normalise(self.tcx, self.input, operand.ty(self.body, self.tcx));
                let content = self.operand(operand, state);
                if !self.mentions(from) {
                    // A value of a type that only now is linear.
                    return Content::full();
                }
                let target = normalise(self.tcx, self.input, *target);
                let local = operand.place().map(|place| place.local);
                if let CastKind::PointerCoercion(PointerCoercion::Unsize, _) = kind {
                    self.unsized_to(from, target, location, local, &content);
                } else if self.is_source() && *kind == CastKind::Transmute && !self.mentions(target) {
                    self.event(Loss::Transmuted, location, local, &content, from);
                }
                if content.is_empty() { content } else { Content::full() }
            }
            Rvalue::Aggregate(kind, operands) => self.aggregate(place, kind, operands, state),
            Rvalue::Ref(_, BorrowKind::Mut { .. }, borrowed) | Rvalue::RawPtr(RawPtrKind::Mut, borrowed) => {
                let tame = place.as_local().is_some_and(|pointer| self.aliases.is_tame(pointer));
                if !tame
                    && self.tracked.contains(borrowed.local)
                    && let Some(path) = self.path(*borrowed)
                {
                    state.fill(&path);
                }
                Content::full()
            }
            Rvalue::Ref(..) | Rvalue::RawPtr(..) => Content::full(),
            Rvalue::CopyForDeref(from) => self.read(*from, state),
            _ => Content::empty(),
        }
    }

    fn aggregate(
        &mut self,
        place: Place<'tcx>,
        kind: &AggregateKind<'tcx>,
        operands: &IndexVec<rustc_abi::FieldIdx, Operand<'tcx>>,
        state: &mut State,
    ) -> Content {
        let contents: Vec<Content> = operands.iter().map(|operand| self.operand(operand, state)).collect();
        let ty = self.place_type(place);
        if !self.mentions(ty) {
            return Content::empty();
        }
        let parts = self.types.parts(ty, self.env());
        if *parts == [Part::Itself] {
            // Linear as such, or opaque: a coroutine may make what it does not capture.
            let full = self.types.is_linear(ty, self.env())
                || matches!(ty.kind(), ty::Coroutine(..))
                || contents.iter().any(|content| !content.is_empty());
            return if full { Content::full() } else { Content::empty() };
        }
        let field: Box<dyn Fn(usize) -> Part> = match kind {
            AggregateKind::Array(_) => Box::new(|index| Part::Element(index as u64)),
            AggregateKind::Adt(_, variant, _, _, active) => {
                let is_enum = ty.is_enum();
                let (variant, active) = (variant.as_u32(), *active);
                Box::new(move |index| {
                    let field = active.map_or(index as u32, |field| field.as_u32());
                    Part::Field(if is_enum { variant } else { 0 }, field)
                })
            }
            AggregateKind::RawPtr(..) => return Content::full(),
            _ => Box::new(|index| Part::Field(0, index as u32)),
        };
        Content::of(contents.into_iter().enumerate().map(|(index, content)| (field(index), content)))
    }

    fn read(&self, place: Place<'tcx>, state: &State) -> Content {
        if !self.tracked.contains(place.local) {
            return Content::empty();
        }
        match self.path(place) {
            Some(path) => state.get(&path),
            None => Content::full(),
        }
    }

    fn operand(&mut self, operand: &Operand<'tcx>, state: &mut State) -> Content {
        let place = match operand {
            Operand::Copy(place) | Operand::Move(place) => *place,
            Operand::Constant(constant) => {
                let ty = normalise(self.tcx, self.input, constant.const_.ty());
                return if self.mentions(ty) { Content::full() } else { Content::empty() };
            }
            _ => return Content::empty(),
        };
        if !self.tracked.contains(place.local) {
            return Content::empty();
        }
        self.taken_apart(place, state);
        if let Operand::Move(_) = operand {
            if let Some(elements) = self.subslice(place) {
                elements.iter().for_each(|element| state.set(element, Content::empty()));
                return Content::full();
            }
            let Some(path) = self.path(place) else { return Content::full() };
            let content = state.get(&path);
            if !self.place_type(place).is_any_ptr() {
                state.set(&path, Content::empty());
            }
            content
        } else {
            self.read(place, state)
        }
    }

    /// A method that reads a field of its `self`, whose type is linear without a part that is, takes the value apart.
    fn taken_apart(&self, place: Place<'tcx>, state: &mut State) {
        let first = Local::from_u32(1);
        if self.is_source()
            && place.local == first
            && self.body.arg_count > 0
            && !place.projection.is_empty()
            && !place.is_indirect()
            && self.is_opaque_linear(self.local_types[first])
            && self.is_method()
        {
            state.contents.remove(&first);
        }
    }

    /// Whether the body is an inherent method.
    fn is_method(&self) -> bool {
        let def = self.body.source.def_id();
        self.tcx
            .opt_associated_item(def)
            .is_some_and(|item| item.is_method() && self.tcx.inherent_impl_of_assoc(def).is_some())
    }

    /// The elements that a pattern `[.., rest @ .., ..]` moves out of an array.
    fn subslice(&self, place: Place<'tcx>) -> Option<Vec<Path>> {
        let (base, last) = place.as_ref().last_projection()?;
        let ProjectionElem::Subslice { from, to, from_end: false } = last else { return None };
        let parts = project(self.tcx, self.body, base)?;
        let path = |element| {
            let mut parts = parts.clone();
            parts.push(Part::Element(element));
            Path { local: place.local, parts }
        };
        Some((from..to).map(path).collect())
    }

    // Terminators.

    fn terminator(
        &mut self,
        terminator: &Terminator<'tcx>,
        block: BasicBlock,
        mut state: State,
    ) -> Vec<(BasicBlock, State)> {
        let location = self.body.terminator_loc(block);
        match &terminator.kind {
            TerminatorKind::Goto { target }
            | TerminatorKind::Assert { target, .. }
            | TerminatorKind::FalseEdge { real_target: target, .. }
            | TerminatorKind::FalseUnwind { real_target: target, .. } => vec![(*target, state)],
            TerminatorKind::SwitchInt { discr, targets } => self.switch(block, discr, targets, state),
            TerminatorKind::Drop { place, target, replace, .. } => {
                let content =
                    if self.tracked.contains(place.local) { self.read(*place, &state) } else { Content::empty() };
                let loss = if *replace { Loss::Overwritten } else { Loss::Dropped };
                self.event(loss, location, Some(place.local), &content, self.place_type(*place));
                if self.tracked.contains(place.local)
                    && let Some(path) = self.path(*place)
                {
                    state.set(&path, Content::empty());
                }
                vec![(*target, state)]
            }
            TerminatorKind::Call { args, destination, target, .. } => {
                self.call(block, args, Some(*destination), &mut state);
                target.map(|target| (target, state)).into_iter().collect()
            }
            TerminatorKind::TailCall { args, .. } => {
                self.call(block, args, None, &mut state);
                Vec::new()
            }
            TerminatorKind::Yield { value, resume, resume_arg, .. } => {
                // What happens if the coroutine is dropped here is a matter of who drops it.
                self.operand(value, &mut state);
                self.write(*resume_arg, Content::full(), location, &mut state);
                vec![(*resume, state)]
            }
            TerminatorKind::Return => {
                if self.is_source() {
                    for (local, content) in std::mem::take(&mut state.contents) {
                        if local != RETURN_PLACE {
                            self.event(Loss::Ended, location, Some(local), &content, self.local_types[local]);
                        }
                    }
                }
                Vec::new()
            }
            TerminatorKind::InlineAsm { targets, .. } => {
                targets.iter().map(|&target| (target, state.clone())).collect()
            }
            TerminatorKind::UnwindResume
            | TerminatorKind::UnwindTerminate(_)
            | TerminatorKind::Unreachable
            | TerminatorKind::CoroutineDrop => Vec::new(),
        }
    }

    fn switch(
        &self,
        block: BasicBlock,
        discriminant: &Operand<'tcx>,
        targets: &SwitchTargets,
        state: State,
    ) -> Vec<(BasicBlock, State)> {
        let Some(local) = discriminant.place().and_then(|place| place.as_local()) else {
            return targets.all_targets().iter().map(|&target| (target, state.clone())).collect();
        };
        if self.local_types[local].is_bool() {
            let promise = state.promises.get(&local);
            let edge = |truth: bool, target: BasicBlock| {
                let mut state = state.clone();
                if let Some(Promise::Truth(path, when)) = promise
                    && *when == truth
                {
                    state.set(path, Content::empty());
                }
                (target, state)
            };
            let mut edges: Vec<_> = targets.iter().map(|(value, target)| edge(value != 0, target)).collect();
            let truth = targets.iter().all(|(value, _)| value == 0);
            edges.push(edge(truth, targets.otherwise()));
            return edges;
        }
        let statements = &self.body.basic_blocks[block].statements;
        let examined = statements.iter().rev().find_map(|statement| match &statement.kind {
            StatementKind::Assign(assignment) => match &**assignment {
                (place, Rvalue::Discriminant(examined)) if place.as_local() == Some(local) => Some(*examined),
                _ => None,
            },
            _ => None,
        });
        let examined = examined.and_then(|place| Some((self.place_type(place), self.path(place)?)));
        let Some((ty, path)) = examined else {
            return targets.all_targets().iter().map(|&target| (target, state.clone())).collect();
        };
        let Some(adt) = ty.ty_adt_def().filter(|adt| adt.is_enum()) else {
            return targets.all_targets().iter().map(|&target| (target, state.clone())).collect();
        };
        let parts = self.types.parts(ty, self.env());
        let variants: Vec<(u32, u128)> =
            adt.discriminants(self.tcx).map(|(variant, discriminant)| (variant.as_u32(), discriminant.val)).collect();
        let edge = |remaining: Vec<u32>, target: BasicBlock| {
            let mut state = state.clone();
            let mut content = state.get(&path);
            content.restrict(&remaining, &parts);
            state.set(&path, content);
            if remaining == [0]
                && path.parts.is_empty()
                && let Some(Promise::First(emptied)) = state.promises.get(&path.local).cloned()
            {
                state.set(&emptied, Content::empty());
            }
            (target, state)
        };
        let mut edges = Vec::new();
        for (value, target) in targets.iter() {
            let remaining = variants.iter().filter(|(_, of)| *of == value).map(|(variant, _)| *variant).collect();
            edges.push(edge(remaining, target));
        }
        let listed = |value: u128| targets.iter().any(|(listed, _)| listed == value);
        let remaining: Vec<u32> =
            variants.iter().filter(|(_, value)| !listed(*value)).map(|(variant, _)| *variant).collect();
        if !remaining.is_empty() {
            edges.push(edge(remaining, targets.otherwise()));
        }
        edges
    }
}

/// A value with the type arguments of the body's instance, and as simple as its environment allows.
fn normalise<'tcx, T: ty::TypeFoldable<TyCtxt<'tcx>> + Clone>(
    tcx: TyCtxt<'tcx>,
    input: &Input<'_, 'tcx>,
    value: T,
) -> T {
    let normalised = match input.instance {
        Some(instance) => instance.try_instantiate_mir_and_normalize_erasing_regions(
            tcx,
            input.env,
            ty::EarlyBinder::bind(value.clone()),
        ),
        None => tcx.try_normalize_erasing_regions(input.env, value.clone()),
    };
    normalised.unwrap_or(value)
}

/// The way of a place below its local; `None` through raw pointers, unions, slices and variable indices.
fn project<'tcx>(tcx: TyCtxt<'tcx>, body: &Body<'tcx>, place: PlaceRef<'tcx>) -> Option<Vec<Part>> {
    let mut parts = Vec::with_capacity(place.projection.len());
    let mut variant = 0;
    for (base, element) in place.iter_projections() {
        match element {
            ProjectionElem::Deref => {
                if base.ty(body, tcx).ty.is_raw_ptr() {
                    return None;
                }
                parts.push(Part::Deref);
            }
            ProjectionElem::Downcast(_, index) => variant = index.as_u32(),
            ProjectionElem::Field(field, _) => {
                if base.ty(body, tcx).ty.is_union() {
                    return None;
                }
                parts.push(Part::Field(std::mem::take(&mut variant), field.as_u32()));
            }
            ProjectionElem::ConstantIndex { offset, from_end: false, .. } if base.ty(body, tcx).ty.is_array() => {
                parts.push(Part::Element(offset));
            }
            ProjectionElem::OpaqueCast(_) | ProjectionElem::UnwrapUnsafeBinder(_) => {}
            ProjectionElem::ConstantIndex { .. } | ProjectionElem::Index(_) | ProjectionElem::Subslice { .. } => {
                return None;
            }
        }
    }
    Some(parts)
}

/// Where an event or a use is in the source.
pub(super) fn span_of(body: &Body<'_>, location: Location) -> Span {
    body.source_info(location).span
}
