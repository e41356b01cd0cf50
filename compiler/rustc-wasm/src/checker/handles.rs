//! The lint `wasm_handle_outlives_referent`: what refers to a host's value or function by number, and is used when that is gone.
//!
//! Two things have a number and nothing that keeps what it names alive. An `ExternId` is the number of an `ExternRef`'s slot: once the
//! reference is dropped, the number finds nothing. A `FuncRef` that `FuncRef::from_index` made is as good as the promise of the `unsafe`
//! block that made it: it must not leave that block's function for callers that promised nothing.
//!
//! # Input
//!
//! A body of this crate after borrow checking, before drop elaboration: each drop stands where the language has it, whether or not its
//! place still holds something.
//!
//! # Algorithm
//!
//! A forward analysis to a fixed point. Of each local the state says which reference its number surely came from, and whether that was
//! surely dropped since; joins keep what both sides agree about, so that what is reported happens on every path. A reference is followed
//! from local to local; one that goes anywhere else, or is borrowed mutably, may live on there, and its numbers are forgotten. A number whose reference is gone is reported where it is
//! upgraded, returned, or put behind a pointer; so is one that was put there before. It may still be compared or be a key: then what it
//! finds does not matter.
//!
//! For functions by number the state says which locals may hold one; joins are unions. A number that `FuncRef::index` gave is that of a
//! function, and stays so.
//!
//! # Cost
//!
//! A body that borrows no `ExternRef` and makes no `FuncRef` of a number is left after one walk. Else O(blocks · locals).

use super::lints::{Library, WASM_HANDLE_OUTLIVES_REFERENT};
use rustc_errors::DiagDecorator;
use rustc_hir as hir;
use rustc_hir::def::DefKind;
use rustc_hir::def_id::LocalDefId;
use rustc_middle::mir::*;
use rustc_middle::ty::{self, Ty, TyCtxt};
use rustc_span::{Span, Spanned, sym};
use std::collections::{BTreeMap, BTreeSet};

/// Reports what a body does with numbers beyond what they refer to.
pub(super) fn check<'tcx>(tcx: TyCtxt<'tcx>, library: Library, def: LocalDefId, body: &Body<'tcx>) {
    let Some(mut handles) = Handles::new(tcx, library, def, body) else { return };
    handles.run();
    for (made, finding) in &handles.findings {
        handles.report(*made, finding);
    }
}

/// A number of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    /// The local that held the reference.
    of: Local,
    made: Location,
    /// Where the reference was dropped.
    gone: Option<Location>,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    /// It is, or holds, this number.
    number: Option<Number>,
    /// It is a reference to (a part of) this local.
    points: Option<Local>,
    /// It is, or holds, a function by number, which was made here.
    vouched: Option<Location>,
    /// It is the index of a function.
    index: bool,
    /// It is what this local held, moved on.
    moved: Option<Local>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Locals that surely hold what was last assigned to them.
    held: BTreeSet<Local>,
    numbers: BTreeMap<Local, Number>,
    points: BTreeMap<Local, Local>,
    /// Locals that surely hold what another one held first.
    moved: BTreeMap<Local, Local>,
    /// Numbers that were put behind a pointer, by where they were made: whose, and where that happened.
    stored: BTreeMap<Location, (Local, Location)>,
    vouched: BTreeMap<Local, Location>,
    indices: BTreeSet<Local>,
}

impl State {
    /// Whether anything changed.
    fn join(&mut self, other: &State) -> bool {
        let before = self.clone();
        self.held.retain(|local| other.held.contains(local));
        // Dropped on both ways is dropped, wherever that was.
        let alike = |a: &Number, b: &Number| (a.of, a.made, a.gone.is_some()) == (b.of, b.made, b.gone.is_some());
        self.numbers.retain(|local, number| other.numbers.get(local).is_some_and(|other| alike(number, other)));
        self.points.retain(|local, to| other.points.get(local) == Some(to));
        self.moved.retain(|local, first| other.moved.get(local) == Some(first));
        self.stored.retain(|made, stored| other.stored.get(made) == Some(stored));
        self.indices.retain(|local| other.indices.contains(local));
        for (&local, &made) in &other.vouched {
            self.vouched.entry(local).or_insert(made);
        }
        *self != before
    }

