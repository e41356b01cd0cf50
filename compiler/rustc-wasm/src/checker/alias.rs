//! Which pointers point to which places, where a body shows it.
//!
//! A local that is assigned once, by borrowing a place (`&mut place`, `&place`, `&raw place`), by copying or re-borrowing such a local,
//! or by wrapping one in `Pin`, points to that place wherever it is used: a *must* alias. Everything else has no entry, and the flow
//! analysis then knows nothing of what it points to.
//!
//! A mutable borrow is *tame* if the flow analysis sees whatever is done through it: it is only dereferenced in the body itself, or passed to
//! functions of which [`super::known`] says what they do to its place. At any other mutable borrow, the place is assumed to be filled.
//! That this happens once, at the borrow, is enough: as long as the borrow is in use, the borrow checker forbids what would empty the
//! place by other means.
//!
//! # Cost
//!
//! Two walks over the body.

use super::content::Part;
use super::known::Known;
use rustc_data_structures::fx::FxHashMap;
use rustc_hir::def_id::DefId;
use rustc_index::IndexVec;
use rustc_index::bit_set::DenseBitSet;
use rustc_middle::mir::*;

/// A local, and the way to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) local: Local,
    pub(super) parts: Vec<Part>,
}

/// What is known of a call: by its block.
pub(super) type KnownCalls = FxHashMap<BasicBlock, Known>;

/// The pointers of a body.
pub(super) struct Aliases {
    pub(super) points_to: IndexVec<Local, Option<Path>>,
    wild: DenseBitSet<Local>,
}

impl Aliases {
    /// Whether all that is done through this pointer is seen.
    pub(super) fn is_tame(&self, pointer: Local) -> bool {
        self.points_to[pointer].is_some() && !self.wild.contains(pointer)
    }

    /// Finds the aliases of a body. `pin` is the type `Pin`; `project` is the way of a place below a local, if it has one.
    pub(super) fn new<'tcx>(
        body: &Body<'tcx>,
        known: &KnownCalls,
        pin: Option<DefId>,
        project: impl Fn(PlaceRef<'tcx>) -> Option<Vec<Part>>,
    ) -> Self {
        let mut finder =
            Finder { body, known, pin, project, sources: IndexVec::from_elem(Source::None, &body.local_decls) };
        finder.collect();
        let mut points_to = IndexVec::from_elem(None, &body.local_decls);
        for local in body.local_decls.indices() {
            points_to[local] = finder.resolve(local, 0);
        }
        let mut aliases = Self { points_to, wild: DenseBitSet::new_empty(body.local_decls.len()) };
        let mut from: Vec<(Local, Local)> = Vec::new();
        finder.uses(&mut aliases, &mut from);
        // What flows into a wild pointer is wild.
        loop {
            let mut changed = false;
            for &(pointer, origin) in &from {
                changed |= aliases.wild.contains(pointer) && aliases.wild.insert(origin);
            }
            if !changed {
                return aliases;
            }
        }
    }
}

/// How a local got its value.
#[derive(Clone, Copy)]
enum Source<'tcx> {
    None,
    Many,
    /// It points to the place.
    Borrow(Place<'tcx>),
    /// It points where the local points.
    Same(Local),
    /// It points where that points to which the local points.
    Behind(Local),
    Other,
}

struct Finder<'a, 'tcx, P> {
    body: &'a Body<'tcx>,
    known: &'a KnownCalls,
    pin: Option<DefId>,
    project: P,
    sources: IndexVec<Local, Source<'tcx>>,
}

/// Longer chains of pointers are not followed.
const LONGEST_CHAIN: usize = 32;

impl<'tcx, P: Fn(PlaceRef<'tcx>) -> Option<Vec<Part>>> Finder<'_, 'tcx, P> {
    fn collect(&mut self) {
        for (block, data) in self.body.basic_blocks.iter_enumerated() {
            for statement in &data.statements {
                if let StatementKind::Assign(assignment) = &statement.kind {
                    let (place, rvalue) = &**assignment;
                    self.assigned(*place, source_of(rvalue, self.pin));
                }
            }
            match &data.terminator().kind {
                TerminatorKind::Call { args, destination, .. } => {
                    let first =
                        args.first().and_then(|argument| argument.node.place()).and_then(|place| place.as_local());
                    let source = match (self.known.get(&block), first) {
                        (Some(Known::Points), Some(first)) => {
                            // `Pin::as_mut(&mut pin)` points where `pin` points.
                            let behind = self.body.local_decls[first]
                                .ty
                                .builtin_deref(true)
                                .is_some_and(|ty| ty.ty_adt_def().is_some_and(|adt| adt.is_pin()));
                            if behind { Source::Behind(first) } else { Source::Same(first) }
                        }
                        _ => Source::Other,
                    };
                    self.assigned(*destination, source);
                }
                TerminatorKind::Yield { resume_arg, .. } => self.assigned(*resume_arg, Source::Other),
                _ => {}
            }
        }
        for argument in self.body.args_iter() {
            if matches!(self.sources[argument], Source::None) {
                self.sources[argument] = Source::Other;
            } else {
                self.sources[argument] = Source::Many;
            }
        }
    }

    fn assigned(&mut self, place: Place<'tcx>, source: Source<'tcx>) {
        let entry = &mut self.sources[place.local];
        match (place.as_local(), &entry) {
            (Some(_), Source::None) => *entry = source,
            // Writing through a pointer does not change the pointer.
            (None, _) if place.is_indirect_first_projection() => {}
            _ => *entry = Source::Many,
        }
    }

