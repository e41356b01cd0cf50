//! What the analysis knows of Rust's library beyond its types: functions whose documentation promises something of what they leave
//! behind.
//!
//! Everything else about library functions is read off their MIR. The promises here are about *places*: that `Option::take` leaves
//! `None`, that an iterator which said `None` once is at its end, that a future which is ready holds nothing any more. They let the
//! analysis accept a drop of a place that holds nothing, which types alone do not show.

use super::graph::Vertex;
use rustc_hir::def::DefKind;
use rustc_hir::def_id::DefId;
use rustc_middle::ty::{self, Instance, Ty, TyCtxt};
use rustc_span::{Symbol, sym};

/// A promise of a library function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Returns what the place held; the place holds nothing (`Option::take`, and `mem::take` of containers).
    Take,
    /// Returns what the place held; the place holds the second argument.
    Replace,
    /// Exchanges what two places hold.
    Swap,
    /// If it returns the first variant of its result (`None`, `Ready`), the place holds nothing.
    EmptyIfFirst,
    /// If it returns this, the place holds nothing.
    EmptyIf(bool),
    /// Puts nothing into the place.
    Keeps,
    /// The result holds nothing.
    Fresh,
    /// The result holds what the argument held.
    Converts,
    /// The result points to where the argument points.
    Points,
    /// The argument's life ends without a destructor: what is said about it.
    Forgets(&'static str),
    /// The result has the bits of the argument, and another type.
    Transmutes,
    /// Makes an owner that other owners share: a cycle of them is never dropped.
    Shares,
    /// Moves values about and drops none, although its code has a drop for the case of a panic.
    DropsNone,
}

const CONTAINERS: &[&str] =
    &["Option", "Vec", "VecDeque", "BTreeMap", "BTreeSet", "BinaryHeap", "LinkedList", "HashMap", "HashSet"];

/// What is known of a function.
///
/// `mentions` tells whether a linear type occurs in a type.
pub(super) fn known<'tcx>(
    tcx: TyCtxt<'tcx>,
    def: DefId,
    args: ty::GenericArgsRef<'tcx>,
    mentions: impl Fn(Ty<'tcx>) -> bool,
) -> Option<Known> {
    let krate = tcx.crate_name(def.krate);
    if !matches!(krate, sym::core | sym::alloc | sym::std)
        || !matches!(tcx.def_kind(def), DefKind::Fn | DefKind::AssocFn)
    {
        return None;
    }
    let parent = tcx.parent(def);
    let parent_name = match tcx.def_kind(parent) {
        DefKind::Impl { of_trait: false } => match tcx.type_of(parent).instantiate_identity().kind() {
            ty::Adt(adt, _) => tcx.item_name(adt.did()),
            ty::Slice(_) => sym::slice,
            _ => return None,
        },
        DefKind::Trait | DefKind::Mod => tcx.item_name(parent),
        _ => return None,
    };
    let name = tcx.item_name(def);
    let first = || args.types().next();
    let known = match (parent_name.as_str(), name.as_str()) {
        ("Option", "take") => Known::Take,
        ("mem", "take") if first().is_some_and(|ty| is_container(tcx, ty)) => Known::Take,
        ("mem" | "Option", "replace") => Known::Replace,
        ("mem", "swap") => Known::Swap,
        ("Vec", "pop")
        | ("VecDeque" | "LinkedList", "pop_front" | "pop_back")
        | ("BTreeMap" | "BTreeSet", "pop_first" | "pop_last")
        | ("BinaryHeap", "pop") => Known::EmptyIfFirst,
        ("Iterator", "next") | ("DoubleEndedIterator", "next_back")
            if first().is_some_and(|ty| is_exhausted_by_none(tcx, ty)) =>
        {
            Known::EmptyIfFirst
        }
        ("Future", "poll") if first().is_some_and(is_coroutine) => Known::EmptyIfFirst,
        ("Option", "is_none") => Known::EmptyIf(true),
        ("Option", "is_some") => Known::EmptyIf(false),
        (
            "Vec" | "VecDeque" | "LinkedList" | "BTreeMap" | "BTreeSet" | "BinaryHeap" | "HashMap" | "HashSet",
            "is_empty",
        ) => Known::EmptyIf(true),
        // A key that is there already is dropped.
        ("HashMap", "insert" | "reserve" | "entry" | "remove") if first().is_some_and(|key| !mentions(key)) => {
            Known::DropsNone
        }
        ("HashMap", "reserve" | "remove_entry")
        | ("VacantEntry", "insert")
        | ("Rc" | "Arc", "try_unwrap" | "into_inner") => Known::DropsNone,
        ("Option", "as_mut" | "as_deref_mut" | "iter_mut" | "as_mut_slice")
        | (
            "Vec" | "VecDeque" | "LinkedList" | "BTreeMap" | "HashMap" | "HashSet" | "BTreeSet" | "BinaryHeap",
            "clear" | "truncate" | "drain" | "iter_mut" | "values_mut" | "get_mut" | "as_mut_slice" | "remove"
            | "swap_remove" | "reserve" | "shrink_to_fit" | "front_mut" | "back_mut" | "retain" | "swap_remove_back"
            | "swap_remove_front",
        ) => Known::Keeps,
        (
            "Vec" | "VecDeque" | "LinkedList" | "BTreeMap" | "BTreeSet" | "BinaryHeap" | "HashMap" | "HashSet",
            "new" | "with_capacity",
        ) => Known::Fresh,
        ("Default", "default") if first().is_some_and(|ty| is_container(tcx, ty)) => Known::Fresh,
        ("IntoIterator", "into_iter")
            if first().is_some_and(|ty| is_container(tcx, ty) || is_exhausted_by_none(tcx, ty)) =>
        {
            Known::Converts
        }
        ("IntoFuture", "into_future") if first().is_some_and(is_coroutine) => Known::Converts,
        ("Pin", "new_unchecked" | "new" | "as_mut" | "get_unchecked_mut" | "get_mut") => Known::Points,
        ("mem", "forget") => Known::Forgets("is forgotten"),
        ("Box", "leak" | "into_raw" | "into_raw_with_allocator" | "into_non_null")
        | ("Vec", "leak" | "into_raw_parts") => Known::Forgets("is leaked"),
        ("intrinsics", "transmute") => Known::Transmutes,
        ("MaybeUninit", "new" | "write") => Known::Forgets("is hidden in a `MaybeUninit`, which drops nothing"),
        ("Rc" | "Arc", "new" | "new_cyclic" | "pin") => Known::Shares,
        ("slice", "sort" | "sort_unstable" | "sort_by" | "sort_by_key" | "sort_unstable_by" | "sort_unstable_by_key")
        | ("slice", "select_nth_unstable" | "select_nth_unstable_by" | "select_nth_unstable_by_key")
            // Keys and what the closure captured are dropped.
            if args.types().skip(1).all(|argument| holds_none(argument, &mentions)) =>
        {
            Known::DropsNone
        }
        _ => return None,
    };
    Some(known)
}

