//! Checks bodies.

use super::module::Bounds;
use super::signature::{Signature, reference};
use super::{Place, Subtyping, VerifyError};
use crate::body::Body;
use crate::entities::*;
use crate::inst::*;
use crate::module::*;
use crate::op::{OpClass, Opcode, OperandTy};
use crate::refs::{EntityVisitor, visit_inst, visit_terminator, visit_type};
use crate::types::*;
use cranelift_entity::EntitySet;
use smallvec::SmallVec;

struct Checker<'m, 'e> {
    m: &'m Module,
    s: &'m Subtyping,
    func: Func,
    body: &'m Body,
    /// Parts of the operand pool that are taken.
    taken: Vec<bool>,
    in_layout: EntitySet<Block>,
    at: (Option<Block>, Option<usize>),
    errors: &'e mut Vec<VerifyError>,
}

/// Checks a body for `func`.
pub(super) fn check(
    m: &Module,
    s: &Subtyping,
    func: Func,
    body: &Body,
    errors: &mut Vec<VerifyError>,
) {
    let taken = vec![false; body.pool.locals.len()];
    let (in_layout, at) = (EntitySet::new(), (None, None));
    let before = errors.len();
    let mut c = Checker {
        m,
        s,
        func,
        body,
        taken,
        in_layout,
        at,
        errors,
    };
    if c.shape() {
        for &block in &body.layout {
            c.block(block);
        }
        c.at = (None, None);
        // The data-flow problem is stated in locals and blocks that exist.
        if c.errors.len() == before {
            c.assignment();
        }
    }
}

impl Checker<'_, '_> {
    fn error(&mut self, message: impl Into<String>) {
        let place = match self.at {
            (Some(block), inst) => Place::Block(self.func, block, inst),
            _ => Place::Func(self.func),
        };
        let inst = match self.at {
            (Some(block), Some(i)) => Some(crate::text::print_at(self.m, self.body, block, i)),
            _ => None,
        };
        let func = Some(crate::text::spell_func(self.m, self.func));
        self.errors.push(VerifyError {
            place,
            func,
            inst,
            message: message.into(),
        });
    }

    /// Locals, slots and layout; without these in order the rest cannot be looked at.
    fn shape(&mut self) -> bool {
        let before = self.errors.len();
        let body = self.body;
        let mut bounds = Bounds::new(self.m);
        for ty in body.locals.values() {
            visit_type(&mut ty.clone(), &mut bounds);
        }
        if let Some(missing) = bounds.missing {
            self.error(format!(
                "a local is of type `{missing}`, which does not exist"
            ));
        }
        if let Some(ty) = self.m.func_type(self.func) {
            let count = body.num_params as usize;
            let params = body.locals.values().take(count);
            if count != ty.params.len() || !params.copied().eq(ty.params.iter().copied()) {
                self.error("its parameters are not those of its type");
            }
        }
        let first = body.locals.values().next().filter(|_| body.num_params > 0);
        if body.result_param && !matches!(first, Some(Type::I32 | Type::I64)) {
            self.error("there is no first parameter that could be the address of its result");
        }
        for (slot, data) in body.slots.iter() {
            if data.align_log2 > 31 {
                self.error(format!("the alignment of `{slot}` is too large"));
            }
        }
        let Some(entry) = body.entry() else {
            self.error("there is no block");
            return false;
        };
        for &block in &body.layout {
            if !body.blocks.is_valid(block) {
                self.error(format!("the layout has `{block}`, which does not exist"));
            } else if !self.in_layout.insert(block) {
                self.error(format!("the layout has `{block}` twice"));
            }
        }
        if self.errors.len() > before {
            return false;
        }
        for &block in &body.layout {
            let data = &body.blocks[block];
            self.at = (Some(block), None);
            if data.insts.len() != data.locs.len() {
                self.error("instructions and source locations differ in number");
            }
            if !self.lists_in_range(data) {
                self.error("an instruction refers to a list that does not exist");
                continue;
            }
            let mut bad = None;
            data.term.for_each_target(&body.pool, |b| {
                if !self.in_layout.contains(b) {
                    bad = Some(format!("continues at `{b}`, which is not in the layout"));
                } else if b == entry {
                    bad = Some(format!("continues at `{b}`, the entry"));
                }
            });
            self.at.1 = Some(data.insts.len());
            bad.into_iter().for_each(|message| self.error(message));
        }
        self.errors.len() == before
    }