    /// What a reference names may live on elsewhere.
    fn lose_sight(&mut self, of: Local) {
        self.held.remove(&of);
        self.numbers.retain(|_, number| number.of != of || number.gone.is_some());
        self.stored.retain(|_, (local, _)| *local != of);
        self.moved.retain(|_, first| *first != of);
    }

    /// What a local holds is no longer only there.
    fn escapes(&mut self, local: Local) {
        self.lose_sight(local);
        if let Some(first) = self.moved.remove(&local) {
            self.lose_sight(first);
        }
    }

    /// A local has another value, or none.
    fn forget(&mut self, local: Local) {
        self.escapes(local);
        self.numbers.remove(&local);
        self.points.remove(&local);
        self.vouched.remove(&local);
        self.indices.remove(&local);
    }

    fn get(&self, local: Local) -> Value {
        Value {
            number: self.numbers.get(&local).copied(),
            points: self.points.get(&local).copied(),
            vouched: self.vouched.get(&local).copied(),
            index: self.indices.contains(&local),
            moved: None,
        }
    }

    /// Adds what is known of a value that a local holds.
    fn add(&mut self, local: Local, value: Value) {
        if let Some(number) = value.number {
            self.numbers.insert(local, number);
        }
        if let Some(points) = value.points {
            self.points.insert(local, points);
        }
        if let Some(made) = value.vouched {
            self.vouched.insert(local, made);
        }
        if value.index {
            self.indices.insert(local);
        }
    }
}

/// What is wrong with a number or function that was made somewhere.
#[derive(Clone, Copy, Debug)]
enum Finding {
    /// Its reference is gone, and it is still used.
    Number { gone: Location, used: Location, how: How },
    /// It leaves the function, here.
    Function { left: Location },
}

/// What a number without a value is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Upgraded,
    Returned,
    Kept,
}

/// The library's functions that make and use numbers.
enum Method {
    Id,
    Upgrade,
    FromIndex,
    Index,
    Drop,
    Other,
}

struct Handles<'a, 'tcx> {
    tcx: TyCtxt<'tcx>,
    library: Library,
    body: &'a Body<'tcx>,
    /// Locals of which an `ExternRef` is borrowed.
    origins: BTreeSet<Local>,
    /// Whoever calls the function promises nothing.
    safe: bool,
    findings: BTreeMap<Location, Finding>,
    reporting: bool,
}

impl<'a, 'tcx> Handles<'a, 'tcx> {
    fn new(tcx: TyCtxt<'tcx>, library: Library, def: LocalDefId, body: &'a Body<'tcx>) -> Option<Self> {
        let is_function = matches!(tcx.def_kind(def), DefKind::Fn | DefKind::AssocFn);
        let safe = is_function && tcx.fn_sig(def).skip_binder().safety() == hir::Safety::Safe;
        let findings = BTreeMap::new();
        let mut handles = Self { tcx, library, body, origins: BTreeSet::new(), safe, findings, reporting: false };
        let mut makes_functions = false;
        for data in body.basic_blocks.iter() {
            for statement in &data.statements {
                if let StatementKind::Assign(assignment) = &statement.kind
                    && let Rvalue::Ref(_, _, place) = &assignment.1
                    && !place.is_indirect()
                    && library.is_type(tcx, place.ty(body, tcx).ty, "ExternRef")
                {
                    handles.origins.insert(place.local);
                }
            }
            if let TerminatorKind::Call { func, .. } = &data.terminator().kind {
                makes_functions |= matches!(handles.method(func), Method::FromIndex);
            }
        }
        (makes_functions || !handles.origins.is_empty()).then_some(handles)
    }

