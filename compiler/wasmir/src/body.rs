//! Function bodies: locals, stack slots and a control-flow graph of three-address instructions.
//!
//! # Invariants (checked by the validator)
//! - The first block of the layout is the entry; no edge leads back to it.
//! - Locals `0..num_params` are the parameters; all others start as zero or null, and locals of a
//!   non-nullable reference type are assigned before they are read.
//! - Every range of the operand pool belongs to one instruction, terminator or handler.
//! - A block not in the layout does not exist for the semantics.

use crate::entities::*;
use crate::inst::*;
use crate::types::Type;
use cranelift_entity::PrimaryMap;

/// A region of the activation's frame in linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackSlotData {
    /// Its size in bytes.
    pub size: u32,
    /// The binary logarithm of its alignment.
    pub align_log2: u8,
}

/// A basic block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockData {
    /// The instructions in order.
    pub insts: Vec<Inst>,
    /// Their source locations, one each.
    pub locs: Vec<SrcLoc>,
    /// How the block ends.
    pub term: Terminator,
    /// The terminator's source location.
    pub term_loc: SrcLoc,
}

impl BlockData {
    /// Appends an instruction.
    pub fn push(&mut self, inst: Inst, loc: SrcLoc) {
        self.insts.push(inst);
        self.locs.push(loc);
    }

    /// Makes room for more instructions.
    pub fn reserve(&mut self, more: usize) {
        self.insts.reserve(more);
        self.locs.reserve(more);
    }

    /// Takes over the instructions of `new`, which is left empty; each keeps its memory.
    pub fn replace(&mut self, new: &mut BlockData) {
        self.insts.clear();
        self.insts.extend_from_slice(&new.insts);
        self.locs.clear();
        self.locs.extend_from_slice(&new.locs);
        new.insts.clear();
        new.locs.clear();
    }

    /// Keeps the instructions for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(usize, &Inst) -> bool) -> usize {
        let mut kept = 0;
        for i in 0..self.insts.len() {
            if keep(i, &self.insts[i]) {
                self.insts[kept] = self.insts[i];
                self.locs[kept] = self.locs[i];
                kept += 1;
            }
        }
        let removed = self.insts.len() - kept;
        self.insts.truncate(kept);
        self.locs.truncate(kept);
        removed
    }
}

/// The pools of a body: operand lists, block lists, immediates, wide constants, handlers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    pub(crate) locals: Vec<Local>,
    pub(crate) blocks: Vec<Block>,
    /// Immediates.
    pub imms: PrimaryMap<ImmId, Imm>,
    /// Constants of 128 bits.
    pub wides: PrimaryMap<WideId, u128>,
    /// Lists of exception handlers.
    pub handlers: PrimaryMap<HandlersId, Vec<Handler>>,
}

impl Pool {
    /// Adds a list of results and arguments.
    ///
    /// # Panics
    /// If there are more than 65,535 of either; wasm's implementation limit is 1,000.
    pub fn operands(&mut self, results: &[Local], args: &[Local]) -> Operands {
        let start = self.locals.len() as u32;
        self.locals.extend_from_slice(results);
        self.locals.extend_from_slice(args);
        Operands {
            start,
            results: u16::try_from(results.len()).expect("at most 65,535 results"),
            args: u16::try_from(args.len()).expect("at most 65,535 arguments"),
        }
    }

    /// Adds a list of another pool, with each local replaced.
    pub fn operands_of(
        &mut self,
        from: &Pool,
        list: Operands,
        mut f: impl FnMut(Local) -> Local,
    ) -> Operands {
        let start = self.locals.len() as u32;
        let len = list.results as usize + list.args as usize;
        let old = &from.locals[list.start as usize..][..len];
        self.locals.extend(old.iter().map(|&local| f(local)));
        Operands { start, ..list }
    }

    /// The results of a list.
    pub fn results(&self, ops: Operands) -> &[Local] {
        &self.locals[ops.start as usize..][..ops.results as usize]
    }

    /// The arguments of a list.
    pub fn args(&self, ops: Operands) -> &[Local] {
        &self.locals[ops.start as usize + ops.results as usize..][..ops.args as usize]
    }