    fn lists_in_range(&self, data: &crate::body::BlockData) -> bool {
        let pool = &self.body.pool;
        let term = match data.term {
            Terminator::Return(ops)
            | Terminator::ReturnCall { operands: ops, .. }
            | Terminator::Throw { operands: ops, .. }
            | Terminator::Invoke { operands: ops, .. } => pool.contains(ops),
            Terminator::BrTable { targets, .. } => {
                targets.start as usize + targets.len as usize <= pool.blocks.len()
            }
            _ => true,
        };
        let handlers = data.term.handlers().is_none_or(|id| {
            pool.handlers
                .get(id)
                .is_some_and(|h| h.iter().all(|h| pool.contains(h.payload)))
        });
        term && handlers
            && data.insts.iter().all(|inst| match *inst {
                Inst::Call { operands, .. } => pool.contains(operands),
                Inst::Op { operands, imm, .. } => {
                    pool.contains(operands) && imm.expand().is_none_or(|id| pool.imms.is_valid(id))
                }
                Inst::ConstWide { value, .. } => pool.wides.is_valid(value),
                _ => true,
            })
    }

    fn take(&mut self, ops: Operands) {
        let range = ops.start as usize..ops.start as usize + ops.num_results() + ops.num_args();
        if self.taken[range.clone()].iter().any(|taken| *taken) {
            self.error("shares its operands with another instruction");
        }
        self.taken[range].fill(true);
    }

    fn block(&mut self, block: Block) {
        let (m, body) = (self.m, self.body);
        let data = &body.blocks[block];
        for (i, inst) in data.insts.iter().enumerate() {
            self.at = (Some(block), Some(i));
            let mut bad = None;
            let mut local = |l: Local| {
                if !body.locals.is_valid(l) {
                    bad = Some(l.to_string());
                }
            };
            inst.for_each_use(&body.pool, &mut local);
            inst.for_each_def(&body.pool, &mut local);
            if bad.is_none() {
                let mut bounds = Bounds::new(m);
                // The pool is only read: immediates are visited as copies.
                if let Inst::Op { imm, .. } = inst
                    && let Some(id) = imm.expand()
                {
                    crate::refs::visit_imm(&mut body.pool.imms[id].clone(), &mut bounds);
                } else {
                    visit_inst(&mut inst.clone(), &mut Default::default(), &mut bounds);
                }
                bad = bounds.missing;
            }
            match bad {
                Some(missing) => self.error(format!("there is no `{missing}`")),
                None => self.inst(inst),
            }
        }
        self.at = (Some(block), Some(data.insts.len()));
        self.terminator(&data.term);
    }

    fn ty(&self, local: Local) -> Type {
        self.body.locals[local]
    }

    fn want(&mut self, local: Local, want: Type) {
        let found = self.ty(local);
        if !self.s.is_subtype(found, want) {
            self.error(format!("`{local}` is of type `{found}`, not `{want}`"));
        }
    }

    fn gives(&mut self, result: Type, dst: Local) {
        let found = self.ty(dst);
        if !self.s.is_subtype(result, found) {
            self.error(format!(
                "`{dst}` is of type `{found}` and cannot hold `{result}`"
            ));
        }
    }

    fn counts(&mut self, found: usize, want: usize, what: &str) -> bool {
        if found != want {
            let plural = |n: usize| if n == 1 { "" } else { "s" };
            let (values, whats) = (plural(found), plural(want));
            self.error(format!("{found} value{values} for {want} {what}{whats}"));
        }
        found == want
    }