/// Whether values of a type hold none of a linear type, although a closure's signature may mention one.
fn holds_none<'tcx>(ty: Ty<'tcx>, mentions: &impl Fn(Ty<'tcx>) -> bool) -> bool {
    match ty.kind() {
        ty::Closure(_, args) => !args.as_closure().upvar_tys().iter().any(mentions),
        ty::FnDef(..) | ty::FnPtr(..) => true,
        _ => !mentions(ty),
    }
}

fn std_adt<'tcx>(tcx: TyCtxt<'tcx>, ty: Ty<'tcx>) -> Option<(Symbol, ty::GenericArgsRef<'tcx>)> {
    match *ty.kind() {
        ty::Adt(adt, args) if matches!(tcx.crate_name(adt.did().krate), sym::core | sym::alloc | sym::std) => {
            Some((tcx.item_name(adt.did()), args))
        }
        _ => None,
    }
}

/// Whether the type's default holds nothing.
fn is_container<'tcx>(tcx: TyCtxt<'tcx>, ty: Ty<'tcx>) -> bool {
    std_adt(tcx, ty).is_some_and(|(name, _)| CONTAINERS.contains(&name.as_str()))
}

/// Whether what a function of the library drops, or has dropped by another, is empty by what it did before: collecting a list in place
/// drops what is left of the source, and nothing is left after an iterator that goes to its end.
pub(super) fn finds_nothing<'tcx>(tcx: TyCtxt<'tcx>, caller: Instance<'tcx>, what: Vertex<'tcx>) -> bool {
    let is_named = |instance: Instance<'tcx>, name: &str| {
        tcx.opt_item_name(instance.def_id()).is_some_and(|found| found.as_str() == name)
            && tcx.crate_name(instance.def_id().krate) == sym::alloc
    };
    if !is_named(caller, "from_iter_in_place") {
        return false;
    }
    let Some(iterator) = caller.args.types().next().filter(|&iterator| is_exhausted_by_none(tcx, iterator)) else {
        return false;
    };
    match what {
        Vertex::Runs(callee) => is_named(callee, "forget_allocation_drop_remaining"),
        Vertex::Dropped(ty) | Vertex::Held(ty) => ty == iterator,
    }
}

/// Whether an iterator that returned `None` holds nothing any more: it is fused and returns all that it holds.
fn is_exhausted_by_none<'tcx>(tcx: TyCtxt<'tcx>, ty: Ty<'tcx>) -> bool {
    let Some((name, args)) = std_adt(tcx, ty) else { return false };
    match name.as_str() {
        "IntoIter" | "Drain" | "IntoKeys" | "IntoValues" => true,
        "Enumerate" | "Rev" | "Peekable" | "Map" | "Inspect" | "Filter" | "FilterMap" => {
            // What the closure captured would be lost.
            args.types().skip(1).all(|argument| holds_none(argument, &|_| true))
                && args.types().next().is_some_and(|inner| is_exhausted_by_none(tcx, inner))
        }
        _ => false,
    }
}

/// Whether a future is the compiler's, which holds nothing once it is ready; also in a pinned box.
fn is_coroutine(ty: Ty<'_>) -> bool {
    match ty.kind() {
        ty::Coroutine(..) => true,
        ty::Adt(adt, args) if adt.is_box() || adt.is_pin() => args.types().next().is_some_and(is_coroutine),
        _ => false,
    }
}