    /// The results of a list, to be changed.
    pub fn results_mut(&mut self, ops: Operands) -> &mut [Local] {
        &mut self.locals[ops.start as usize..][..ops.results as usize]
    }

    /// The arguments of a list, to be changed.
    pub fn args_mut(&mut self, ops: Operands) -> &mut [Local] {
        &mut self.locals[ops.start as usize + ops.results as usize..][..ops.args as usize]
    }

    /// Whether the list lies within the pool.
    pub fn contains(&self, ops: Operands) -> bool {
        ops.start as usize + ops.results as usize + ops.args as usize <= self.locals.len()
    }

    /// Adds a list of blocks.
    pub fn block_list(&mut self, blocks: &[Block]) -> BlockList {
        let start = self.blocks.len() as u32;
        self.blocks.extend_from_slice(blocks);
        BlockList {
            start,
            len: blocks.len() as u32,
        }
    }

    /// The blocks of a list.
    pub fn blocks(&self, list: BlockList) -> &[Block] {
        &self.blocks[list.start as usize..][..list.len as usize]
    }

    /// The blocks of a list, to be changed.
    pub fn blocks_mut(&mut self, list: BlockList) -> &mut [Block] {
        &mut self.blocks[list.start as usize..][..list.len as usize]
    }
}

/// A function body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The types of the locals, parameters first.
    pub locals: PrimaryMap<Local, Type>,
    /// How many of the locals are parameters.
    pub num_params: u32,
    /// The first parameter is the address of memory for the function's result: until it returns nobody else reads or writes
    /// that memory, and afterwards it holds anything where the function has not written.
    pub result_param: bool,
    /// The stack slots.
    pub slots: PrimaryMap<StackSlot, StackSlotData>,
    /// Every block ever made.
    pub blocks: PrimaryMap<Block, BlockData>,
    /// The blocks that exist, in order; the first is the entry.
    pub layout: Vec<Block>,
    /// Lists that instructions refer to.
    pub pool: Pool,
}

impl Body {
    /// An empty body with these parameters.
    pub fn new(params: &[Type]) -> Body {
        let mut body = Body {
            num_params: params.len() as u32,
            ..Body::default()
        };
        for &ty in params {
            body.locals.push(ty);
        }
        body
    }

    /// The parameters.
    pub fn params(&self) -> impl Iterator<Item = Local> + use<> {
        (0..self.num_params).map(Local::from_u32)
    }

    /// The entry block.
    pub fn entry(&self) -> Option<Block> {
        self.layout.first().copied()
    }

    /// Calls `f` for every successor of `block`, once per edge.
    pub fn for_each_successor(&self, block: Block, mut f: impl FnMut(Block)) {
        let term = &self.blocks[block].term;
        term.for_each_target(&self.pool, &mut f);
    }

    /// Calls `f` for every local that `block` reads, once per read.
    pub fn for_each_use(&self, block: Block, mut f: impl FnMut(Local)) {
        let data = &self.blocks[block];
        for inst in &data.insts {
            inst.for_each_use(&self.pool, &mut f);
        }
        data.term.for_each_use(&self.pool, f);
    }

    /// How many instructions (terminators included) the body has.
    pub fn num_insts(&self) -> usize {
        self.layout
            .iter()
            .map(|&b| self.blocks[b].insts.len() + 1)
            .sum()
    }
}

impl Inst {
    /// Calls `f` for every local the instruction reads.
    #[inline]
    pub fn for_each_use(&self, pool: &Pool, mut f: impl FnMut(Local)) {
        match *self {
            Inst::Const { .. }
            | Inst::ConstWide { .. }
            | Inst::StackAddr { .. }
            | Inst::SymAddr { .. }
            | Inst::GlobalGet { .. } => {}
            Inst::Copy { src, .. } | Inst::GlobalSet { src, .. } => f(src),
            Inst::Unary { arg, .. } => f(arg),
            Inst::Binary { args, .. } => args.into_iter().for_each(f),
            Inst::Ternary { args, .. } => args.into_iter().for_each(f),
            Inst::Load { addr, .. } => f(addr),
            Inst::Store { addr, value, .. } => {
                f(addr);
                f(value);
            }
            Inst::Op { operands, .. } | Inst::Call { operands, .. } => {
                pool.args(operands).iter().copied().for_each(f);
            }
        }
    }