    fn operator(&mut self, op: Opcode, imm: Option<&Imm>, results: &[Local], args: &[Local]) {
        if op.info().class != OpClass::Plain {
            return self.error(format!("`{op}` cannot be used as an operator"));
        }
        if op == Opcode::Select {
            if let (&[dst], &[a, b, c]) = (results, args) {
                self.want(c, Type::I32);
                let dst = self.ty(dst);
                self.want(a, dst);
                self.want(b, dst);
            } else {
                self.error("`select` has three operands and one result");
            }
            return;
        }
        if let Some(&Imm::Memarg(arg) | &Imm::MemargLane(arg, _)) = imm {
            self.memarg(op, arg);
        }
        let sig = match Signature::of(self.m, op, imm) {
            Ok(sig) => sig,
            Err(message) => return self.error(message),
        };
        if !self.counts(args.len(), sig.params.len(), "operand")
            || !self.counts(results.len(), sig.results.len(), "result")
        {
            return;
        }
        for (arg, want) in args.iter().zip(&sig.params) {
            match want {
                Some(want) => self.want(*arg, *want),
                None if !self.ty(*arg).is_ref() => {
                    self.error(format!("`{arg}` is not a reference"));
                }
                None => {}
            }
        }
        let arg_types: SmallVec<[Type; 4]> = args.iter().map(|a| self.ty(*a)).collect();
        let casts = matches!(
            op,
            Opcode::RefTestNonNull
                | Opcode::RefTestNullable
                | Opcode::RefCastNonNull
                | Opcode::RefCastNullable
        );
        if let (true, Some(&Imm::Heap(to)), Some(Type::Ref(from))) = (casts, imm, arg_types.first())
            && self.s.hierarchy(to) != self.s.hierarchy(from.heap)
        {
            self.error(format!(
                "`{}` can never become `{}`",
                Type::Ref(*from),
                Type::Ref(RefType {
                    nullable: false,
                    heap: to
                })
            ));
        }
        for (dst, ty) in results.iter().zip(&sig.results) {
            if let Some(ty) = ty.or_else(|| sig.ref_result(&arg_types)) {
                self.gives(ty, *dst);
            }
        }
        if let Some(&(Imm::Lane(lane) | Imm::MemargLane(_, lane))) = imm {
            let lanes = match op.name().split_once('x') {
                Some((_, rest)) if !op.name().starts_with("v128") => rest
                    .split('.')
                    .next()
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(16),
                _ => 16 / op.access_width().unwrap_or(1),
            };
            if u32::from(lane) >= lanes {
                self.error(format!("there is no lane {lane}"));
            }
        }
        if let Some(Imm::Shuffle(lanes)) = imm
            && lanes.iter().any(|lane| *lane >= 32)
        {
            self.error("a lane of the shuffle is beyond 31");
        }
    }

    fn memarg(&mut self, op: Opcode, arg: MemArg) {
        let width = op.access_width().unwrap_or(1);
        let align = arg.access.align_log2();
        if 1u64
            .checked_shl(u32::from(align))
            .is_none_or(|a| a > u64::from(width))
        {
            self.error("the alignment exceeds the width of the access");
        } else if op.name().contains("atomic") && 1 << align != width {
            self.error("an atomic access must be aligned to its width");
        }
        if !self.m.memories[arg.memory].index64 && arg.offset > u64::from(u32::MAX) {
            self.error("the offset exceeds 32 bits");
        }
    }

    fn access(&mut self, op: Opcode, class: OpClass, addr: Local, value: Local, arg: MemArg) {
        if op.info().class != class {
            return self.error(format!("`{op}` cannot be used here"));
        }
        self.want(addr, self.m.memory_index_type(arg.memory));
        let ty = |t: &OperandTy| {
            if let OperandTy::Val(ty) = t {
                Some(*ty)
            } else {
                None
            }
        };
        let info = op.info();
        match class {
            OpClass::Load => {
                info.results
                    .first()
                    .and_then(ty)
                    .into_iter()
                    .for_each(|t| self.gives(t, value));
            }
            _ => info
                .params
                .get(1)
                .and_then(ty)
                .into_iter()
                .for_each(|t| self.want(value, t)),
        }
        self.memarg(op, arg);
    }