    fn method(&self, func: &Operand<'tcx>) -> Method {
        let Some((def, _)) = func.const_fn_def() else { return Method::Other };
        let tcx = self.tcx;
        if tcx.is_diagnostic_item(sym::mem_drop, def) {
            return Method::Drop;
        }
        let Some(implementation) = tcx.inherent_impl_of_assoc(def) else { return Method::Other };
        if !self.library.has(def) {
            return Method::Other;
        }
        let of = |name| self.library.is_type(tcx, tcx.type_of(implementation).skip_binder(), name);
        match tcx.item_name(def).as_str() {
            "id" if of("ExternRef") => Method::Id,
            "upgrade" if of("ExternId") => Method::Upgrade,
            "from_index" if of("FuncRef") => Method::FromIndex,
            "index" if of("FuncRef") => Method::Index,
            _ => Method::Other,
        }
    }

    fn run(&mut self) {
        let body = self.body;
        let mut initial = State::default();
        initial.held.extend(body.args_iter().filter(|argument| self.origins.contains(argument)));
        let mut entry: BTreeMap<BasicBlock, State> = BTreeMap::from([(START_BLOCK, initial)]);
        let mut queue = BTreeSet::from([START_BLOCK]);
        while let Some(block) = queue.pop_first() {
            let Some(state) = entry.get(&block).cloned() else { continue };
            let state = self.block(block, state);
            for target in successors(body.basic_blocks[block].terminator()) {
                let changed = match entry.get_mut(&target) {
                    Some(before) => before.join(&state),
                    None => {
                        entry.insert(target, state.clone());
                        true
                    }
                };
                if changed {
                    queue.insert(target);
                }
            }
        }
        // Once more, now that the states are final.
        self.reporting = true;
        for (block, state) in entry {
            self.block(block, state);
        }
    }

    fn block(&mut self, block: BasicBlock, mut state: State) -> State {
        let data = &self.body.basic_blocks[block];
        for (statement_index, statement) in data.statements.iter().enumerate() {
            let location = Location { block, statement_index };
            match &statement.kind {
                StatementKind::Assign(assignment) => {
                    let (place, rvalue) = &**assignment;
                    let value = self.rvalue(rvalue, &mut state);
                    self.write(*place, value, location, &mut state);
                }
                StatementKind::StorageDead(local) => state.forget(*local),
                _ => {}
            }
        }
        self.terminator(data.terminator(), self.body.terminator_loc(block), &mut state);
        state
    }

    fn operand(&self, operand: &Operand<'tcx>, state: &mut State) -> Value {
        let Some(place) = operand.place() else { return Value::default() };
        if place.is_indirect() {
            return Value::default();
        }
        let value = state.get(place.local);
        if operand.is_move() {
            state.escapes(place.local);
        }
        value
    }

    /// What an operand is that goes to another local as it is: a reference is still seen there.
    fn moved(&self, operand: &Operand<'tcx>, state: &mut State) -> Value {
        let whole = operand.is_move().then(|| operand.place()?.as_local()).flatten();
        let Some(local) = whole else { return self.operand(operand, state) };
        let moved = match state.moved.remove(&local) {
            Some(first) => Some(first),
            None => state.held.remove(&local).then_some(local),
        };
        Value { moved, ..state.get(local) }
    }

    fn rvalue(&self, rvalue: &Rvalue<'tcx>, state: &mut State) -> Value {
        match rvalue {
            Rvalue::Use(operand) => self.moved(operand, state),
            Rvalue::Repeat(operand, _) | Rvalue::Cast(_, operand, _) => self.operand(operand, state),
            Rvalue::CopyForDeref(place) if !place.is_indirect() => state.get(place.local),
            Rvalue::Aggregate(_, operands) => {
                let mut whole = Value::default();
                for operand in operands {
                    let part = self.operand(operand, state);
                    whole.number = whole.number.or(part.number);
                    whole.vouched = whole.vouched.or(part.vouched);
                }
                whole
            }
            Rvalue::Ref(_, BorrowKind::Mut { .. }, place) | Rvalue::RawPtr(_, place) if !place.is_indirect() => {
                // What happens through the pointer is not seen.
                state.escapes(place.local);
                state.numbers.remove(&place.local);
                Value::default()
            }
            Rvalue::Ref(_, _, place) => {
                let points = match place.projection.iter().position(|part| part == PlaceElem::Deref) {
                    None => self.origins.contains(&place.local).then_some(place.local),
                    // Borrowed once more.
                    Some(0) if !place.projection[1..].contains(&PlaceElem::Deref) => {
                        state.points.get(&place.local).copied()
                    }
                    Some(_) => None,
                };
                Value { points, ..Value::default() }
            }
            _ => Value::default(),
        }
    }

