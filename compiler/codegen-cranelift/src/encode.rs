//! From structured steps, stack code and locals to the bytes of a function body.
//!
//! First the steps are resolved against what the locals made of the copies: empty blocks are seen through, branches to
//! where control goes anyway vanish, each branch takes the innermost label that leads to its target, arms without code
//! go, and labels without branches with them. Then one walk writes bytes, relocations and source positions.

use crate::env::{Environment, Reloc, RelocKind};
use crate::error::{ErrorKind, Result};
use crate::flow::{Flow, Label, Side, Step};
use crate::leb;
use crate::lir::{Blk, Edge, Imm, Inst, Lir, Symbol, Term, Val};
use crate::locals::Locals;
use crate::ops::Op;
use crate::stackify::{Code, Item};
use cranelift_codegen::ir::SourceLoc;

/// An emitted function body: what goes into the code section after the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionBody {
    /// Locals, code and the final `end`.
    pub bytes: Vec<u8>,
    /// Fields that a linker patches (only in relocatable mode).
    pub relocs: Vec<Reloc>,
    /// Byte offset and source location, ascending; a location holds until the next.
    pub locations: Vec<(u32, SourceLoc)>,
}

/// How far up an equivalent label is looked for.
const LABEL_SEARCH: usize = 64;

/// Conditional traps from which on a shared `unreachable` is smaller.
const SHARED_TRAP_MIN: usize = 3;

pub(crate) struct Encoder<'a> {
    pub(crate) lir: &'a Lir,
    pub(crate) code: &'a Code,
    pub(crate) flow: &'a Flow,
    pub(crate) locals: &'a Locals,
    pub(crate) env: &'a dyn Environment,
    /// Result types of the function.
    pub(crate) results: &'a [wasm_encoder::ValType],
    /// There are results that `results` does not show.
    pub(crate) opaque_results: bool,
}

/// Where a branch goes after resolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Label(Label),
    /// The function's own label.
    Function,
}

/// A resolved step.
#[derive(Clone, Copy, Debug)]
enum Out {
    Nop,
    Block(Label),
    Loop(Label),
    If(Label, Blk, bool),
    Else,
    End(Label),
    Body(Blk),
    Copies(Blk, Side),
    Br(Target),
    BrIf(Target, Blk, Side),
    Table(Blk),
    /// The block's results are on the stack; `true` when `return` is not needed.
    Return(bool),
}

struct Open {
    label: Label,
    /// Control can reach the construct.
    reachable: bool,
    /// Control can reach the `end` from an earlier arm, or around an `if` without `else`.
    end_reached: bool,
    is_if: bool,
    /// What falls out of the function may fall out of this on the way.
    passes: bool,
    /// Place of the `if` in the output.
    place: usize,
    /// Place of the `else` in the output.
    else_place: Option<usize>,
}

