//! Which types are linear, and which can hold linear values.
//!
//! A type is *linear* if the crate that defines it implements `wasm::linear::Linear` for it; a type parameter, if its bounds say so.
//! (The implementations that the library has for `Option`, `Vec` and so on say that these are linear parts; what they hold follows from
//! their type arguments here.)
//!
//! Two questions are asked of other types:
//!
//! * [`Types::mentions`]: does a linear type occur anywhere in it, as a type argument, a field, behind a pointer, in a signature? It is a
//!   property of the type alone, and over-approximates everything else: code that works on types none of which mentions a linear type
//!   cannot lose a linear value. It decides what is looked at at all.
//! * [`Types::parts`]: in which parts does a value of the type hold what mentions a linear type? It decides how places are taken apart.
//!
//! Whether a value *owns* a linear value is up to [`super::graph`], since for containers that depends on what their `Drop` does.
//!
//! # Cost
//!
//! Each type is walked once; std's types only by their arguments, for their definitions cannot name a user's type.

use super::content::Part;
use rustc_data_structures::fx::{FxHashMap, FxHashSet};
use rustc_hir::def::DefKind;
use rustc_hir::def_id::{CrateNum, DefId, LOCAL_CRATE};
use rustc_middle::ty::{self, Ty, TyCtxt, TypeVisitableExt, TypingEnv};
use rustc_span::{Symbol, sym};
use std::cell::RefCell;
use std::rc::Rc;

/// More elements of an array are not told apart.
const MOST_ELEMENTS: u64 = 64;

/// The linear types of a crate and of what it depends on.
pub(super) struct Types<'tcx> {
    pub(super) tcx: TyCtxt<'tcx>,
    /// `wasm::linear::Linear`, of each version of the library.
    traits: Vec<DefId>,
    /// Linear structs and enums.
    linear: FxHashSet<DefId>,
    /// Types with an implementation one of whose associated types mentions a linear type: they can make values out of nothing, as an
    /// iterator does.
    makers: FxHashSet<DefId>,
    mentions: RefCell<FxHashMap<(Ty<'tcx>, TypingEnv<'tcx>), bool>>,
    parts: RefCell<FxHashMap<(Ty<'tcx>, TypingEnv<'tcx>), Rc<[Part]>>>,
}

/// The traits `wasm::linear::Linear` that this crate can see. The library itself is not checked: it is what the rules are made of.
pub(super) fn linear_traits(tcx: TyCtxt<'_>) -> Vec<DefId> {
    let wasm = Symbol::intern("wasm");
    tcx.crates(())
        .iter()
        .filter(|&&krate| tcx.crate_name(krate) == wasm)
        .filter_map(|&krate| linear_trait(tcx, krate))
        .collect()
}

fn linear_trait(tcx: TyCtxt<'_>, krate: CrateNum) -> Option<DefId> {
    let child = |module: DefId, name: &str, kind: DefKind| {
        let name = Symbol::intern(name);
        let mut children = tcx.module_children(module).iter().filter(|child| child.ident.name == name);
        children.find_map(|child| child.res.opt_def_id().filter(|&def| tcx.def_kind(def) == kind))
    };
    let module = child(krate.as_def_id(), "linear", DefKind::Mod)?;
    child(module, "Linear", DefKind::Trait)
}

/// Whether a crate belongs to Rust itself, so that its definitions cannot name a user's type.
pub(super) fn is_std(tcx: TyCtxt<'_>, krate: CrateNum) -> bool {
    krate != LOCAL_CRATE
        && (matches!(tcx.crate_name(krate), sym::core | sym::alloc | sym::std)
            || tcx.extern_crate(krate).is_some_and(|by| {
                // hashbrown and its like: crates that only std brought.
                by.dependency_of != LOCAL_CRATE
                    && matches!(tcx.crate_name(by.dependency_of), sym::core | sym::alloc | sym::std)
            }))
}

impl<'tcx> Types<'tcx> {
    /// Collects the linear types; `None` if no crate in sight has any.
    pub(super) fn new(tcx: TyCtxt<'tcx>) -> Option<Self> {
        let traits = linear_traits(tcx);
        if traits.is_empty() {
            return None;
        }
        let mut types = Self {
            tcx,
            linear: FxHashSet::default(),
            makers: FxHashSet::default(),
            mentions: RefCell::default(),
            parts: RefCell::default(),
            traits,
        };
        for &linear in &types.traits {
            for implementation in tcx.all_impls(linear) {
                if let Some(adt) = self_adt(tcx, implementation)
                    && adt.krate == implementation.krate
                {
                    types.linear.insert(adt);
                }
            }
        }
        types.collect_makers();
        Some(types)
    }

