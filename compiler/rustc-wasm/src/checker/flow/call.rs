//! What the flow analysis makes of calls, of functions as values, and of coercions to trait objects.

use super::{Flow, Loss, Promise, State, Use, normalise};
use crate::checker::content::Content;
use crate::checker::known::Known;
use crate::checker::types;
use rustc_data_structures::fx::FxHashSet;
use rustc_hir::def_id::DefId;
use rustc_middle::mir::visit::Visitor;
use rustc_middle::mir::*;
use rustc_middle::ty::adjustment::PointerCoercion;
use rustc_middle::ty::{self, Instance, Ty, TypeVisitableExt};

impl<'tcx> Flow<'_, 'tcx> {
    pub(super) fn call(
        &mut self,
        block: BasicBlock,
        args: &[rustc_span::Spanned<Operand<'tcx>>],
        destination: Option<Place<'tcx>>,
        state: &mut State,
    ) {
        let location = self.body.terminator_loc(block);
        let known = self.known.get(&block).copied();
        let pointee = |argument: usize| {
            let place = args.get(argument)?.node.place()?;
            self.aliases.points_to[place.as_local()?].clone()
        };
        let (first, second) = (pointee(0), pointee(1));
        let first_type =
            args.first().map(|argument| normalise(self.tcx, self.input, argument.node.ty(self.body, self.tcx)));
        let owners: Vec<(Option<Local>, Ty<'tcx>)> = args
            .iter()
            .map(|argument| {
                let ty = normalise(self.tcx, self.input, argument.node.ty(self.body, self.tcx));
                (argument.node.place().map(|place| place.local), ty)
            })
            .filter(|(_, ty)| self.mentions(*ty))
            .collect();
        let contents: Vec<Content> = args.iter().map(|argument| self.operand(&argument.node, state)).collect();
        // A function that is given nothing but empty places has nothing to lose.
        let only_empty = !owners.is_empty()
            && args.iter().zip(&contents).all(|(argument, content)| {
                let ty = normalise(self.tcx, self.input, argument.node.ty(self.body, self.tcx));
                !self.mentions(ty) || (content.is_empty() && !ty.is_any_ptr())
            });
        let full = |flow: &Self| destination.is_some_and(|place| flow.mentions(flow.place_type(place)));
        let mut result = if full(self) { Content::full() } else { Content::empty() };
        let mut promise = None;
        match known {
            Some(Known::Take) => {
                if let Some(path) = &first {
                    result = state.get(path);
                    state.set(path, Content::empty());
                }
            }
            Some(Known::Replace) => {
                if let Some(path) = &first {
                    result = state.get(path);
                    let content = contents.get(1).cloned().unwrap_or_else(Content::full);
                    // `Option::replace` takes what goes into the option.
                    let same = self.path_type(path).is_some_and(|ty| {
                        args.get(1).is_some_and(|argument| {
                            normalise(self.tcx, self.input, argument.node.ty(self.body, self.tcx)) == ty
                        })
                    });
                    let content = if same { content } else { Content::full() };
                    state.promises.retain(|_, promise| promise.path().local != path.local);
                    state.set(path, content);
                }
            }
            Some(Known::Swap) => match (&first, &second) {
                (Some(a), Some(b)) => {
                    let (in_a, in_b) = (state.get(a), state.get(b));
                    state.fill(a);
                    state.fill(b);
                    state.set(a, in_b);
                    state.set(b, in_a);
                }
                (a, b) => a.iter().chain(b).for_each(|path| state.fill(path)),
            },
            Some(Known::EmptyIfFirst) => promise = first.clone().map(Promise::First),
            Some(Known::EmptyIf(truth)) => promise = first.clone().map(|path| Promise::Truth(path, truth)),
            Some(Known::Fresh) => result = Content::empty(),
            Some(Known::Converts) => {
                if contents.first().is_some_and(Content::is_empty) {
                    result = Content::empty();
                }
            }
            Some(Known::Forgets(how)) if self.is_source() && !self.is_consumer() => {
                if let (Some(content), Some(ty)) = (contents.first(), first_type) {
                    let local = owners.first().and_then(|(local, _)| *local);
                    self.event(Loss::Forgotten(how), location, local, content, ty);
                }
            }
            Some(Known::Transmutes) if self.is_source() && !full(self) => {
                if let (Some(content), Some(ty)) = (contents.first(), first_type) {
                    let local = owners.first().and_then(|(local, _)| *local);
                    self.event(Loss::Transmuted, location, local, content, ty);
                }
            }
            Some(Known::Shares) if self.is_source() => {
                if let (Some(content), Some(ty)) = (contents.first(), first_type)
                    && self.may_own_itself(ty)
                {
                    let local = owners.first().and_then(|(local, _)| *local);
                    self.event(Loss::Shared, location, local, content, ty);
                }
            }
            _ => {}
        }
        if let Some(destination) = destination {
            self.write(destination, result, location, state);
            if let (Some(local), Some(promise)) = (destination.as_local(), promise) {
                state.promises.insert(local, promise);
            }
        }
        if !only_empty
            && known != Some(Known::DropsNone)
            && let Some(&(def, args)) = self.callees.get(&block)
        {
            let by_value = owners.iter().find(|(_, ty)| !ty.is_any_ptr()).or(owners.first());
            self.use_of(def, args, location, by_value.and_then(|(local, _)| *local));
        }
    }

    pub(super) fn use_of(
        &mut self,
        def: DefId,
        args: ty::GenericArgsRef<'tcx>,
        location: Location,
        local: Option<Local>,
    ) {
        if let Some(outcome) = &mut self.outcome
            && let Ok(Some(instance)) = Instance::try_resolve(self.tcx, self.input.env, def, args)
        {
            outcome.uses.push(Use { instance, location, local });
        }
    }

    /// Whether an `Rc` of this type can hold another `Rc` of it.
    fn may_own_itself(&self, ty: Ty<'tcx>) -> bool {
        let mut seen = FxHashSet::default();
        let mut queue = vec![ty];
        while let Some(part) = queue.pop() {
            if !seen.insert(part) {
                continue;
            }
            if let ty::Adt(adt, args) = *part.kind() {
                if matches!(self.tcx.item_name(adt.did()).as_str(), "Rc" | "Arc") && args.types().next() == Some(ty) {
                    return true;
                }
                if !types::is_std(self.tcx, adt.did().krate) {
                    for field in adt.all_fields() {
                        queue.extend(self.tcx.try_normalize_erasing_regions(self.env(), field.ty(self.tcx, args)).ok());
                    }
                }
            }
            queue.extend(part.walk().skip(1).filter_map(|part| part.as_type()).take(64));
        }
        false
    }

    // Functions as values, and trait objects.

    /// Functions that a block makes pointers to.
    pub(super) fn function_values(&mut self, block: BasicBlock) {
        for (statement_index, statement) in self.body.basic_blocks[block].statements.iter().enumerate() {
            let StatementKind::Assign(assignment) = &statement.kind else { continue };
            let Rvalue::Cast(CastKind::PointerCoercion(PointerCoercion::ReifyFnPointer(_), _), operand, _) =
                &assignment.1
            else {
                continue;
            };
            let ty = normalise(self.tcx, self.input, operand.ty(self.body, self.tcx));
            if let ty::FnDef(def, args) = *ty.kind()
                && self.mentions(ty)
            {
                self.use_of(def, args, Location { block, statement_index }, None);
            }
        }
        let mut constants = Constants { found: Vec::new() };
        constants.visit_basic_block_data(block, &self.body.basic_blocks[block]);
        for (constant, location) in constants.found {
            for instance in self.functions_in(&constant) {
                if let Some(outcome) = &mut self.outcome {
                    outcome.uses.push(Use { instance, location, local: None });
                }
            }
        }
    }

    /// The functions to which a constant has pointers.
    fn functions_in(&self, constant: &ConstOperand<'tcx>) -> Vec<Instance<'tcx>> {
        let constant_value = normalise(self.tcx, self.input, constant.const_);
        let ty = constant_value.ty();
        if ty.is_fn() && !ty.is_fn_ptr() || ty.has_param() || constant_value.has_param() || !self.mentions(ty) {
            return Vec::new();
        }
        let Ok(value) = constant_value.eval(self.tcx, self.env(), constant.span) else { return Vec::new() };
        let mut queue = match value {
            ConstValue::Scalar(interpret::Scalar::Ptr(pointer, _)) => vec![pointer.provenance.alloc_id()],
            ConstValue::Indirect { alloc_id, .. } | ConstValue::Slice { alloc_id, .. } => vec![alloc_id],
            ConstValue::Scalar(_) | ConstValue::ZeroSized => Vec::new(),
        };
        let (mut seen, mut functions) = (FxHashSet::default(), Vec::new());
        while let Some(allocation) = queue.pop() {
            if !seen.insert(allocation) {
                continue;
            }
            match self.tcx.global_alloc(allocation) {
                interpret::GlobalAlloc::Function { instance } => functions.push(instance),
                interpret::GlobalAlloc::Memory(memory) => {
                    let pointers = memory.inner().provenance().ptrs().values();
                    queue.extend(pointers.map(|provenance| provenance.alloc_id()));
                }
                _ => {}
            }
        }
        functions
    }

    /// A pointer is coerced to one of a trait object or slice.
    pub(super) fn unsized_to(
        &mut self,
        from: Ty<'tcx>,
        to: Ty<'tcx>,
        location: Location,
        local: Option<Local>,
        content: &Content,
    ) {
        let (Some(from_inner), Some(to_inner)) = (pointee(from), pointee(to)) else { return };
        if from_inner.has_param() || to_inner.has_param() {
            return;
        }
        let (from_tail, to_tail) = self.tcx.struct_lockstep_tails_for_codegen(from_inner, to_inner, self.env());
        let ty::Dynamic(bounds, _) = to_tail.kind() else { return };
        if from_tail.is_trait() {
            return;
        }
        if from.is_raw_ptr() {
            // What the library does to move a box to another thread.
            self.event(Loss::Erased, location, local, &Content::full(), from_inner);
        } else {
            self.event(Loss::Erased, location, local, content, from);
        }
        // Its methods are called through the virtual table.
        let Some(principal) = bounds.principal() else { return };
        let implemented = self.tcx.instantiate_bound_regions_with_erased(principal.with_self_ty(self.tcx, from_tail));
        let Some(outcome) = &mut self.outcome else { return };
        for entry in self.tcx.vtable_entries(self.tcx.erase_and_anonymize_regions(implemented)) {
            if let ty::VtblEntry::Method(instance) = entry {
                outcome.uses.push(Use { instance: *instance, location, local });
            }
        }
    }
}

/// Collects the constants of a block.
struct Constants<'tcx> {
    found: Vec<(ConstOperand<'tcx>, Location)>,
}

impl<'tcx> Visitor<'tcx> for Constants<'tcx> {
    fn visit_const_operand(&mut self, constant: &ConstOperand<'tcx>, location: Location) {
        self.found.push((*constant, location));
    }
}

/// What a pointer, box or the like points to.
fn pointee(ty: Ty<'_>) -> Option<Ty<'_>> {
    match *ty.kind() {
        ty::Ref(_, inner, _) | ty::RawPtr(inner, _) => Some(inner),
        ty::Adt(adt, args) if adt.is_pin() => pointee(args.type_at(0)),
        // `Box`, `Rc`, `Arc`, and what else coerces.
        ty::Adt(_, args) => args.types().next(),
        _ => None,
    }
}