    /// Calls `f` for every local the instruction writes.
    #[inline]
    pub fn for_each_def(&self, pool: &Pool, mut f: impl FnMut(Local)) {
        match *self {
            Inst::Const { dst, .. }
            | Inst::ConstWide { dst, .. }
            | Inst::StackAddr { dst, .. }
            | Inst::SymAddr { dst, .. }
            | Inst::GlobalGet { dst, .. }
            | Inst::Copy { dst, .. }
            | Inst::Unary { dst, .. }
            | Inst::Binary { dst, .. }
            | Inst::Ternary { dst, .. }
            | Inst::Load { dst, .. } => f(dst),
            Inst::GlobalSet { .. } | Inst::Store { .. } => {}
            Inst::Op { operands, .. } | Inst::Call { operands, .. } => {
                pool.results(operands).iter().copied().for_each(f);
            }
        }
    }

    /// Replaces every local the instruction reads.
    pub fn map_uses(&mut self, pool: &mut Pool, mut f: impl FnMut(Local) -> Local) {
        match self {
            Inst::Const { .. }
            | Inst::ConstWide { .. }
            | Inst::StackAddr { .. }
            | Inst::SymAddr { .. }
            | Inst::GlobalGet { .. } => {}
            Inst::Copy { src, .. } | Inst::GlobalSet { src, .. } => *src = f(*src),
            Inst::Unary { arg, .. } => *arg = f(*arg),
            Inst::Binary { args, .. } => args.iter_mut().for_each(|l| *l = f(*l)),
            Inst::Ternary { args, .. } => args.iter_mut().for_each(|l| *l = f(*l)),
            Inst::Load { addr, .. } => *addr = f(*addr),
            Inst::Store { addr, value, .. } => {
                *addr = f(*addr);
                *value = f(*value);
            }
            Inst::Op { operands, .. } | Inst::Call { operands, .. } => {
                pool.args_mut(*operands).iter_mut().for_each(|l| *l = f(*l));
            }
        }
    }

    /// Replaces every local the instruction writes.
    pub fn map_defs(&mut self, pool: &mut Pool, mut f: impl FnMut(Local) -> Local) {
        match self {
            Inst::Const { dst, .. }
            | Inst::ConstWide { dst, .. }
            | Inst::StackAddr { dst, .. }
            | Inst::SymAddr { dst, .. }
            | Inst::GlobalGet { dst, .. }
            | Inst::Copy { dst, .. }
            | Inst::Unary { dst, .. }
            | Inst::Binary { dst, .. }
            | Inst::Ternary { dst, .. }
            | Inst::Load { dst, .. } => *dst = f(*dst),
            Inst::GlobalSet { .. } | Inst::Store { .. } => {}
            Inst::Op { operands, .. } | Inst::Call { operands, .. } => {
                pool.results_mut(*operands)
                    .iter_mut()
                    .for_each(|l| *l = f(*l));
            }
        }
    }

    /// Whether the instruction can go when none of its results is used.
    pub fn removable_if_unused(&self) -> bool {
        match self {
            Inst::Const { .. }
            | Inst::ConstWide { .. }
            | Inst::Copy { .. }
            | Inst::StackAddr { .. }
            | Inst::SymAddr { .. }
            | Inst::GlobalGet { .. } => true,
            Inst::Unary { op, .. }
            | Inst::Binary { op, .. }
            | Inst::Ternary { op, .. }
            | Inst::Op { op, .. } => op.traits().removable_if_unused(),
            Inst::Load { op, access, .. } => {
                access.is_notrap()
                    && !access.is_volatile()
                    && !op.traits().contains(crate::op::Traits::ATOMIC)
            }
            Inst::Store { .. } | Inst::GlobalSet { .. } | Inst::Call { .. } => false,
        }
    }
}

impl Terminator {
    /// Calls `f` for every local the terminator reads.
    pub fn for_each_use(&self, pool: &Pool, mut f: impl FnMut(Local)) {
        match *self {
            Terminator::Unreachable | Terminator::Jump(_) => {}
            Terminator::BrIf { cond: l, .. }
            | Terminator::BrTable { index: l, .. }
            | Terminator::ThrowRef { exn: l, .. } => f(l),
            Terminator::Return(operands)
            | Terminator::ReturnCall { operands, .. }
            | Terminator::Invoke { operands, .. }
            | Terminator::Throw { operands, .. } => {
                pool.args(operands).iter().copied().for_each(f);
            }
        }
    }

