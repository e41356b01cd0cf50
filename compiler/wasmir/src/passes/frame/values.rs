//! The abstract interpretation: which locals are a known distance from a frame or a parameter.
//!
//! ```text
//!                 Other                    may be anything
//!      /      |          |            |            \
//!  Const(k)  Ptr(sp, k)  Ptr(slot, k)  Ptr(param, k)     exactly that
//!      \      |          |            |            /
//!                 Unset                    not assigned (yet)
//! ```
//!
//! Each local and each promotable range of bytes has one value for the whole body, the join of all that is
//! assigned to it; the stack pointer has one value at each point. A pointer that is joined with
//! anything else, or used by anything that is not followed here, escapes.

use super::Context;
use super::moves::Moves;
use super::regions::{Base, Frames, Region};
use super::summary::{ParamUse, Summary};
use crate::analysis::{possibly_unassigned, reverse_postorder};
use crate::body::{BlockData, Body, Pool};
use crate::entities::{Block, Local, Memory};
use crate::inst::{Access, Callee, Imm, Inst, Operands, Terminator};
use crate::op::Opcode;
use crate::types::Type;
use cranelift_entity::SecondaryMap;

/// Rounds after which a body is left alone.
const MAX_ROUNDS: usize = 24;

/// An abstract value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Value {
    /// Never assigned.
    #[default]
    Unset,
    /// This `i32`.
    Const(i32),
    /// This distance from a base.
    Ptr(Base, i32),
    /// Anything.
    Other,
}

/// A load or store whose address is in a region.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameAccess {
    /// The region.
    pub(super) region: Region,
    /// The first byte, relative to the stack pointer at entry or to the start of the stack slot.
    pub(super) offset: i32,
    /// The number of bytes.
    pub(super) width: u32,
}

/// The finished interpretation of a body.
#[derive(Debug)]
pub(super) struct Analysis {
    values: SecondaryMap<Local, Value>,
    /// The stack pointer at the start of each block.
    stack_in: SecondaryMap<Block, Value>,
    /// The bytes of all regions.
    pub(super) frames: Frames,
    /// What is copied.
    pub(super) moves: Moves,
    params: Vec<ParamUse>,
    returns: Value,
    /// Something does not look like code of the convention.
    foreign: bool,
    /// The stack pointer is read.
    reads_stack: bool,
    changes: u64,
}

impl Analysis {
    /// Interprets `body`; `None` if it does not settle or does not follow the convention.
    pub(super) fn of(body: &Body, context: &Context<'_>) -> Option<Analysis> {
        let mut analysis = Analysis {
            values: SecondaryMap::new(),
            stack_in: SecondaryMap::new(),
            frames: Frames::new(body),
            moves: Moves::of(body, context),
            params: vec![ParamUse::UNUSED; body.num_params as usize],
            returns: Value::Unset,
            foreign: false,
            reads_stack: false,
            changes: 0,
        };
        analysis.values.resize(body.locals.len());
        analysis.stack_in.resize(body.blocks.len());
        for (i, param) in body.params().enumerate() {
            analysis.values[param] = match body.locals[param] {
                Type::I32 => Value::Ptr(Base::Param(i as u32), 0),
                _ => Value::Other,
            };
        }
        let order = reverse_postorder(body);
        for local in possibly_unassigned(body, &order).iter() {
            analysis.values[local] = match body.locals[local] {
                Type::I32 => Value::Const(0),
                _ => Value::Other,
            };
        }
        analysis.stack_in[body.entry()?] = Value::Ptr(Base::Stack, 0);
        let mut walker = Walker {
            analysis: &mut analysis,
            body,
            context,
        };
        // Most instructions have said all they ever will after one round; the others, and where each block's begin.
        let mut open: Vec<u32> = Vec::new();
        let mut starts: Vec<u32> = Vec::with_capacity(order.len() + 1);
        for &block in &order {
            starts.push(open.len() as u32);
            walker.first_visit(block, &mut open);
        }
        starts.push(open.len() as u32);
        // Once every block was visited since the last change, nothing more will change.
        let mut unchanged = 0;
        let mut before = walker.total_changes();
        for _ in 1..MAX_ROUNDS {
            for (&block, bounds) in order.iter().zip(starts.windows(2)) {
                walker.visit(block, &open[bounds[0] as usize..bounds[1] as usize]);
                let after = walker.total_changes();
                unchanged = if after == before { unchanged + 1 } else { 0 };
                before = after;
                if unchanged == order.len() {
                    return (!analysis.foreign).then_some(analysis);
                }
            }
        }
        None
    }