    fn write(&mut self, place: Place<'tcx>, value: Value, location: Location, state: &mut State) {
        if place.is_indirect() {
            match value.number {
                Some(Number { made, gone: Some(gone), .. }) => self.number(made, gone, location, How::Kept),
                Some(Number { of, made, gone: None }) => {
                    state.stored.insert(made, (of, location));
                }
                None => {}
            }
            if let Some(made) = value.vouched {
                self.function(made, location);
            }
            if let Some(first) = value.moved {
                state.lose_sight(first);
            }
            return;
        }
        if place.projection.is_empty() {
            state.forget(place.local);
            if self.origins.contains(&place.local) {
                state.held.insert(place.local);
            }
            if let Some(first) = value.moved {
                state.moved.insert(place.local, first);
            }
        } else if let Some(first) = value.moved {
            state.lose_sight(first);
        }
        state.add(place.local, value);
    }

    fn terminator(&mut self, terminator: &Terminator<'tcx>, location: Location, state: &mut State) {
        match &terminator.kind {
            TerminatorKind::Drop { place, .. } => match place.as_local() {
                Some(local) => self.dropped(local, location, state),
                None if !place.is_indirect() => state.escapes(place.local),
                None => {}
            },
            TerminatorKind::Call { func, args, destination, .. } => {
                let value = self.call(func, args, *destination, location, state);
                self.write(*destination, value, location, state);
            }
            TerminatorKind::TailCall { args, .. } => {
                for argument in args {
                    self.operand(&argument.node, state);
                }
            }
            TerminatorKind::Yield { value, resume_arg, .. } => {
                self.operand(value, state);
                self.write(*resume_arg, Value::default(), location, state);
            }
            TerminatorKind::Return => {
                let value = state.get(RETURN_PLACE);
                if let Some(Number { made, gone: Some(gone), .. }) = value.number {
                    self.number(made, gone, location, How::Returned);
                }
                if let Some(made) = value.vouched {
                    self.function(made, location);
                }
            }
            _ => {}
        }
    }