impl Encoder<'_> {
    fn edge(&self, block: Blk, side: Side) -> Option<Edge> {
        match self.lir.blocks[block].term {
            Term::Branch { then, other, .. } => Some(if side == Side::Then { then } else { other }),
            _ => None,
        }
    }

    /// The copies of an edge that the locals left to be made.
    fn copies(&self, block: Blk, side: Side) -> Vec<(Val, Val)> {
        let Some(edge) = self.edge(block, side) else {
            return Vec::new();
        };
        let params = &self.lir.blocks[edge.to].params;
        let args = self.lir.edge_args(edge).iter();
        args.zip(params)
            .filter(|&(&v, &p)| {
                v != Lir::undef() && v != p && (self.is_constant(v) || !self.locals.same(v, p))
            })
            .map(|(&v, &p)| (v, p))
            .collect()
    }

    fn has_copies(&self, block: Blk, side: Side) -> bool {
        !self.copies(block, side).is_empty()
    }

    fn is_constant(&self, v: Val) -> bool {
        self.lir
            .sole_def(v)
            .is_some_and(|i| self.lir.is_constant(i))
    }

    fn is_empty(&self, block: Blk) -> bool {
        self.code.block(block).iter().all(|item| match *item {
            Item::EdgeGet(v, p) | Item::EdgeSet(p, Some(v)) => self.locals.same(v, p),
            _ => false,
        })
    }

    /// For each step: the step where control really goes from there.
    fn continuations(&self) -> Vec<u32> {
        let steps = &self.flow.steps;
        let n = steps.len();
        let mut cont = vec![0u32; n + 1];
        cont[n] = n as u32;
        for i in (0..n).rev() {
            let next = cont[i + 1];
            cont[i] = match steps[i] {
                Step::End(_) | Step::Nop | Step::Block(_) => next,
                Step::Else(l) => cont[self.label_end(l)],
                Step::Body(b) if self.is_empty(b) => next,
                Step::Copies(b, side) if !self.has_copies(b, side) => next,
                Step::Br(l) => self.label_target(l, &cont),
                Step::Return(_) if self.results.is_empty() => n as u32,
                _ => i as u32,
            };
        }
        cont
    }

    fn label_end(&self, l: Label) -> usize {
        self.flow.labels[l as usize].end as usize
    }

    fn label_target(&self, l: Label, cont: &[u32]) -> u32 {
        let data = &self.flow.labels[l as usize];
        if data.is_loop {
            data.start
        } else {
            cont[data.end as usize]
        }
    }

    fn resolve(&self, cont: &[u32], wrapped: bool) -> (Vec<Out>, Vec<u32>, Vec<Target>) {
        let n = self.flow.steps.len() as u32;
        let mut out: Vec<Out> = Vec::with_capacity(self.flow.steps.len());
        let mut uses = vec![0u32; self.flow.labels.len()];
        let mut tables: Vec<Target> = vec![Target::Function; self.flow.switch_labels.len()];
        let mut open: Vec<Open> = Vec::new();
        let mut reachable = true;
        // How many of the open constructs stop what would fall out of the function.
        let mut stops = 0usize;
        // A branch to the step `t`, originally to `l`.
        let pick = |open: &[Open], l: Label, t: u32, uses: &mut Vec<u32>| -> Target {
            if t == n && self.results.is_empty() && !wrapped {
                return Target::Function;
            }
            for o in open.iter().rev().take(LABEL_SEARCH) {
                if o.label == l || self.label_target(o.label, cont) == t {
                    uses[o.label as usize] += 1;
                    return Target::Label(o.label);
                }
            }
            uses[l as usize] += 1;
            Target::Label(l)
        };
        let typed_tail =
            |l: Label| self.results.len() == 1 && !wrapped && cont[self.label_end(l)] == n;
        for (i, &step) in self.flow.steps.iter().enumerate() {
            let next = cont[i + 1];
            let live = reachable;
            let resolved = match step {
                Step::Nop => Out::Nop,
                Step::Block(l) | Step::Loop(l) | Step::If(l, ..) => {
                    let passes = !live || self.results.is_empty() || typed_tail(l);
                    stops += usize::from(!passes);
                    open.push(Open {
                        label: l,
                        reachable: live,
                        end_reached: false,
                        is_if: matches!(step, Step::If(..)),
                        passes,
                        place: out.len(),
                        else_place: None,
                    });
                    match step {
                        _ if !live => Out::Nop,
                        Step::Block(l) => Out::Block(l),
                        Step::Loop(l) => Out::Loop(l),
                        Step::If(l, b, negated) => Out::If(l, b, negated),
                        _ => Out::Nop,
                    }
                }
                Step::Else(_) => {
                    let place = out.len();
                    if let Some(o) = open.last_mut() {
                        o.end_reached |= reachable;
                        o.else_place = Some(place);
                        reachable = o.reachable;
                        if o.reachable { Out::Else } else { Out::Nop }
                    } else {
                        Out::Nop
                    }
                }
                Step::End(l) => {
                    let Some(o) = open.pop() else { continue };
                    stops -= usize::from(!o.passes);
                    let first_falls = o.end_reached;
                    let used = uses[l as usize] > 0;
                    let is_loop = self.flow.labels[l as usize].is_loop;
                    let second_falls = reachable;
                    reachable |= o.end_reached
                        || (!is_loop && used)
                        || (o.is_if && o.else_place.is_none() && o.reachable);
                    if o.is_if && o.reachable {
                        self.tidy_if(
                            &mut out,
                            &o,
                            l,
                            first_falls,
                            second_falls,
                            used,
                            typed_tail(l),
                        )
                    } else if o.reachable {
                        Out::End(l)
                    } else {
                        Out::Nop
                    }
                }
                _ if !live => Out::Nop,
                Step::Body(b) => {
                    if matches!(self.lir.blocks[b].term, Term::Diverge) {
                        reachable = false;
                    }
                    Out::Body(b)
                }
                Step::Copies(b, side) => Out::Copies(b, side),
                Step::Br(l) => {
                    let t = self.label_target(l, cont);
                    if t == next {
                        Out::Nop
                    } else {
                        reachable = false;
                        Out::Br(pick(&open, l, t, &mut uses))
                    }
                }
                Step::BrIf(l, b, side) => {
                    let t = self.label_target(l, cont);
                    Out::BrIf(pick(&open, l, t, &mut uses), b, side)
                }
                Step::Table(b) => {
                    if let Term::Switch { start, len, .. } = self.lir.blocks[b].term {
                        for k in start..start + len {
                            let l = self.flow.switch_labels[k as usize];
                            let t = self.label_target(l, cont);
                            tables[k as usize] = pick(&open, l, t, &mut uses);
                        }
                    }
                    reachable = false;
                    Out::Table(b)
                }
                Step::Return(_) => {
                    let tail = next == n && !wrapped;
                    if tail && stops == 0 {
                        // The values stay on the stack and fall out of the function.
                        reachable = self.results.is_empty();
                        Out::Return(true)
                    } else {
                        reachable = false;
                        Out::Return(false)
                    }
                }
            };
            out.push(resolved);
        }
        (out, uses, tables)
    }

    /// Removes arms without code, and the `else` after an arm that does not fall out of it.
    #[expect(
        clippy::too_many_arguments,
        reason = "facts about one `if`; private to this file"
    )]
    fn tidy_if(
        &self,
        out: &mut [Out],
        o: &Open,
        l: Label,
        first_falls: bool,
        second_falls: bool,
        used: bool,
        typed: bool,
    ) -> Out {
        let Some(e) = o.else_place else {
            return Out::End(l);
        };
        let empty = |range: &[Out]| {
            range.iter().all(|s| match *s {
                Out::Nop => true,
                Out::Body(b) => {
                    self.is_empty(b) && !matches!(self.lir.blocks[b].term, Term::Branch { .. })
                }
                Out::Copies(b, side) => !self.has_copies(b, side),
                _ => false,
            })
        };
        if typed {
            return Out::End(l);
        }
        if second_falls && empty(&out[e + 1..]) {
            out[e] = Out::Nop;
        } else if first_falls && empty(&out[o.place + 1..e]) {
            out[e] = Out::Nop;
            if let Out::If(l, b, negated) = out[o.place] {
                out[o.place] = Out::If(l, b, !negated);
            }
        } else if !first_falls && !used {
            // The second arm follows the `if`, where its branches find one label fewer.
            out[e] = Out::End(l);
            return Out::Nop;
        }
        Out::End(l)
    }

    /// Encodes the function.
    pub(crate) fn encode(&self) -> Result<FunctionBody> {
        let traps = self
            .flow
            .steps
            .iter()
            .filter_map(|s| if let Step::Body(b) = s { Some(self.code.block(*b)) } else { None })
            .flatten()
            .filter(|i| matches!(i, Item::Op(inst) if matches!(self.lir.insts[*inst].op, Op::TRAP_IF | Op::TRAP_IF_ZERO)))
            .count();
        let wrapped = traps >= SHARED_TRAP_MIN;
        let cont = self.continuations();
        let (out, uses, tables) = self.resolve(&cont, wrapped);
        let n = self.flow.steps.len() as u32;
        let mut w = Writer {
            e: self,
            body: FunctionBody::default(),
            stack: Vec::new(),
            position: vec![0; self.flow.labels.len()],
            trap: wrapped,
            tables: &tables,
            loc: SourceLoc::default(),
        };
        leb::unsigned(&mut w.body.bytes, self.locals.runs.len() as u64);
        for &(count, ty) in &self.locals.runs {
            leb::unsigned(&mut w.body.bytes, u64::from(count));
            wasm_encoder::Encode::encode(&ty, &mut w.body.bytes);
        }
        if wrapped {
            w.body.bytes.extend([0x02, 0x40]);
        }
        let kept = |l: Label| uses[l as usize] > 0;
        let typed = |l: Label| self.results.len() == 1 && !wrapped && cont[self.label_end(l)] == n;
        // True while the last thing written leaves its values (or cannot be passed).
        let mut closed_untyped = false;
        for &step in &out {
            match step {
                Out::Nop => continue,
                Out::Block(l) if !kept(l) => continue,
                Out::Loop(l) if !kept(l) => continue,
                // What is open is closed in order: a label that is not the innermost was never opened.
                Out::End(l) if !kept(l) && w.stack.last() != Some(&l) => continue,
                _ => {}
            }
            closed_untyped = false;
            match step {
                Out::Nop => {}
                Out::Block(l) | Out::Loop(l) => {
                    let opcode = if matches!(step, Out::Block(_)) {
                        0x02
                    } else {
                        0x03
                    };
                    w.open(l, opcode, typed(l));
                }
                Out::If(l, b, negated) => {
                    w.condition(b, negated)?;
                    w.open(l, 0x04, typed(l));
                }
                Out::Else => w.body.bytes.push(0x05),
                Out::End(l) => {
                    w.stack.pop();
                    w.body.bytes.push(0x0b);
                    closed_untyped = !typed(l);
                }
                Out::Body(b) => w.block(b)?,
                Out::Copies(b, side) => {
                    let copies = self.copies(b, side);
                    w.make_copies(&copies)?;
                }
                Out::Br(t) => w.br(t),
                Out::BrIf(t, b, side) => w.br_if(t, b, side)?,
                Out::Table(b) => w.table(b),
                Out::Return(elided) => {
                    if !elided {
                        w.body.bytes.push(0x0f);
                    }
                }
            }
        }
        if wrapped {
            w.body.bytes.extend([0x0b, 0x00]);
        } else if closed_untyped && (self.opaque_results || !self.results.is_empty()) {
            w.body.bytes.push(0x00);
        }
        w.body.bytes.push(0x0b);
        Ok(w.body)
    }
}