    fn collect_makers(&mut self) {
        let tcx = self.tcx;
        let mut makers = FxHashSet::default();
        let crates = tcx.crates(()).iter().copied().chain([LOCAL_CRATE]).filter(|&krate| !is_std(tcx, krate));
        for krate in crates {
            for &implementation in tcx.trait_impls_in_crate(krate) {
                let Some(adt) = self_adt(tcx, implementation) else { continue };
                let makes = tcx.associated_items(implementation).in_definition_order().any(|item| {
                    item.is_type() && {
                        let ty = tcx.type_of(item.def_id).instantiate_identity();
                        self.names_linear(ty)
                    }
                });
                if makes {
                    makers.insert(adt);
                }
            }
        }
        self.makers = makers;
    }

    /// Whether a linear type is named in a type, as it is written.
    fn names_linear(&self, ty: Ty<'tcx>) -> bool {
        ty.walk().any(|part| {
            part.as_type().and_then(|ty| ty.ty_adt_def()).is_some_and(|adt| self.linear.contains(&adt.did()))
        })
    }

    /// The linear structs and enums of this crate, in a stable order.
    pub(super) fn local(&self) -> Vec<DefId> {
        let mut local: Vec<DefId> = self.linear.iter().copied().filter(|adt| adt.is_local()).collect();
        local.sort_by_key(|adt| adt.index);
        local
    }

    /// Whether values of the type as such must be consumed.
    pub(super) fn is_linear(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>) -> bool {
        match ty.kind() {
            ty::Adt(adt, _) => self.linear.contains(&adt.did()),
            ty::Param(_) | ty::Alias(..) => env.param_env.caller_bounds().iter().any(|clause| {
                clause.as_trait_clause().is_some_and(|clause| {
                    self.traits.contains(&clause.def_id()) && clause.self_ty().skip_binder() == ty
                })
            }),
            _ => false,
        }
    }

    /// Whether a linear type occurs anywhere in the type.
    pub(super) fn mentions(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>) -> bool {
        let env = if ty.has_param() { env } else { TypingEnv::fully_monomorphized() };
        if let Some(&known) = self.mentions.borrow().get(&(ty, env)) {
            return known;
        }
        let mut seen = FxHashSet::default();
        let found = self.search(ty, env, &mut seen);
        let mut known = self.mentions.borrow_mut();
        if !found {
            // Everything that was reached from here reaches nothing linear either.
            known.extend(seen.into_iter().map(|ty| ((ty, env), false)));
        }
        known.insert((ty, env), found);
        found
    }

    fn search(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>, seen: &mut FxHashSet<Ty<'tcx>>) -> bool {
        let tcx = self.tcx;
        let mut queue = vec![ty];
        while let Some(ty) = queue.pop() {
            if !seen.insert(ty) {
                continue;
            }
            if self.is_linear(ty, env) {
                return true;
            }
            // The types it is written with.
            for part in ty.walk().skip(1).filter_map(|part| part.as_type()) {
                queue.push(part);
            }
            match *ty.kind() {
                ty::Adt(adt, args) => {
                    if self.makers.contains(&adt.did()) {
                        return true;
                    }
                    if is_std(tcx, adt.did().krate) {
                        continue;
                    }
                    // A type may contain ever larger instances of itself, which name nothing new.
                    if args.types().any(|argument| is_deep(argument)) {
                        continue;
                    }
                    for field in adt.all_fields() {
                        if let Ok(field) = tcx.try_normalize_erasing_regions(env, field.ty(tcx, args)) {
                            queue.push(field);
                        }
                    }
                }
                ty::FnDef(def, args) => {
                    let signature = tcx.fn_sig(def).instantiate(tcx, args).skip_binder();
                    for ty in signature.inputs_and_output {
                        if let Ok(ty) = tcx.try_normalize_erasing_regions(env, ty) {
                            queue.push(ty);
                        }
                    }
                }
                ty::Coroutine(def, args) => queue.extend(self.saved_types(def, args, env)),
                _ => {}
            }
        }
        false
    }