    /// What is known of a local.
    pub(super) fn value(&self, local: Local) -> Value {
        self.values[local]
    }

    /// The frame bytes that a plain access of `width` bytes at `addr + offset` touches.
    pub(super) fn frame_access(&self, addr: Local, offset: u64, width: u32) -> Option<FrameAccess> {
        let Value::Ptr(base, from) = self.values[addr] else {
            return None;
        };
        let region = Region::of(base)?;
        let offset = i32::try_from(i64::from(from) + i64::try_from(offset).ok()?).ok()?;
        Some(FrameAccess {
            region,
            offset,
            width,
        })
    }

    /// What the function does with its parameters.
    pub(super) fn summary(&self) -> Summary {
        let returns = match self.returns {
            Value::Ptr(Base::Param(param), offset) => Some((param, offset)),
            _ => None,
        };
        Summary {
            params: self.params.clone(),
            returns,
        }
    }

    /// What the stack pointer is at the start of `block`.
    pub(super) fn stack_at(&self, block: Block) -> Value {
        self.stack_in[block]
    }

    /// Whether any local can hold an address in a frame.
    pub(super) fn reads_stack(&self) -> bool {
        self.reads_stack
    }

    /// Whether an access reaches beyond its region.
    pub(super) fn is_outside(&self, body: &Body, access: FrameAccess) -> bool {
        let end = i64::from(access.offset) + i64::from(access.width);
        match access.region.slot() {
            None => end > 0,
            Some(slot) => access.offset < 0 || end > i64::from(body.slots[slot].size),
        }
    }

    pub(super) fn escape(&mut self, value: Value) {
        match value {
            Value::Ptr(Base::Stack, offset) => self.frames.region_mut(Region::STACK).escape(offset),
            // One address of a slot reaches all of it.
            Value::Ptr(base @ Base::Slot(_), _) => {
                if let Some(region) = Region::of(base) {
                    self.frames.region_mut(region).escape(0);
                }
            }
            Value::Ptr(Base::Param(param), _) => {
                let entry = &mut self.params[param as usize];
                self.changes += u64::from(*entry != ParamUse::Escapes);
                *entry = ParamUse::Escapes;
            }
            Value::Unset | Value::Const(_) | Value::Other => {}
        }
    }

    /// The join of two values; pointers that it forgets escape.
    pub(super) fn join(&mut self, a: Value, b: Value) -> Value {
        match (a, b) {
            (Value::Unset, v) | (v, Value::Unset) => v,
            (a, b) if a == b => a,
            (a, b) => {
                self.escape(a);
                self.escape(b);
                Value::Other
            }
        }
    }

    fn assign(&mut self, local: Local, value: Value) {
        match (self.values[local], value) {
            (_, Value::Unset) => return,
            (Value::Other, value) => return self.escape(value),
            (Value::Unset, value) => self.values[local] = value,
            (old, value) if old == value => return,
            (old, value) => self.values[local] = self.join(old, value),
        }
        self.changes += 1;
    }

    /// A block is entered with this stack pointer.
    fn enter(&mut self, block: Block, stack: Value) {
        let joined = match (self.stack_in[block], stack) {
            (Value::Unset, v) | (v, Value::Unset) => v,
            (a, b) if a == b => a,
            _ => Value::Other,
        };
        if self.stack_in[block] != joined {
            self.stack_in[block] = joined;
            self.changes += 1;
        }
    }