    fn inst(&mut self, inst: &Inst) {
        let (m, body) = (self.m, self.body);
        match *inst {
            Inst::Const { dst, bits } => {
                let width = match self.ty(dst) {
                    Type::Ref(_) | Type::I128 | Type::V128 => {
                        return self.error("only integers up to 64 bits and floats");
                    }
                    ty => ty.bytes().unwrap_or(8) * 8,
                };
                if width < 64 && bits >> width != 0 {
                    self.error("the constant has more bits than its type");
                }
            }
            Inst::ConstWide { dst, .. } => {
                if !matches!(self.ty(dst), Type::I128 | Type::V128) {
                    self.error("a wide constant is `i128` or `v128`");
                }
            }
            Inst::Copy { dst, src } => self.gives(self.ty(src), dst),
            Inst::Unary { op, dst, arg } => self.operator(op, None, &[dst], &[arg]),
            Inst::Binary { op, dst, args } => self.operator(op, None, &[dst], &args),
            Inst::Ternary { op, dst, args } => self.operator(op, None, &[dst], &args),
            Inst::Op { op, imm, operands } => {
                self.take(operands);
                let imm = imm.expand().map(|id| &body.pool.imms[id]);
                let (results, args) = (body.pool.results(operands), body.pool.args(operands));
                if imm.is_none() && results.len() == 1 && (1..=3).contains(&args.len()) {
                    self.error("must be in the shortest form that fits");
                }
                self.operator(op, imm, results, args);
            }
            Inst::Load {
                op,
                access,
                dst,
                addr,
                memory,
                offset,
            } => {
                self.access(
                    op,
                    OpClass::Load,
                    addr,
                    dst,
                    MemArg {
                        memory,
                        offset,
                        access,
                    },
                );
            }
            Inst::Store {
                op,
                access,
                addr,
                value,
                memory,
                offset,
            } => {
                self.access(
                    op,
                    OpClass::Store,
                    addr,
                    value,
                    MemArg {
                        memory,
                        offset,
                        access,
                    },
                );
            }
            Inst::StackAddr { dst, slot, .. } => {
                if !body.slots.is_valid(slot) {
                    self.error(format!("there is no `{slot}`"));
                }
                self.address(dst);
            }
            Inst::SymAddr { dst, item, .. } => {
                if !matches!(item, Item::Func(_) | Item::Data(_) | Item::Global(_)) {
                    self.error("only functions, data and globals have addresses");
                }
                self.address(dst);
            }
            Inst::GlobalGet { dst, global } => self.gives(m.globals[global].ty, dst),
            Inst::GlobalSet { global, src } => {
                if !m.globals[global].mutable {
                    self.error(format!("`{global}` is not mutable"));
                }
                self.want(src, m.globals[global].ty);
            }
            Inst::Call { callee, operands } => {
                self.call(callee, operands, true);
            }
        }
    }

    fn address(&mut self, dst: Local) {
        if !matches!(self.ty(dst), Type::I32 | Type::I64) {
            self.error("an address is `i32` or `i64`");
        }
    }

    /// Checks a call and returns the results of what is called.
    fn call(&mut self, callee: Callee, operands: Operands, has_results: bool) -> Vec<Type> {
        let (m, body) = (self.m, self.body);
        self.take(operands);
        let (ty, last) = match callee {
            Callee::Direct(func) => (m.funcs[func].ty, None),
            Callee::Indirect { table, ty } => (ty, Some(m.table_index_type(table))),
            Callee::Ref(ty) => (ty, reference(true, HeapType::Concrete(ty))),
        };
        let Some(sig) = m.types.func(ty) else {
            self.error(format!("`{ty}` is not a function type"));
            return Vec::new();
        };
        let (args, results) = (body.pool.args(operands), body.pool.results(operands));
        let want = sig.params.len() + usize::from(last.is_some());
        if self.counts(args.len(), want, "parameter") {
            for (arg, want) in args.iter().zip(sig.params.iter().copied().chain(last)) {
                self.want(*arg, want);
            }
        }
        if has_results && self.counts(results.len(), sig.results.len(), "result") {
            for (dst, ty) in results.iter().zip(&sig.results) {
                self.gives(*ty, *dst);
            }
        }
        sig.results.to_vec()
    }