    /// Calls `f` for every local the terminator writes: results of an invoke, which are written on
    /// the edge to `normal`, and what handlers receive, written on the edges to the handlers.
    pub fn for_each_def(&self, pool: &Pool, mut f: impl FnMut(Local)) {
        if let Terminator::Invoke { operands, .. } = *self {
            pool.results(operands).iter().copied().for_each(&mut f);
        }
        if let Some(id) = self.handlers() {
            for handler in &pool.handlers[id] {
                pool.results(handler.payload)
                    .iter()
                    .copied()
                    .for_each(&mut f);
                handler.exnref.into_iter().for_each(&mut f);
            }
        }
    }

    /// Replaces every local the terminator reads.
    pub fn map_uses(&mut self, pool: &mut Pool, mut f: impl FnMut(Local) -> Local) {
        match self {
            Terminator::Unreachable | Terminator::Jump(_) => {}
            Terminator::BrIf { cond: l, .. }
            | Terminator::BrTable { index: l, .. }
            | Terminator::ThrowRef { exn: l, .. } => *l = f(*l),
            Terminator::Return(operands)
            | Terminator::ReturnCall { operands, .. }
            | Terminator::Invoke { operands, .. }
            | Terminator::Throw { operands, .. } => {
                pool.args_mut(*operands).iter_mut().for_each(|l| *l = f(*l));
            }
        }
    }

    /// Replaces every local the terminator writes.
    pub fn map_defs(&mut self, pool: &mut Pool, mut f: impl FnMut(Local) -> Local) {
        let mut results = Vec::new();
        if let Terminator::Invoke { operands, .. } = *self {
            results.push(operands);
        }
        if let Some(id) = self.handlers() {
            for handler in &mut pool.handlers[id] {
                results.push(handler.payload);
                handler.exnref = handler.exnref.map(&mut f);
            }
        }
        for operands in results {
            pool.results_mut(operands)
                .iter_mut()
                .for_each(|l| *l = f(*l));
        }
    }

    /// The handlers of a terminator that may throw inside this function.
    pub fn handlers(&self) -> Option<HandlersId> {
        match *self {
            Terminator::Invoke { handlers, .. } => Some(handlers),
            Terminator::Throw { handlers, .. } | Terminator::ThrowRef { handlers, .. } => {
                handlers.expand()
            }
            _ => None,
        }
    }

    /// Calls `f` for every block control may continue at, once per edge.
    pub fn for_each_target(&self, pool: &Pool, mut f: impl FnMut(Block)) {
        match *self {
            Terminator::Jump(b) => f(b),
            Terminator::BrIf {
                then_to, else_to, ..
            } => {
                f(then_to);
                f(else_to);
            }
            Terminator::BrTable {
                targets, default, ..
            } => {
                pool.blocks(targets).iter().copied().for_each(&mut f);
                f(default);
            }
            Terminator::Invoke { normal, .. } => f(normal),
            _ => {}
        }
        if let Some(id) = self.handlers() {
            pool.handlers[id].iter().for_each(|h| f(h.target));
        }
    }

    /// Replaces every block control may continue at.
    pub fn map_targets(&mut self, pool: &mut Pool, mut f: impl FnMut(Block) -> Block) {
        match self {
            Terminator::Jump(b) => *b = f(*b),
            Terminator::BrIf {
                then_to, else_to, ..
            } => {
                *then_to = f(*then_to);
                *else_to = f(*else_to);
            }
            Terminator::BrTable {
                targets, default, ..
            } => {
                pool.blocks_mut(*targets)
                    .iter_mut()
                    .for_each(|b| *b = f(*b));
                *default = f(*default);
            }
            Terminator::Invoke { normal, .. } => *normal = f(*normal),
            _ => {}
        }
        if let Some(id) = self.handlers() {
            pool.handlers[id]
                .iter_mut()
                .for_each(|h| h.target = f(h.target));
        }
    }
}