    /// A pointer is used to access the bytes `low..high` around it.
    pub(super) fn touch(&mut self, pointer: Value, low: i64, high: i64) {
        let Value::Ptr(base, offset) = pointer else {
            return;
        };
        let (low, high) = (i64::from(offset) + low, i64::from(offset) + high);
        let (Ok(low), Ok(high)) = (i32::try_from(low), i32::try_from(high)) else {
            return self.escape(pointer);
        };
        match base {
            Base::Stack | Base::Slot(_) => {
                if let Some(region) = Region::of(base) {
                    self.frames.region_mut(region).reside(low, high);
                }
            }
            Base::Param(param) => {
                let old = self.params[param as usize];
                self.params[param as usize].widen(low, high);
                self.changes += u64::from(self.params[param as usize] != old);
            }
        }
    }
}

/// One round's walk.
pub(super) struct Walker<'a, 'b> {
    pub(super) analysis: &'a mut Analysis,
    pub(super) body: &'a Body,
    pub(super) context: &'a Context<'b>,
}

impl Walker<'_, '_> {
    fn total_changes(&self) -> u64 {
        self.analysis.changes + self.analysis.moves.changes + self.analysis.frames.changes()
    }

    fn value(&self, local: Local) -> Value {
        self.analysis.values[local]
    }

    fn pool(&self) -> &Pool {
        &self.body.pool
    }

    /// Walks through a block for the first time; `open` gets the places of the instructions to visit again.
    fn first_visit(&mut self, block: Block, open: &mut Vec<u32>) {
        let data: &BlockData = &self.body.blocks[block];
        let mut stack = self.analysis.stack_in[block];
        for (place, inst) in (0..).zip(&data.insts) {
            self.inst(inst, &mut stack);
            if !self.is_settled(inst) {
                open.push(place);
            }
        }
        self.leave(block, stack);
    }

    /// Walks through what is still open of a block.
    fn visit(&mut self, block: Block, open: &[u32]) {
        let data: &BlockData = &self.body.blocks[block];
        let mut stack = self.analysis.stack_in[block];
        for &place in open {
            self.inst(&data.insts[place as usize], &mut stack);
        }
        self.leave(block, stack);
    }

    /// Whether walking over an instruction again can change nothing: its operands are no pointers and will not become
    /// any, and its results are as unknown as they get.
    fn is_settled(&self, inst: &Inst) -> bool {
        match *inst {
            Inst::Const { .. }
            | Inst::ConstWide { .. }
            | Inst::StackAddr { .. }
            | Inst::SymAddr { .. } => true,
            Inst::GlobalGet { global, .. } => !self.context.is_stack_pointer(global),
            Inst::Store { value, .. } if self.analysis.moves.carried(value).is_some() => false,
            Inst::GlobalSet { global, .. } if self.context.is_stack_pointer(global) => false,
            _ => {
                let mut settled = true;
                inst.for_each_use(self.pool(), |local| {
                    settled &= matches!(self.value(local), Value::Other | Value::Const(_));
                });
                inst.for_each_def(self.pool(), |local| {
                    settled &= self.value(local) == Value::Other
                });
                settled
            }
        }
    }

    /// Ends a block with this stack pointer.
    fn leave(&mut self, block: Block, stack: Value) {
        let term = &self.body.blocks[block].term;
        self.terminator(term);
        match term.handlers() {
            None => {
                let body = self.body;
                body.for_each_successor(block, |to| self.analysis.enter(to, stack));
            }
            Some(handlers) => {
                if let Terminator::Invoke { normal, .. } = *term {
                    self.analysis.enter(normal, stack);
                }
                // Who throws leaves the stack pointer where it was.
                for handler in &self.body.pool.handlers[handlers] {
                    self.analysis.enter(handler.target, Value::Other);
                }
            }
        }
    }