    /// What a suspended coroutine holds besides what it captured.
    pub(super) fn saved_types(
        &self,
        def: DefId,
        args: ty::GenericArgsRef<'tcx>,
        env: TypingEnv<'tcx>,
    ) -> Vec<Ty<'tcx>> {
        let tcx = self.tcx;
        let Ok(layout) = tcx.coroutine_layout(def, args) else { return Vec::new() };
        let instantiated = layout.field_tys.iter().map(|saved| ty::EarlyBinder::bind(saved.ty).instantiate(tcx, args));
        instantiated.filter_map(|ty| tcx.try_normalize_erasing_regions(env, ty).ok()).collect()
    }

    /// The parts of a type that mention linear types and can be taken out of its values; the value itself, if there are none.
    pub(super) fn parts(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>) -> Rc<[Part]> {
        let env = if ty.has_param() { env } else { TypingEnv::fully_monomorphized() };
        if let Some(known) = self.parts.borrow().get(&(ty, env)) {
            return known.clone();
        }
        let parts: Rc<[Part]> = self.compute_parts(ty, env).into();
        self.parts.borrow_mut().insert((ty, env), parts.clone());
        parts
    }

    fn compute_parts(&self, ty: Ty<'tcx>, env: TypingEnv<'tcx>) -> Vec<Part> {
        let tcx = self.tcx;
        if !self.mentions(ty, env) {
            return Vec::new();
        }
        let owning = |ty: Ty<'tcx>| {
            !ty.is_any_ptr() && !matches!(ty.kind(), ty::FnDef(..) | ty::FnPtr(..)) && self.mentions(ty, env)
        };
        let mut parts = Vec::new();
        match *ty.kind() {
            ty::Ref(..) | ty::RawPtr(..) => parts.push(Part::Deref),
            ty::Adt(adt, _) if adt.is_box() => parts.push(Part::Deref),
            ty::Adt(adt, _) if adt.is_phantom_data() || adt.is_union() => {}
            ty::Adt(adt, args) if !adt.has_dtor(tcx) => {
                for (index, variant) in adt.variants().iter_enumerated() {
                    let variant_index = if adt.is_enum() { index.as_u32() } else { 0 };
                    for (field, definition) in variant.fields.iter_enumerated() {
                        let Ok(ty) = tcx.try_normalize_erasing_regions(env, definition.ty(tcx, args)) else { continue };
                        let phantom = ty.ty_adt_def().is_some_and(|adt| adt.is_phantom_data());
                        if owning(ty) && !phantom {
                            parts.push(Part::Field(variant_index, field.as_u32()));
                        }
                    }
                }
                if parts.is_empty() && (self.linear.contains(&adt.did()) || is_std(tcx, adt.did().krate)) {
                    parts.push(Part::Itself);
                }
            }
            ty::Tuple(fields) => self.number(fields, owning, &mut parts),
            ty::Closure(_, args) => self.number(args.as_closure().upvar_tys(), owning, &mut parts),
            ty::CoroutineClosure(_, args) => self.number(args.as_coroutine_closure().upvar_tys(), owning, &mut parts),
            ty::Array(element, length) => match length.try_to_target_usize(tcx) {
                Some(0) => {}
                Some(length) if owning(element) && length <= MOST_ELEMENTS => {
                    parts.extend((0..length).map(Part::Element))
                }
                _ if owning(element) => parts.push(Part::Itself),
                _ => {}
            },
            ty::FnDef(..) | ty::FnPtr(..) | ty::Dynamic(..) => {}
            _ => parts.push(Part::Itself),
        }
        parts
    }

    /// The type of a part.
    pub(super) fn part_type(&self, ty: Ty<'tcx>, part: Part, env: TypingEnv<'tcx>) -> Option<Ty<'tcx>> {
        let tcx = self.tcx;
        match (part, *ty.kind()) {
            (Part::Itself, _) => Some(ty),
            (Part::Deref, ty::Adt(adt, args)) if adt.is_box() => Some(args.type_at(0)),
            (Part::Deref, ty::Ref(_, inner, _) | ty::RawPtr(inner, _)) => Some(inner),
            (Part::Element(_), ty::Array(element, _)) => Some(element),
            (Part::Field(variant, field), ty::Adt(adt, args)) => {
                let variant = adt.variants().get(rustc_abi::VariantIdx::from_u32(variant))?;
                let field = variant.fields.get(rustc_abi::FieldIdx::from_u32(field))?;
                tcx.try_normalize_erasing_regions(env, field.ty(tcx, args)).ok()
            }
            (Part::Field(_, field), ty::Tuple(fields)) => fields.get(field as usize).copied(),
            (Part::Field(_, field), ty::Closure(_, args)) => args.as_closure().upvar_tys().get(field as usize).copied(),
            (Part::Field(_, field), ty::CoroutineClosure(_, args)) => {
                args.as_coroutine_closure().upvar_tys().get(field as usize).copied()
            }
            _ => None,
        }
    }

    fn number(&self, fields: &ty::List<Ty<'tcx>>, owning: impl Fn(Ty<'tcx>) -> bool, parts: &mut Vec<Part>) {
        let owning = fields.iter().enumerate().filter(|(_, ty)| owning(*ty));
        parts.extend(owning.map(|(field, _)| Part::Field(0, field as u32)));
    }
}

/// The struct or enum that an implementation is for.
fn self_adt(tcx: TyCtxt<'_>, implementation: DefId) -> Option<DefId> {
    let ty = tcx.type_of(implementation).instantiate_identity();
    ty.ty_adt_def().map(|adt| adt.did())
}

/// Whether types nest deeper than programs write them.
fn is_deep(ty: Ty<'_>) -> bool {
    ty.walk().nth(256).is_some()
}