struct Writer<'a, 'b> {
    e: &'a Encoder<'b>,
    body: FunctionBody,
    /// Open labels.
    stack: Vec<Label>,
    /// Height of each open label.
    position: Vec<u32>,
    /// A shared trap block encloses everything.
    trap: bool,
    tables: &'a [Target],
    loc: SourceLoc,
}

impl Writer<'_, '_> {
    fn open(&mut self, l: Label, opcode: u8, typed: bool) {
        self.body.bytes.push(opcode);
        match self.e.results.first() {
            Some(ty) if typed => wasm_encoder::Encode::encode(ty, &mut self.body.bytes),
            _ => self.body.bytes.push(0x40),
        }
        self.position[l as usize] = self.stack.len() as u32;
        self.stack.push(l);
    }

    fn depth(&self, t: Target) -> u32 {
        match t {
            Target::Label(l) => self.stack.len() as u32 - 1 - self.position[l as usize],
            Target::Function => self.stack.len() as u32 + u32::from(self.trap),
        }
    }

    fn br(&mut self, t: Target) {
        if t == Target::Function {
            self.body.bytes.push(0x0f);
            return;
        }
        self.body.bytes.push(0x0c);
        let depth = self.depth(t);
        leb::unsigned(&mut self.body.bytes, u64::from(depth));
    }