    fn inst(&mut self, inst: &Inst, stack: &mut Value) {
        match *inst {
            Inst::Const { dst, bits } => {
                let value = match self.body.locals[dst] {
                    Type::I32 => Value::Const(bits as i32),
                    _ => Value::Other,
                };
                self.analysis.assign(dst, value);
            }
            Inst::Copy { dst, src } => self.analysis.assign(dst, self.value(src)),
            Inst::GlobalGet { dst, global } if self.context.is_stack_pointer(global) => {
                self.analysis.reads_stack = true;
                if let Value::Ptr(Base::Stack, offset) = *stack {
                    self.analysis
                        .frames
                        .region_mut(Region::STACK)
                        .border(offset);
                }
                self.analysis.assign(dst, *stack);
            }
            Inst::GlobalSet { global, src } if self.context.is_stack_pointer(global) => {
                *stack = match self.value(src) {
                    value @ (Value::Ptr(Base::Stack, _) | Value::Unset) => value,
                    value => {
                        // A stack of a parameter's choosing: not what compilers make of a function.
                        self.analysis.foreign |= matches!(value, Value::Ptr(..));
                        Value::Other
                    }
                };
            }
            Inst::Binary { op, dst, args } => self.binary(op, dst, args),
            Inst::Unary { op, dst, arg } => {
                // Comparisons tell nothing about where a pointer leads.
                if op != Opcode::I32Eqz {
                    self.analysis.escape(self.value(arg));
                }
                self.analysis.assign(dst, Value::Other);
            }
            Inst::Ternary {
                op: Opcode::Select,
                dst,
                args: [a, b, _],
            } => {
                let (a, b) = (self.value(a), self.value(b));
                let value = self.analysis.join(a, b);
                self.analysis.assign(dst, value);
            }
            Inst::Load {
                op,
                access,
                dst,
                addr,
                memory,
                offset,
            } => {
                let value = self.load(op, access, dst, addr, memory, offset);
                self.analysis.assign(dst, value);
            }
            Inst::Store {
                op,
                access,
                addr,
                value,
                memory,
                offset,
            } => {
                self.store(op, access, addr, value, memory, offset);
            }
            Inst::Op { op, imm, operands } => {
                self.bulk(op, imm.expand().map(|i| self.pool().imms[i]), operands);
            }
            Inst::Call { callee, operands } => self.call(callee, operands),
            Inst::StackAddr { dst, slot, offset } if self.body.locals[dst] == Type::I32 => {
                self.analysis
                    .assign(dst, Value::Ptr(Base::Slot(slot), offset));
            }
            Inst::StackAddr { dst, slot, .. } => {
                // A slot of a 64-bit memory.
                self.analysis.escape(Value::Ptr(Base::Slot(slot), 0));
                self.analysis.assign(dst, Value::Other);
            }
            Inst::ConstWide { .. } | Inst::SymAddr { .. } | Inst::GlobalGet { .. } => {
                self.define_unknown(inst);
            }
            Inst::Ternary { .. } | Inst::GlobalSet { .. } => {
                inst.for_each_use(&self.body.pool, |local| {
                    self.analysis.escape(self.analysis.values[local])
                });
                self.define_unknown(inst);
            }
        }
    }

    fn define_unknown(&mut self, inst: &Inst) {
        inst.for_each_def(&self.body.pool, |local| {
            self.analysis.assign(local, Value::Other)
        });
    }

    fn binary(&mut self, op: Opcode, dst: Local, [a, b]: [Local; 2]) {
        use Opcode::*;
        let (x, y) = (self.value(a), self.value(b));
        let result = match (op, x, y) {
            (_, Value::Unset, _) | (_, _, Value::Unset) => return,
            (I32Add, Value::Ptr(base, p), Value::Const(k))
            | (I32Add, Value::Const(k), Value::Ptr(base, p)) => {
                self.offset(base, p, p.checked_add(k))
            }
            (I32Sub, Value::Ptr(base, p), Value::Const(k)) => {
                self.offset(base, p, p.checked_sub(k))
            }
            (I32Add, Value::Const(x), Value::Const(y)) => Some(Value::Const(x.wrapping_add(y))),
            (I32Sub, Value::Const(x), Value::Const(y)) => Some(Value::Const(x.wrapping_sub(y))),
            // A distance or an order is no way back to the memory.
            (I32Sub, Value::Ptr(p, _), Value::Ptr(q, _)) if p == q => Some(Value::Other),
            (
                I32Eq | I32Ne | I32LtS | I32LtU | I32GtS | I32GtU | I32LeS | I32LeU | I32GeS
                | I32GeU,
                ..,
            ) => Some(Value::Other),
            _ => None,
        };
        let result = result.unwrap_or_else(|| {
            self.analysis.escape(x);
            self.analysis.escape(y);
            Value::Other
        });
        self.analysis.assign(dst, result);
    }