    fn terminator(&mut self, term: &Terminator) {
        let (m, body) = (self.m, self.body);
        let mut bad = None;
        let mut local = |l: Local| {
            if !body.locals.is_valid(l) {
                bad = Some(l.to_string());
            }
        };
        term.for_each_use(&body.pool, &mut local);
        term.for_each_def(&body.pool, &mut local);
        let mut bounds = Bounds::new(m);
        if let Some(id) = term.handlers() {
            body.pool.handlers[id]
                .iter()
                .filter_map(|h| h.tag)
                .for_each(|mut tag| bounds.tag(&mut tag));
        }
        let plain = match term {
            // The pool's handlers have been visited.
            Terminator::Invoke {
                callee, operands, ..
            } => Terminator::ReturnCall {
                callee: *callee,
                operands: *operands,
            },
            Terminator::Throw { tag, operands, .. } => Terminator::Throw {
                tag: *tag,
                operands: *operands,
                handlers: None.into(),
            },
            Terminator::ThrowRef { .. } => Terminator::Unreachable,
            other => *other,
        };
        visit_terminator(&mut plain.clone(), &mut Default::default(), &mut bounds);
        if let Some(missing) = bad.or(bounds.missing) {
            return self.error(format!("there is no `{missing}`"));
        }
        match *term {
            Terminator::Unreachable | Terminator::Jump(_) => {}
            Terminator::BrIf { cond, .. } => self.want(cond, Type::I32),
            Terminator::BrTable { index, .. } => self.want(index, Type::I32),
            Terminator::Return(operands) => {
                self.take(operands);
                let results = m.func_type(self.func).map(|ty| ty.results.to_vec());
                let results = results.unwrap_or_default();
                let args = body.pool.args(operands);
                if self.counts(args.len(), results.len(), "result") {
                    for (arg, want) in args.iter().zip(results) {
                        self.want(*arg, want);
                    }
                }
            }
            Terminator::ReturnCall { callee, operands } => {
                let found = self.call(callee, operands, false);
                let want = m.func_type(self.func).map(|ty| ty.results.to_vec());
                let want = want.unwrap_or_default();
                let fits = found.len() == want.len()
                    && found
                        .iter()
                        .zip(&want)
                        .all(|(a, b)| self.s.is_subtype(*a, *b));
                if !fits {
                    self.error("the results of what is called are not those of the function");
                }
            }
            Terminator::Invoke {
                callee, operands, ..
            } => {
                self.call(callee, operands, true);
            }
            Terminator::Throw { tag, operands, .. } => {
                self.take(operands);
                let params = m
                    .types
                    .func(m.tags[tag].ty)
                    .map(|t| t.params.to_vec())
                    .unwrap_or_default();
                let args = body.pool.args(operands);
                if self.counts(args.len(), params.len(), "value") {
                    for (arg, want) in args.iter().zip(params) {
                        self.want(*arg, want);
                    }
                }
            }
            Terminator::ThrowRef { exn, .. } => self.want(exn, Type::Ref(RefType::EXNREF)),
        }
        if let Some(id) = term.handlers() {
            for handler in &body.pool.handlers[id] {
                self.handler(handler);
            }
        }
    }