    fn call(
        &mut self,
        func: &Operand<'tcx>,
        args: &[Spanned<Operand<'tcx>>],
        destination: Place<'tcx>,
        location: Location,
        state: &mut State,
    ) -> Value {
        let method = self.method(func);
        if let Method::Drop = method
            && let Some(local) = args.first().and_then(|argument| argument.node.place()?.as_local())
        {
            self.dropped(local, location, state);
        }
        let values: Vec<Value> = args.iter().map(|argument| self.operand(&argument.node, state)).collect();
        let first = values.first().copied().unwrap_or_default();
        let mut result = Value::default();
        match method {
            Method::Id => {
                let of = first.points.filter(|of| state.held.contains(of));
                result.number = of.map(|of| Number { of, made: location, gone: None });
            }
            Method::Upgrade => {
                if let Some(Number { made, gone: Some(gone), .. }) = first.number {
                    self.number(made, gone, location, How::Upgraded);
                }
            }
            Method::FromIndex => result.vouched = (!first.index).then_some(location),
            Method::Index => result.index = true,
            Method::Drop => {}
            Method::Other => {
                let ty = destination.ty(self.body, self.tcx).ty;
                if self.library.mentions(self.tcx, ty, "FuncRef") {
                    result.vouched = values.iter().find_map(|value| value.vouched);
                }
            }
        }
        result
    }

    /// A local's destructor runs, if the local holds something.
    fn dropped(&mut self, local: Local, location: Location, state: &mut State) {
        let own = state.held.remove(&local).then_some(local);
        let gone = [own, state.moved.remove(&local)];
        for of in gone.into_iter().flatten() {
            for number in state.numbers.values_mut().filter(|number| number.of == of) {
                number.gone.get_or_insert(location);
            }
            let stored = state.stored.extract_if(.., |_, (kept, _)| *kept == of);
            for (made, (_, kept)) in stored.collect::<Vec<_>>() {
                self.number(made, location, kept, How::Kept);
            }
        }
        state.lose_sight(local);
    }

    // What is found.

    fn number(&mut self, made: Location, gone: Location, used: Location, how: How) {
        if self.reporting {
            self.findings.entry(made).or_insert(Finding::Number { gone, used, how });
        }
    }

    fn function(&mut self, made: Location, left: Location) {
        if self.reporting && self.safe {
            self.findings.entry(made).or_insert(Finding::Function { left });
        }
    }

    fn span(&self, location: Location) -> Span {
        self.body.source_info(location).span
    }

    fn report(&self, made: Location, finding: &Finding) {
        let info = self.body.source_info(made);
        let Some(node) = info.scope.lint_root(&self.body.source_scopes) else { return };
        let span = info.span;
        self.tcx.emit_node_span_lint(
            WASM_HANDLE_OUTLIVES_REFERENT,
            node,
            span,
            DiagDecorator(|diagnostic| match *finding {
                Finding::Number { gone, used, how } => {
                    diagnostic.primary_message("this number outlives the reference it came from");
                    diagnostic.span_label(span, "the number is made here");
                    let gone = self.span(gone);
                    diagnostic.span_label(gone, "the `ExternRef` is dropped here, and with it the value is let go of");
                    let used = self.span(used);
                    match how {
                        How::Upgraded => diagnostic.span_label(used, "so this is always `None`"),
                        How::Kept => diagnostic.span_label(used, "the number is kept here"),
                        How::Returned if used != gone => diagnostic.span_label(used, "the number is returned here"),
                        How::Returned => diagnostic,
                    };
                    diagnostic.help("keep the `ExternRef` as long as the number is used");
                }
                Finding::Function { left } => {
                    diagnostic.primary_message("this function reference outlives the promise that it was made by");
                    diagnostic.span_label(span, "the index is promised to be that of a function for this call only");
                    diagnostic.span_label(self.span(left), "the reference leaves a function that is safe to call here");
                    diagnostic.help("pass the index on, or make the function `unsafe`, so that its callers promise it");
                }
            }),
        );
    }
}

/// Where control goes without unwinding.
fn successors<'a>(terminator: &'a Terminator<'_>) -> Box<dyn Iterator<Item = BasicBlock> + 'a> {
    match &terminator.kind {
        TerminatorKind::FalseEdge { real_target, .. } | TerminatorKind::FalseUnwind { real_target, .. } => {
            Box::new(std::iter::once(*real_target))
        }
        TerminatorKind::Drop { target, .. } | TerminatorKind::Assert { target, .. } => {
            Box::new(std::iter::once(*target))
        }
        TerminatorKind::Yield { resume, .. } => Box::new(std::iter::once(*resume)),
        TerminatorKind::Call { target, .. } => Box::new(target.iter().copied()),
        _ => Box::new(terminator.successors()),
    }
}

impl Library {
    /// Whether a type is the library's type of this name.
    fn is_type(self, tcx: TyCtxt<'_>, ty: Ty<'_>, name: &str) -> bool {
        ty.ty_adt_def().is_some_and(|adt| self.is(tcx, adt.did(), name))
    }

    /// Whether the library's type of this name is, or occurs in, a type.
    fn mentions(self, tcx: TyCtxt<'_>, ty: Ty<'_>, name: &str) -> bool {
        let mut parts = ty.walk().filter_map(ty::GenericArg::as_type);
        parts.any(|part| self.is_type(tcx, part, name))
    }
}