    fn resolve(&self, pointer: Local, depth: usize) -> Option<Path> {
        if depth > LONGEST_CHAIN {
            return None;
        }
        match self.sources[pointer] {
            Source::Borrow(place) => self.path(place.as_ref(), depth + 1),
            Source::Same(origin) => self.resolve(origin, depth + 1),
            Source::Behind(origin) => {
                let path = self.resolve(origin, depth + 1)?;
                if path.parts.is_empty() { self.resolve(path.local, depth + 1) } else { None }
            }
            Source::None | Source::Many | Source::Other => None,
        }
    }

    fn path(&self, place: PlaceRef<'tcx>, depth: usize) -> Option<Path> {
        let mut parts = (self.project)(place)?;
        if parts.first() == Some(&Part::Deref) && !self.body.local_decls[place.local].ty.is_box() {
            if let Some(mut path) = self.resolve(place.local, depth) {
                path.parts.extend(parts.drain(1..));
                return Some(path);
            }
            // A pointer that is assigned again points elsewhere later.
            if matches!(self.sources[place.local], Source::Many) {
                return None;
            }
        }
        Some(Path { local: place.local, parts })
    }

    /// Marks the pointers whose uses are not all seen, and lists which pointers flow where.
    fn uses(&self, aliases: &mut Aliases, from: &mut Vec<(Local, Local)>) {
        let wild = &mut aliases.wild;
        let points_to = &aliases.points_to;
        let mut escape = |operand: &Operand<'tcx>| {
            if let Some(place) = operand.place()
                && !place.is_indirect_first_projection()
            {
                wild.insert(place.local);
            }
        };
        for (block, data) in self.body.basic_blocks.iter_enumerated() {
            for statement in &data.statements {
                let StatementKind::Assign(assignment) = &statement.kind else { continue };
                let (place, rvalue) = &**assignment;
                if let Some(pointer) = place.as_local()
                    && points_to[pointer].is_some()
                {
                    match self.sources[pointer] {
                        Source::Borrow(place) if place.is_indirect_first_projection() => {
                            from.push((pointer, place.local))
                        }
                        Source::Same(origin) => from.push((pointer, origin)),
                        _ => {}
                    }
                    continue;
                }
                match rvalue {
                    Rvalue::Use(operand)
                    | Rvalue::Repeat(operand, _)
                    | Rvalue::Cast(_, operand, _)
                    | Rvalue::UnaryOp(_, operand)
                    | Rvalue::WrapUnsafeBinder(operand, _) => escape(operand),
                    Rvalue::Aggregate(_, operands) => operands.iter().for_each(&mut escape),
                    // What is inside of a pointer's wrapper, or the pointer itself, by reference.
                    Rvalue::Ref(_, _, place) | Rvalue::RawPtr(_, place) | Rvalue::CopyForDeref(place) => {
                        escape(&Operand::Copy(*place))
                    }
                    // Comparing pointers changes nothing.
                    Rvalue::BinaryOp(..) | Rvalue::Discriminant(_) | Rvalue::ThreadLocalRef(_) => {}
                }
            }
            match &data.terminator().kind {
                TerminatorKind::Call { args, destination, .. } => {
                    let seen = match self.known.get(&block) {
                        Some(Known::Swap) => 2,
                        Some(
                            Known::Take
                            | Known::Replace
                            | Known::EmptyIfFirst
                            | Known::EmptyIf(_)
                            | Known::Keeps
                            | Known::Points,
                        ) => 1,
                        _ => 0,
                    };
                    if let Some(pointer) = destination.as_local()
                        && let Source::Same(origin) | Source::Behind(origin) = self.sources[pointer]
                    {
                        from.push((pointer, origin));
                        if let (Source::Behind(_), Some(path)) = (self.sources[pointer], &points_to[origin]) {
                            from.push((pointer, path.local));
                        }
                    }
                    args.iter().skip(seen).for_each(|argument| escape(&argument.node));
                }
                TerminatorKind::TailCall { args, .. } => args.iter().for_each(|argument| escape(&argument.node)),
                TerminatorKind::Yield { value, .. } => escape(value),
                _ => {}
            }
        }
    }
}

fn source_of<'tcx>(rvalue: &Rvalue<'tcx>, pin: Option<DefId>) -> Source<'tcx> {
    match rvalue {
        Rvalue::Ref(_, BorrowKind::Mut { .. } | BorrowKind::Shared, place) | Rvalue::RawPtr(_, place) => {
            Source::Borrow(*place)
        }
        Rvalue::Use(Operand::Copy(place) | Operand::Move(place)) => match place.as_local() {
            Some(local) => Source::Same(local),
            None => Source::Other,
        },
        Rvalue::CopyForDeref(place) => match place.as_local() {
            Some(local) => Source::Same(local),
            None => Source::Other,
        },
        Rvalue::Aggregate(kind, operands) => match (&**kind, operands.iter().as_slice()) {
            // `Pin { pointer }`, as `pin!` writes it.
            (AggregateKind::Adt(adt, ..), [Operand::Copy(place) | Operand::Move(place)]) if Some(*adt) == pin => {
                match place.as_local() {
                    Some(local) => Source::Same(local),
                    None => Source::Other,
                }
            }
            _ => Source::Other,
        },
        _ => Source::Other,
    }
}