    fn handler(&mut self, handler: &Handler) {
        self.take(handler.payload);
        let params = match handler.tag {
            Some(tag) => self
                .m
                .types
                .func(self.m.tags[tag].ty)
                .map(|t| t.params.to_vec()),
            None => None,
        };
        let params = params.unwrap_or_default();
        let payload = self.body.pool.results(handler.payload);
        if self.counts(payload.len(), params.len(), "value") {
            for (dst, ty) in payload.iter().zip(params) {
                self.gives(ty, *dst);
            }
        }
        if let Some(dst) = handler.exnref {
            let heap = HeapType::Abstract {
                shared: false,
                kind: AbstractHeap::Exn,
            };
            self.gives(
                Type::Ref(RefType {
                    nullable: false,
                    heap,
                }),
                dst,
            );
        }
    }

    /// Locals of non-nullable reference types are assigned before they are read: a forward
    /// data-flow problem over the set of locals that are surely assigned.
    fn assignment(&mut self) {
        let body = self.body;
        let tracked: Vec<Local> = body
            .locals
            .iter()
            .filter(|(l, ty)| l.as_u32() >= body.num_params && !ty.is_defaultable())
            .map(|(l, _)| l)
            .collect();
        if tracked.is_empty() {
            return;
        }
        let mut at_start: Vec<Option<EntitySet<Local>>> = vec![None; body.blocks.len()];
        let Some(entry) = body.entry() else { return };
        at_start[entry.as_u32() as usize] = Some(EntitySet::new());
        let mut work = vec![entry];
        while let Some(block) = work.pop() {
            let mut set = at_start[block.as_u32() as usize]
                .clone()
                .unwrap_or_default();
            for inst in &body.blocks[block].insts {
                inst.for_each_def(&body.pool, |l| {
                    set.insert(l);
                });
            }
            // What the terminator writes differs by edge; nothing is claimed for it except on the
            // edge of a return, where the results are.
            let term = &body.blocks[block].term;
            term.for_each_target(&body.pool, |to| {
                let mut set = set.clone();
                match *term {
                    Terminator::Invoke {
                        operands, normal, ..
                    } if normal == to => {
                        body.pool.results(operands).iter().for_each(|l| {
                            set.insert(*l);
                        });
                    }
                    _ => {
                        let handlers = term.handlers().map(|id| &body.pool.handlers[id]);
                        let mut own = handlers.into_iter().flatten().filter(|h| h.target == to);
                        if let (Some(h), None) = (own.next(), own.next()) {
                            body.pool
                                .results(h.payload)
                                .iter()
                                .chain(&h.exnref)
                                .for_each(|l| {
                                    set.insert(*l);
                                });
                        }
                    }
                }
                let slot = &mut at_start[to.as_u32() as usize];
                let changed = match slot {
                    None => {
                        *slot = Some(set);
                        true
                    }
                    Some(old) => {
                        let lost: Vec<Local> = tracked
                            .iter()
                            .copied()
                            .filter(|l| old.contains(*l) && !set.contains(*l))
                            .collect();
                        lost.iter().for_each(|l| {
                            old.remove(*l);
                        });
                        !lost.is_empty()
                    }
                };
                if changed {
                    work.push(to);
                }
            });
        }
        for &block in &body.layout {
            let Some(mut set) = at_start[block.as_u32() as usize].take() else {
                continue;
            };
            let data = &body.blocks[block];
            let unset = |set: &EntitySet<Local>, l: Local, bad: &mut Option<Local>| {
                let tracked = l.as_u32() >= body.num_params && !body.locals[l].is_defaultable();
                if tracked && !set.contains(l) {
                    bad.get_or_insert(l);
                }
            };
            for (i, inst) in data.insts.iter().enumerate() {
                let mut bad = None;
                inst.for_each_use(&body.pool, |l| unset(&set, l, &mut bad));
                inst.for_each_def(&body.pool, |l| {
                    set.insert(l);
                });
                if let Some(l) = bad {
                    self.at = (Some(block), Some(i));
                    self.error(format!("`{l}` may be read before it is assigned"));
                }
            }
            let mut bad = None;
            data.term
                .for_each_use(&body.pool, |l| unset(&set, l, &mut bad));
            if let Some(l) = bad {
                self.at = (Some(block), Some(data.insts.len()));
                self.error(format!("`{l}` may be read before it is assigned"));
            }
        }
    }
}