    fn br_if(&mut self, t: Target, b: Blk, side: Side) -> Result<()> {
        self.condition(b, side == Side::Other)?;
        let copies = self.e.copies(b, side);
        let depth = u64::from(self.depth(t));
        if copies.is_empty() {
            self.body.bytes.push(0x0d);
            leb::unsigned(&mut self.body.bytes, depth);
            return Ok(());
        }
        self.body.bytes.extend([0x04, 0x40]);
        self.make_copies(&copies)?;
        self.body.bytes.push(0x0c);
        leb::unsigned(&mut self.body.bytes, depth + 1);
        self.body.bytes.push(0x0b);
        Ok(())
    }

    fn table(&mut self, b: Blk) {
        let Term::Switch { start, len, .. } = self.e.lir.blocks[b].term else {
            return;
        };
        self.body.bytes.push(0x0e);
        leb::unsigned(&mut self.body.bytes, u64::from(len) - 1);
        for k in start..start + len {
            let depth = self.depth(self.tables[k as usize]);
            leb::unsigned(&mut self.body.bytes, u64::from(depth));
        }
    }

    fn make_copies(&mut self, copies: &[(Val, Val)]) -> Result<()> {
        for &(v, _) in copies {
            match self.e.lir.sole_def(v) {
                Some(inst) if self.e.lir.is_constant(inst) => self.op(inst)?,
                _ => self.local(0x20, v),
            }
        }
        for &(_, p) in copies.iter().rev() {
            self.local(0x21, p);
        }
        Ok(())
    }

    fn local(&mut self, opcode: u8, v: Val) {
        self.body.bytes.push(opcode);
        leb::unsigned(&mut self.body.bytes, u64::from(self.e.locals.get(v)));
    }