    /// The pointer at `to`, reached from `from`. A step down from the stack pointer makes a frame; any other
    /// step down stays in one object.
    fn offset(&mut self, base: Base, from: i32, to: Option<i32>) -> Option<Value> {
        let to = to?;
        if base == Base::Stack && to < from {
            self.analysis
                .frames
                .region_mut(Region::STACK)
                .frame(to, from);
        }
        Some(Value::Ptr(base, to))
    }

    /// The bytes of an access that could become one of a local; every other access through a
    /// pointer is recorded as touching memory.
    fn plain(
        &mut self,
        op: Opcode,
        access: Access,
        addr: Local,
        memory: Memory,
        offset: u64,
    ) -> Option<FrameAccess> {
        let pointer = self.value(addr);
        let width = op.access_width().unwrap_or(16);
        if memory != self.context.memory {
            self.analysis.escape(pointer);
            return None;
        }
        let Ok(start) = i64::try_from(offset) else {
            self.analysis.escape(pointer);
            return None;
        };
        match self.analysis.frame_access(addr, offset, width) {
            Some(found) if self.analysis.is_outside(self.body, found) => {
                match found.region {
                    // Above the frame: the caller's memory, which no compiled function reaches this way.
                    Region::STACK => self.analysis.foreign = true,
                    _ => self.analysis.escape(pointer),
                }
                None
            }
            Some(found) if !access.is_volatile() && super::promote::is_plain(op) => Some(found),
            _ => {
                self.analysis
                    .touch(pointer, start, start + i64::from(width));
                None
            }
        }
    }

    fn load(
        &mut self,
        op: Opcode,
        access: Access,
        dst: Local,
        addr: Local,
        memory: Memory,
        offset: u64,
    ) -> Value {
        let carried = self.analysis.moves.carried(dst).is_some();
        let Some(found) = self.plain(op, access, addr, memory, offset) else {
            self.pick_up(dst, None);
            return Value::Other;
        };
        let ty = super::promote::moved_type(op).filter(|_| !carried);
        let slots = self.analysis.frames.region_mut(found.region);
        slots.access(found.offset, found.width, true, ty);
        if carried {
            self.pick_up(dst, Some(found));
            return Value::Other;
        }
        match op {
            Opcode::I32Load if slots.is_whole(found.offset, found.width) => {
                if slots.promotable(found.offset, found.width) {
                    return slots.value(found.offset);
                }
            }
            _ => self.escape_held(found),
        }
        Value::Other
    }

    fn store(
        &mut self,
        op: Opcode,
        access: Access,
        addr: Local,
        value: Local,
        memory: Memory,
        offset: u64,
    ) {
        let stored = self.value(value);
        let carried = self.analysis.moves.carried(value).is_some();
        let Some(found) = self.plain(op, access, addr, memory, offset) else {
            self.put_down(value, None);
            return self.analysis.escape(stored);
        };
        let ty = super::promote::moved_type(op).filter(|_| !carried);
        let slots = self.analysis.frames.region_mut(found.region);
        slots.access(found.offset, found.width, false, ty);
        if carried {
            return self.put_down(value, Some(found));
        }
        let promotable = slots.promotable(found.offset, found.width);
        if op == Opcode::I32Store && promotable && slots.is_whole(found.offset, found.width) {
            let old = slots.value(found.offset);
            let new = self.analysis.join(old, stored);
            let slots = self.analysis.frames.region_mut(found.region);
            return slots.set_value(found.offset, new);
        }
        self.analysis.escape(stored);
        // Also what the slots were thought to keep to themselves until now.
        self.arrive(found, None);
    }

