//! From structured steps, stack code and locals to the bytes of a function body.
//!
//! First the steps are resolved ([`crate::resolve`]); then one walk writes bytes, relocations and source positions, and leaves
//! out labels without branches.

use crate::env::{Environment, Reloc, RelocKind};
use crate::error::{ErrorKind, Result};
use crate::flow::{Flow, Label, Side, Step};
use crate::leb;
use crate::lir::{Blk, Imm, Inst, Lir, Symbol, Term, Val};

use crate::locals::Locals;
use crate::ops::Op;
use crate::resolve::{Copies, Out, Resolved, Target};
use crate::results::Entry;
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

impl Encoder<'_> {
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
        let Resolved {
            out,
            uses,
            tables,
            types,
        } = self.resolve(&cont, wrapped);
        let mut w = Writer {
            e: self,
            body: FunctionBody::default(),
            stack: Vec::new(),
            position: vec![0; self.flow.labels.len()],
            trap: wrapped,
            tables: &tables,
            types: &types,
            on_stack: None,
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
        // The last thing written is the end of a construct that leaves no value.
        let mut closed_untyped = false;
        let dropped = |step: Out| match step {
            Out::Nop => true,
            Out::Block(l) | Out::Loop(l) => !kept(l),
            _ => false,
        };
        for (place, &step) in out.iter().enumerate() {
            match step {
                _ if dropped(step) => continue,
                // What is open is closed in order: a label that is not the innermost was never opened.
                Out::End(l) if !kept(l) && w.stack.last() != Some(&l) => continue,
                _ => {}
            }
            // Constructs that end at one place have one type, so nothing falls from an untyped one to the end of one that leaves a value.
            // The engine, which knows nothing of that, has to be told.
            if closed_untyped
                && matches!(step, Out::Else | Out::End(_))
                && w.stack.last().is_some_and(|&l| types[l as usize].is_some())
            {
                w.body.bytes.push(0x00);
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
                    w.open(l, opcode);
                }
                Out::If(l, b, negated) => {
                    w.condition(b, negated)?;
                    w.open(l, 0x04);
                }
                Out::Else => w.body.bytes.push(0x05),
                Out::End(l) => {
                    w.stack.pop();
                    w.body.bytes.push(0x0b);
                    closed_untyped = types[l as usize].is_none();
                }
                Out::Enter(b) => {
                    let next = out[place + 1..].iter().find(|&&step| !dropped(step));
                    w.enter(b, matches!(next, Some(&Out::Body(next)) if next == b));
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
    types: &'a [Option<wasm_encoder::ValType>],
    /// A value that the next item reads is on the stack already.
    on_stack: Option<Entry>,
    loc: SourceLoc,
}

impl Writer<'_, '_> {
    fn open(&mut self, l: Label, opcode: u8) {
        self.body.bytes.push(opcode);
        match self.types[l as usize] {
            Some(ty) => wasm_encoder::Encode::encode(&ty, &mut self.body.bytes),
            None => self.body.bytes.push(0x40),
        }
        self.position[l as usize] = self.stack.len() as u32;
        self.stack.push(l);
    }

    /// The value that a block finds on the stack: left there if the block's code follows at once and begins by reading it, else
    /// put into its local.
    fn enter(&mut self, b: Blk, follows: bool) {
        let Some(entry) = self.e.code.entry(b) else {
            return;
        };
        let first = self.e.code.block(b).first();
        if follows && first == Some(&Item::Get(entry.param)) {
            self.on_stack = Some(entry);
        } else {
            self.local(0x21, entry.param);
        }
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
        if copies.list.is_empty() {
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

    /// Makes copies; what the next block finds on the stack stays there.
    fn make_copies(&mut self, copies: &Copies) -> Result<()> {
        for &(v, _) in &copies.list {
            match self.e.lir.sole_def(v) {
                Some(inst) if self.e.lir.is_constant(inst) => self.op(inst)?,
                _ => self.local(0x20, v),
            }
        }
        for &(_, p) in copies.list.iter().rev() {
            if copies.stays != Some(p) {
                self.local(0x21, p);
            }
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
            Item::Get(v) => match self.on_stack.take_if(|entry| entry.param == v) {
                Some(entry) if entry.once => {}
                Some(_) => self.local(0x22, v),
                None => self.local(0x20, v),
            },
            Item::Set(v) => self.local(0x21, v),
            Item::Tee(v) => self.local(0x22, v),
            Item::Drop => self.body.bytes.push(0x1a),
            Item::Leave => {}
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