    /// The block's code; a condition at the end is left for its branch.
    fn block(&mut self, b: Blk) -> Result<()> {
        let items = self.e.code.block(b);
        let items = match self.e.lir.blocks[b].term {
            Term::Branch { .. } => &items[..items.len().saturating_sub(1)],
            _ => items,
        };
        let mut skip = false;
        for (i, &item) in items.iter().enumerate() {
            if std::mem::take(&mut skip) {
                continue;
            }
            // A value that only passes from one local to the stack again.
            if let (Item::Set(v), Some(Item::Get(g))) = (item, items.get(i + 1))
                && v == *g
            {
                self.local(0x22, v);
                skip = true;
                continue;
            }
            self.item(item)?;
        }
        let loc = self.e.lir.blocks[b].loc;
        self.locate(loc);
        Ok(())
    }

    fn locate(&mut self, loc: SourceLoc) {
        if !loc.is_default() && loc != self.loc {
            self.loc = loc;
            self.body
                .locations
                .push((self.body.bytes.len() as u32, loc));
        }
    }

    fn item(&mut self, item: Item) -> Result<()> {
        match item {
            Item::Op(inst) => self.op(inst)?,
            Item::Get(v) => self.local(0x20, v),
            Item::Set(v) => self.local(0x21, v),
            Item::Tee(v) => self.local(0x22, v),
            Item::Drop => self.body.bytes.push(0x1a),
            Item::EdgeGet(v, p) => {
                if !self.e.locals.same(v, p) {
                    self.local(0x20, v);
                }
            }
            Item::EdgeSet(p, from) => {
                if !from.is_some_and(|v| self.e.locals.same(v, p)) {
                    self.local(0x21, p);
                }
            }
        }
        Ok(())
    }

    /// The condition of a branch, negated or not.
    fn condition(&mut self, b: Blk, negated: bool) -> Result<()> {
        let Some(&item) = self.e.code.block(b).last() else {
            return Err(ErrorKind::Invalid("branch without a condition".into()));
        };
        if !negated {
            return self.item(item);
        }
        if let Item::Op(inst) = item {
            let op = self.e.lir.insts[inst].op;
            if op == Op::I32_EQZ {
                return Ok(());
            }
            if let Some(inverted) = op.inverted() {
                inverted.encode(&mut self.body.bytes);
                return Ok(());
            }
        }
        self.item(item)?;
        self.body.bytes.push(0x45);
        Ok(())
    }

    fn reloc(&mut self, kind: RelocKind, target: u32, addend: i64) {
        let offset = self.body.bytes.len() as u32;
        self.body.relocs.push(Reloc {
            offset,
            kind,
            target,
            addend,
        });
    }

    /// An unsigned index field, relocatable if need be.
    fn index(&mut self, kind: RelocKind, index: u32) {
        if self.e.env.relocatable() {
            self.reloc(kind, index, 0);
            leb::unsigned_padded(&mut self.body.bytes, u64::from(index), 5);
        } else {
            leb::unsigned(&mut self.body.bytes, u64::from(index));
        }
    }

    fn op(&mut self, inst: Inst) -> Result<()> {
        let data = &self.e.lir.insts[inst];
        self.locate(data.loc);
        match data.op {
            Op::SIDE => return self.side(data.imm),
            Op::PIN_GET => {
                if let Imm::Index(i) = data.imm {
                    self.pinned(0x20, i);
                }
                return Ok(());
            }
            Op::SYMBOL => {
                return self.symbol(
                    data.imm,
                    self.e.lir.vals[data.first].ty == crate::lir::Ty::I64,
                );
            }
            Op::TRAP_IF | Op::TRAP_IF_ZERO => {
                if data.op == Op::TRAP_IF_ZERO {
                    self.body.bytes.push(0x45);
                }
                if self.trap {
                    self.body.bytes.push(0x0d);
                    let depth = self.stack.len() as u64;
                    leb::unsigned(&mut self.body.bytes, depth);
                } else {
                    self.body.bytes.extend([0x04, 0x40, 0x00, 0x0b]);
                }
                return Ok(());
            }
            _ => {}
        }
        data.op.encode(&mut self.body.bytes);
        match data.imm {
            Imm::None => {}
            Imm::Const(c) => match data.op {
                Op::F32_CONST => self.body.bytes.extend((c as u32).to_le_bytes()),
                Op::F64_CONST => self.body.bytes.extend(c.to_le_bytes()),
                _ => leb::signed(&mut self.body.bytes, c),
            },
            Imm::Wide(i) => self.body.bytes.extend(self.e.lir.wide[i as usize]),
            Imm::Mem {
                offset,
                align,
                memory,
                lane,
            } => {
                let flags = u64::from(align) | if memory != 0 { 0x40 } else { 0 };
                leb::unsigned(&mut self.body.bytes, flags);
                if memory != 0 {
                    leb::unsigned(&mut self.body.bytes, u64::from(memory));
                }
                leb::unsigned(&mut self.body.bytes, offset);
                if lane != 255 {
                    self.body.bytes.push(lane);
                }
            }
            Imm::Lane(lane) => self.body.bytes.push(lane),
            Imm::Index(i) => {
                let kind = match data.op {
                    Op::CALL | Op::RETURN_CALL => Some(RelocKind::Func),
                    Op::GLOBAL_GET | Op::GLOBAL_SET => Some(RelocKind::Global),
                    _ => None,
                };
                match kind {
                    Some(kind) => self.index(kind, i),
                    None => leb::unsigned(&mut self.body.bytes, u64::from(i)),
                }
            }
            Imm::Indirect { ty, table } => {
                self.index(RelocKind::Type, ty);
                self.index(RelocKind::Table, table);
            }
            Imm::Symbol(_) => {
                return Err(ErrorKind::Invalid("symbol immediate on an operator".into()));
            }
        }
        Ok(())
    }