    /// Operators with lists of operands; copies and fills of known length touch known bytes.
    fn bulk(&mut self, op: Opcode, imm: Option<Imm>, operands: Operands) {
        if self.bulk_move(op, imm, operands) {
            return;
        }
        let args = self.pool().args(operands).to_vec();
        let here = self.context.memory;
        let pointers = match (op, imm) {
            (Opcode::MemoryCopy, Some(Imm::MemoryMemory(a, b))) if a == here && b == here => 2,
            (Opcode::MemoryFill, Some(Imm::Memory(a))) if a == here => 1,
            _ => 0,
        };
        for (i, &arg) in args.iter().enumerate() {
            let value = self.value(arg);
            match args.last().map(|&length| self.value(length)) {
                Some(Value::Unset) if i < pointers => {}
                Some(Value::Const(length)) if i < pointers => {
                    self.analysis.touch(value, 0, i64::from(length as u32));
                }
                _ => self.analysis.escape(value),
            }
        }
        for i in 0..operands.num_results() {
            let local = self.pool().results(operands)[i];
            self.analysis.assign(local, Value::Other);
        }
    }

    fn call(&mut self, callee: Callee, operands: Operands) {
        let context = self.context;
        let summary = match callee {
            Callee::Direct(func) => context.callees.summary(func),
            Callee::Indirect { .. } | Callee::Ref(_) => None,
        };
        for i in 0..operands.num_args() {
            let value = self.value(self.pool().args(operands)[i]);
            match summary.map_or(ParamUse::Escapes, |s| s.param(i)) {
                ParamUse::Within { low, high } if low < high => {
                    self.analysis.touch(value, i64::from(low), i64::from(high));
                }
                ParamUse::Within { .. } => {}
                ParamUse::Escapes => self.analysis.escape(value),
            }
        }
        for i in 0..operands.num_results() {
            let local = self.pool().results(operands)[i];
            let returned =
                summary
                    .and_then(|s| s.returns)
                    .filter(|_| i == 0)
                    .map(|(param, offset)| {
                        let arg = self
                            .pool()
                            .args(operands)
                            .get(param as usize)
                            .map(|&arg| self.value(arg));
                        match arg {
                            Some(Value::Ptr(base, p)) => {
                                p.checked_add(offset).map(|p| Value::Ptr(base, p))
                            }
                            Some(Value::Unset) => Some(Value::Unset),
                            _ => Some(Value::Other),
                        }
                    });
            let value = match returned {
                Some(Some(value)) => value,
                Some(None) => {
                    // The sum does not fit; then it is no pointer into a frame we know of.
                    self.analysis.foreign = true;
                    Value::Other
                }
                None => Value::Other,
            };
            self.analysis.assign(local, value);
        }
    }

    /// The first result is not always the same parameter.
    fn returns_anything(&mut self) {
        let joined = self.analysis.join(self.analysis.returns, Value::Other);
        self.analysis.changes += u64::from(joined != self.analysis.returns);
        self.analysis.returns = joined;
    }

    fn terminator(&mut self, term: &Terminator) {
        match *term {
            Terminator::Return(operands) => {
                for i in 0..operands.num_args() {
                    let value = self.value(self.pool().args(operands)[i]);
                    if i == 0 && matches!(value, Value::Ptr(Base::Param(_), _) | Value::Unset) {
                        let joined = self.analysis.join(self.analysis.returns, value);
                        self.analysis.changes += u64::from(joined != self.analysis.returns);
                        self.analysis.returns = joined;
                        continue;
                    }
                    self.analysis.escape(value);
                    if i == 0 {
                        self.returns_anything();
                    }
                }
            }
            Terminator::ReturnCall { callee, operands } => {
                // The frame is gone when the callee runs; a pointer into it would dangle.
                self.call(callee, operands);
                self.returns_anything();
            }
            Terminator::Invoke {
                callee, operands, ..
            } => self.call(callee, operands),
            Terminator::Throw { operands, .. } => {
                for i in 0..operands.num_args() {
                    self.analysis
                        .escape(self.value(self.pool().args(operands)[i]));
                }
            }
            Terminator::Unreachable
            | Terminator::Jump(_)
            | Terminator::BrIf { .. }
            | Terminator::BrTable { .. }
            | Terminator::ThrowRef { .. } => {}
        }
        if let Some(handlers) = term.handlers() {
            for handler in &self.body.pool.handlers[handlers] {
                for &local in self.body.pool.results(handler.payload) {
                    self.analysis.assign(local, Value::Other);
                }
                if let Some(local) = handler.exnref {
                    self.analysis.assign(local, Value::Other);
                }
            }
        }
    }
}