    fn symbol(&mut self, imm: Imm, wide: bool) -> Result<()> {
        let Imm::Symbol(i) = imm else { return Ok(()) };
        self.body.bytes.push(if wide { 0x42 } else { 0x41 });
        let width = if wide { 10 } else { 5 };
        match self.e.lir.symbols[i as usize] {
            Symbol::Data(target, addend) => {
                if self.e.env.relocatable() {
                    self.reloc(
                        if wide {
                            RelocKind::MemAddrSleb64
                        } else {
                            RelocKind::MemAddrSleb
                        },
                        target,
                        addend,
                    );
                    leb::signed_padded(&mut self.body.bytes, 0, width);
                } else {
                    let base =
                        self.e.env.data_address(target).ok_or_else(|| {
                            ErrorKind::UnknownName(format!("data symbol {target}"))
                        })?;
                    let address = base.wrapping_add(addend);
                    leb::signed(
                        &mut self.body.bytes,
                        if wide {
                            address
                        } else {
                            i64::from(address as i32)
                        },
                    );
                }
            }
            Symbol::Func(target) => {
                if self.e.env.relocatable() {
                    let kind = if wide {
                        RelocKind::TableSlot64
                    } else {
                        RelocKind::TableSlot
                    };
                    self.reloc(kind, target, 0);
                    leb::signed_padded(&mut self.body.bytes, 0, width);
                } else {
                    let slot = self.e.env.table_slot(target).ok_or_else(|| {
                        ErrorKind::UnknownName(format!("table slot of function {target}"))
                    })?;
                    leb::signed(&mut self.body.bytes, i64::from(slot));
                }
            }
        }
        Ok(())
    }

    fn side(&mut self, imm: Imm) -> Result<()> {
        let Imm::Index(i) = imm else { return Ok(()) };
        let op = self
            .e
            .env
            .side_op(i)
            .ok_or_else(|| ErrorKind::UnknownName(format!("side operator {i}")))?;
        let mut relocs = op.relocs.iter().peekable();
        let mut done = 0;
        let ends = op.locals.iter().map(|l| (l.offset, Some(l)));
        for (end, local) in ends.chain([(op.code.len() as u32, None)]) {
            let start = self.body.bytes.len() as u32;
            let bytes = &mut self.body.bytes;
            bytes.extend_from_slice(&op.code[done as usize..end as usize]);
            while let Some(r) = relocs.next_if(|r| r.offset < end) {
                let offset = r.offset - done + start;
                self.body.relocs.push(Reloc { offset, ..*r });
            }
            match local {
                Some(local) if local.write => self.pinned(0x21, local.pinned),
                Some(local) => self.pinned(0x20, local.pinned),
                None => {}
            }
            done = end;
        }
        // Results in pinned locals: they are on top of those that are values.
        for local in op.results.iter().rev().flatten() {
            self.pinned(0x21, *local);
        }
        Ok(())
    }

    /// A read or write of a pinned local.
    fn pinned(&mut self, opcode: u8, pinned: u32) {
        let locals = self.e.locals;
        self.body.bytes.push(opcode);
        leb::unsigned(
            &mut self.body.bytes,
            u64::from(locals.pinned[pinned as usize]),
        );
        if opcode == 0x20 && locals.asserted[pinned as usize] {
            self.body.bytes.push(0xd4);
        }
    }
}
