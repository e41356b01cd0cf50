//! Instruction selection: CLIF to [`Lir`](crate::lir::Lir), legalising as it goes.
//!
//! # Input
//! A CLIF function after the mid-end: reachable blocks only, aliases resolved.
//! # Algorithm
//! One walk over the dominator tree in preorder, so definitions come before uses. Each CLIF value becomes one LIR
//! value, or two for `i128` (low half first). `i8` and `i16` live in `i32`s whose upper bits are whatever the
//! computation left there; [`Ext`] records when they are known to be a zero or sign extension, and the extension is
//! computed only where the upper bits matter. Pure operators are numbered in a scoped table, which also undoes the
//! mid-end's rematerialisation where repeating costs more bytes than a local.
//! # Invariants
//! Constants belong to no block: tree building repeats them at each use. Every other instruction is in
//! the block of the CLIF instruction it came from, in the same order as far as effects go.
//! # Cost
//! O(instructions); the table's scopes are undone by a log.

mod calls;
pub use calls::abi_types;
mod float;
mod int;
mod mem;
mod narrow;
mod vector;
mod wide;

use crate::env::Environment;
use crate::error::{ErrorKind, Result};
use crate::lir::{Blk, Def, Imm, Inst, Lir, Symbol, Term, Ty, Val};
use crate::ops::{Effects, Op};
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::ir::{
    self, Block, BlockCall, Function, InstructionData, Opcode, SourceLoc, Type, Value, types,
};
use cranelift_entity::{SecondaryMap, packed_option::PackedOption, packed_option::ReservedValue};
use rustc_hash::FxHashMap;

/// What is known of the bits above a narrow integer's width.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ext(u8);

impl Ext {
    const ANY: Ext = Ext(0);
    const ZERO: Ext = Ext(1);
    const SIGN: Ext = Ext(2);
    const BOTH: Ext = Ext(3);

    fn zero(self) -> bool {
        self.0 & 1 != 0
    }
    fn sign(self) -> bool {
        self.0 & 2 != 0
    }
    fn and(self, other: Ext) -> Ext {
        Ext(self.0 & other.0)
    }
}

type Key = (Op, Imm, [Val; 3]);

/// Memory that selection reuses from function to function.
#[derive(Default)]
pub struct Scratch {
    map: SecondaryMap<Value, [PackedOption<Val>; 2]>,
    ext: SecondaryMap<Value, Ext>,
    uses: SecondaryMap<Value, u32>,
    blocks: SecondaryMap<Block, PackedOption<Blk>>,
    table: FxHashMap<Key, (Val, Blk)>,
    undo: Vec<(Key, Option<(Val, Blk)>)>,
    consts: FxHashMap<(Op, Imm), Val>,
}

struct Selector<'a> {
    func: &'a Function,
    env: &'a dyn Environment,
    lir: &'a mut Lir,
    s: &'a mut Scratch,
    block: Blk,
    loc: SourceLoc,
    frame: Option<Frame>,
}

/// The shadow stack frame of a function with stack slots.
struct Frame {
    pointer: Val,
    size: u32,
    global: u32,
    offsets: Vec<u32>,
}

/// Builds `lir` from `func`.
pub fn select(
    func: &Function,
    domtree: &DominatorTree,
    env: &dyn Environment,
    lir: &mut Lir,
    s: &mut Scratch,
) -> Result<()> {
    lir.clear();
    // Room for all at once: growing by one value after the other would cost more than what is selected.
    let (values, blocks) = (func.dfg.num_values(), func.dfg.num_blocks());
    s.map.clear();
    s.map.resize(values);
    s.ext.clear();
    s.ext.resize(values);
    s.uses.clear();
    s.uses.resize(values);
    s.blocks.clear();
    s.blocks.resize(blocks);
    s.table.clear();
    s.undo.clear();
    s.consts.clear();
    let entry = func
        .layout
        .entry_block()
        .ok_or_else(|| ErrorKind::Invalid("function without a body".into()))?;
    let mut sel = Selector {
        func,
        env,
        lir,
        s,
        block: Blk::from_u32(0),
        loc: SourceLoc::default(),
        frame: None,
    };
    sel.declare_blocks(domtree)?;
    // An explicit stack: dominator trees get as deep as functions are long.
    enum Step {
        Enter(Block),
        Leave(usize),
    }
    let mut stack = vec![Step::Enter(entry)];
    let mut children = Vec::new();
    while let Some(step) = stack.pop() {
        match step {
            Step::Enter(block) => {
                let mark = sel.s.undo.len();
                sel.select_block(block, block == entry)?;
                stack.push(Step::Leave(mark));
                children.clear();
                children.extend(domtree.children(block));
                stack.extend(children.iter().rev().map(|&b| Step::Enter(b)));
            }
            Step::Leave(mark) => {
                while sel.s.undo.len() > mark {
                    let Some((key, old)) = sel.s.undo.pop() else {
                        break;
                    };
                    match old {
                        Some(v) => sel.s.table.insert(key, v),
                        None => sel.s.table.remove(&key),
                    };
                }
            }
        }
    }
    Ok(())
}

/// LIR types of a CLIF type: one, or two for `i128`.
pub(crate) fn lower_type(ty: Type) -> Result<(Ty, Option<Ty>)> {
    Ok(match ty {
        types::I8 | types::I16 | types::I32 => (Ty::I32, None),
        types::I64 => (Ty::I64, None),
        types::I128 => (Ty::I64, Some(Ty::I64)),
        types::F32 => (Ty::F32, None),
        types::F64 => (Ty::F64, None),
        t if t.is_vector() && t.bits() == 128 => (Ty::V128, None),
        t => return Err(ErrorKind::Unsupported(format!("value of type {t}"))),
    })
}

impl<'a> Selector<'a> {
    fn declare_blocks(&mut self, domtree: &DominatorTree) -> Result<()> {
        // Layout order is the order of the input program: keeping it keeps the output close to it.
        for block in self.func.layout.blocks() {
            if !domtree.is_reachable(block) {
                continue;
            }
            let blk = self.lir.blocks.push(crate::lir::BlockData {
                params: Vec::new(),
                insts: Vec::new(),
                term: Term::Diverge,
                loc: SourceLoc::default(),
                cold: self.func.layout.is_cold(block),
            });
            self.s.blocks[block] = blk.into();
            for &param in self.func.dfg.block_params(block) {
                let (lo, hi) = lower_type(self.func.dfg.value_type(param))?;
                let lo = self.lir.new_val(lo, Def::Param(blk));
                self.lir.blocks[blk].params.push(lo);
                let hi = hi.map(|ty| self.lir.new_val(ty, Def::Param(blk)));
                self.lir.blocks[blk].params.extend(hi);
                self.s.map[param] = [lo.into(), hi.into()];
            }
            for inst in self.func.layout.block_insts(block) {
                for v in self.func.dfg.inst_values(inst) {
                    self.s.uses[v] += 1;
                }
            }
        }
        Ok(())
    }

    fn select_block(&mut self, block: Block, entry: bool) -> Result<()> {
        self.block = self.blk(block);
        if entry {
            for (i, &param) in self.func.dfg.block_params(block).iter().enumerate() {
                if let Some(abi) = self.func.signature.params.get(i) {
                    self.s.ext[param] = calls::abi_ext(abi.extension);
                }
            }
            self.prologue()?;
        }
        for inst in self.func.layout.block_insts(block) {
            self.loc = self.func.srcloc(inst);
            self.select_inst(inst)?;
        }
        Ok(())
    }

    fn blk(&self, block: Block) -> Blk {
        self.s.blocks[block].unwrap()
    }

    fn ty(&self, v: Value) -> Type {
        self.func.dfg.value_type(v)
    }

    fn unsupported<T>(&self, inst: ir::Inst) -> Result<T> {
        Err(ErrorKind::Unsupported(
            self.func.dfg.display_inst(inst).to_string(),
        ))
    }

    /// The (low half of the) value; upper bits of narrow integers are unspecified.
    fn val(&self, v: Value) -> Val {
        self.s.map[v][0].expect("definitions are selected before uses")
    }

    /// Both halves of an `i128`.
    fn pair(&self, v: Value) -> (Val, Val) {
        let [lo, hi] = self.s.map[v];
        (
            lo.expect("definitions are selected before uses"),
            hi.expect("an i128 has two halves"),
        )
    }

    fn define(&mut self, v: Value, val: Val, ext: Ext) {
        self.s.map[v] = [val.into(), None.into()];
        self.s.ext[v] = ext;
    }

    fn define_pair(&mut self, v: Value, lo: Val, hi: Val) {
        self.s.map[v] = [lo.into(), hi.into()];
    }

    fn result(&self, inst: ir::Inst) -> Value {
        self.func.dfg.first_result(inst)
    }

    /// A constant, shared by the whole function.
    fn constant(&mut self, op: Op, imm: Imm, ty: Ty) -> Val {
        if let Some(&v) = self.s.consts.get(&(op, imm)) {
            return v;
        }
        let inst = self
            .lir
            .new_inst(op, Effects::NONE, imm, &[], &[ty], SourceLoc::default());
        let v = self.lir.insts[inst].first;
        self.s.consts.insert((op, imm), v);
        v
    }

    fn i32c(&mut self, c: i32) -> Val {
        self.constant(Op::I32_CONST, Imm::Const(i64::from(c)), Ty::I32)
    }

    fn i64c(&mut self, c: i64) -> Val {
        self.constant(Op::I64_CONST, Imm::Const(c), Ty::I64)
    }

    fn int_const(&mut self, ty: Ty, c: i64) -> Val {
        if ty == Ty::I64 {
            self.i64c(c)
        } else {
            self.i32c(c as i32)
        }
    }

    fn symbol(&mut self, symbol: Symbol, ty: Ty) -> Val {
        let index = match self.lir.symbols.iter().rposition(|&s| s == symbol) {
            // Functions name few symbols; the search is bounded so that it stays linear.
            Some(i) if self.lir.symbols.len() < 64 => i,
            _ => {
                self.lir.symbols.push(symbol);
                self.lir.symbols.len() - 1
            }
        };
        self.constant(Op::SYMBOL, Imm::Symbol(index as u32), ty)
    }

    /// Appends an instruction with effects of its operator.
    fn push(&mut self, op: Op, imm: Imm, args: &[Val], results: &[Ty]) -> Inst {
        self.push_with(op, op.effects(), imm, args, results)
    }

    fn push_with(
        &mut self,
        op: Op,
        effects: Effects,
        imm: Imm,
        args: &[Val],
        results: &[Ty],
    ) -> Inst {
        let inst = self.lir.new_inst(op, effects, imm, args, results, self.loc);
        self.lir.blocks[self.block].insts.push(inst);
        inst
    }

    /// A pure operator with one result, numbered: the same computation in a dominating block is reused when that
    /// is no larger than repeating it.
    fn pure(&mut self, op: Op, imm: Imm, args: &[Val], ty: Ty) -> Val {
        let mut key_args = [Val::reserved_value(); 3];
        key_args[..args.len()].copy_from_slice(args);
        let key = (op, imm, key_args);
        let old = self.s.table.get(&key).copied();
        if let Some((v, blk)) = old {
            // A unary operator on a local takes three bytes; sharing it takes four.
            if blk == self.block || args.len() > 1 {
                return v;
            }
        }
        let inst = self.push_with(op, Effects::NONE, imm, args, &[ty]);
        let v = self.lir.insts[inst].first;
        self.s.table.insert(key, (v, self.block));
        self.s.undo.push((key, old));
        v
    }

    fn op1(&mut self, op: Op, a: Val, ty: Ty) -> Val {
        self.pure(op, Imm::None, &[a], ty)
    }

    fn op2(&mut self, op: Op, a: Val, b: Val, ty: Ty) -> Val {
        self.pure(op, Imm::None, &[a, b], ty)
    }

    /// `cond ? a : b`, with a negated condition absorbed.
    fn select_op(&mut self, cond: Val, a: Val, b: Val) -> Val {
        let ty = self.lir.vals[a].ty;
        if let Some(inst) = self.lir.sole_def(cond)
            && self.lir.insts[inst].op == Op::I32_EQZ
        {
            let inner = self.lir.args(inst)[0];
            return self.pure(Op::SELECT, Imm::None, &[b, a, inner], ty);
        }
        self.pure(Op::SELECT, Imm::None, &[a, b, cond], ty)
    }

    fn select_inst(&mut self, inst: ir::Inst) -> Result<()> {
        let data = self.func.dfg.insts[inst];
        match data {
            InstructionData::Jump { destination, .. } => {
                let edge = self.edge(destination);
                self.terminate(Term::Jump(edge));
                Ok(())
            }
            InstructionData::Brif {
                arg,
                blocks: [then, other],
                ..
            } => {
                let cond = self.truth(arg);
                let (then, other) = (self.edge(then), self.edge(other));
                // `x != 0` as a double negation is one negation too many for a branch.
                self.terminate(Term::Branch { cond, then, other });
                Ok(())
            }
            InstructionData::BranchTable { arg, table, .. } => self.branch_table(arg, table),
            InstructionData::Trap { .. } => match data.opcode() {
                // After an operator that does not come back there is nothing to trap.
                Opcode::Trap if self.diverged() => Ok(()),
                Opcode::Trap => {
                    self.push(Op::UNREACHABLE, Imm::None, &[], &[]);
                    self.terminate(Term::Diverge);
                    Ok(())
                }
                _ => self.unsupported(inst),
            },
            InstructionData::CondTrap { opcode, arg, .. } => {
                let cond = self.truth(arg);
                let op = if opcode == Opcode::Trapz {
                    Op::TRAP_IF_ZERO
                } else {
                    Op::TRAP_IF
                };
                self.push(op, Imm::None, &[cond], &[]);
                Ok(())
            }
            InstructionData::MultiAry {
                opcode: Opcode::Return,
                ..
            } => self.return_(inst),
            InstructionData::Call { .. }
            | InstructionData::CallIndirect { .. }
            | InstructionData::FuncAddr { .. } => self.call(inst),
            InstructionData::LoadNoOffset {
                opcode: Opcode::Bitcast,
                ..
            } => self.bitcast(inst),
            InstructionData::Load { .. }
            | InstructionData::Store { .. }
            | InstructionData::LoadNoOffset { .. }
            | InstructionData::StoreNoOffset { .. }
            | InstructionData::AtomicCas { .. }
            | InstructionData::AtomicRmw { .. }
            | InstructionData::StackAddr { .. }
            | InstructionData::UnaryGlobalValue { .. } => self.memory(inst),
            InstructionData::NullAry { opcode } => match opcode {
                Opcode::Nop | Opcode::SequencePoint => Ok(()),
                Opcode::Fence => {
                    self.push(Op::ATOMIC_FENCE, Imm::Index(0), &[], &[]);
                    Ok(())
                }
                _ => self.unsupported(inst),
            },
            InstructionData::UnaryIeee32 { imm, .. } => {
                let v = self.constant(Op::F32_CONST, Imm::Const(i64::from(imm.bits())), Ty::F32);
                self.define(self.result(inst), v, Ext::ANY);
                Ok(())
            }
            InstructionData::UnaryIeee64 { imm, .. } => {
                let v = self.constant(Op::F64_CONST, Imm::Const(imm.bits() as i64), Ty::F64);
                self.define(self.result(inst), v, Ext::ANY);
                Ok(())
            }
            InstructionData::TryCall { .. }
            | InstructionData::TryCallIndirect { .. }
            | InstructionData::DynamicStackAddr { .. }
            | InstructionData::ExceptionHandlerAddress { .. }
            | InstructionData::UnaryIeee16 { .. } => self.unsupported(inst),
            _ => self.compute(inst),
        }
    }

    /// Instructions that only compute, by the type they compute in.
    fn compute(&mut self, inst: ir::Inst) -> Result<()> {
        let ctrl = self.func.dfg.ctrl_typevar(inst);
        let opcode = self.func.dfg.insts[inst].opcode();
        let arg_type = self.func.dfg.inst_args(inst).first().map(|&v| self.ty(v));
        let any_vector = ctrl.is_vector() || arg_type.is_some_and(|t| t.is_vector());
        match opcode {
            Opcode::Select | Opcode::SelectSpectreGuard => self.select_value(inst),
            _ if any_vector => self.vector(inst),
            _ if ctrl == types::I128 || arg_type == Some(types::I128) => self.wide(inst),
            _ if ctrl.is_float() || arg_type.is_some_and(|t| t.is_float()) => self.float(inst),
            _ => self.int(inst),
        }
    }

    fn select_value(&mut self, inst: ir::Inst) -> Result<()> {
        let InstructionData::Ternary {
            args: [c, a, b], ..
        } = self.func.dfg.insts[inst]
        else {
            return self.unsupported(inst);
        };
        let cond = self.truth(c);
        let result = self.result(inst);
        if self.ty(a) == types::I128 {
            let ((al, ah), (bl, bh)) = (self.pair(a), self.pair(b));
            let lo = self.select_op(cond, al, bl);
            let hi = self.select_op(cond, ah, bh);
            self.define_pair(result, lo, hi);
        } else {
            let (av, bv) = (self.val(a), self.val(b));
            let v = self.select_op(cond, av, bv);
            let ext = self.s.ext[a].and(self.s.ext[b]);
            self.define(result, v, ext);
        }
        Ok(())
    }

    fn bitcast(&mut self, inst: ir::Inst) -> Result<()> {
        let arg = self.func.dfg.inst_args(inst)[0];
        let result = self.result(inst);
        let (from, to) = (self.ty(arg), self.ty(result));
        if from.is_vector() && to == types::I128 {
            let v = self.val(arg);
            let lo = self.pure(Op::I64X2_EXTRACT_LANE, Imm::Lane(0), &[v], Ty::I64);
            let hi = self.pure(Op::I64X2_EXTRACT_LANE, Imm::Lane(1), &[v], Ty::I64);
            self.define_pair(result, lo, hi);
            return Ok(());
        }
        if from == types::I128 && to.is_vector() {
            let (lo, hi) = self.pair(arg);
            let v = self.op1(Op::I64X2_SPLAT, lo, Ty::V128);
            let v = self.pure(Op::I64X2_REPLACE_LANE, Imm::Lane(1), &[v, hi], Ty::V128);
            self.define(result, v, Ext::ANY);
            return Ok(());
        }
        if from == types::I128 {
            let (lo, hi) = self.pair(arg);
            self.define_pair(result, lo, hi);
            return Ok(());
        }
        let v = self.val(arg);
        let (from_ty, to_ty) = (lower_type(from)?.0, lower_type(to)?.0);
        // A load with this one use may as well load the other type.
        if let Some(load) = self.sole_load(arg, v) {
            let op = match (self.lir.insts[load].op, to_ty) {
                (Op::I32_LOAD, Ty::F32) => Some(Op::F32_LOAD),
                (Op::I64_LOAD, Ty::F64) => Some(Op::F64_LOAD),
                (Op::F32_LOAD, Ty::I32) => Some(Op::I32_LOAD),
                (Op::F64_LOAD, Ty::I64) => Some(Op::I64_LOAD),
                _ => None,
            };
            if let Some(op) = op {
                self.lir.insts[load].op = op;
                self.lir.vals[v].ty = to_ty;
                self.define(result, v, Ext::ANY);
                return Ok(());
            }
        }
        let op = match (from_ty, to_ty) {
            (a, b) if a == b => {
                self.define(result, v, self.s.ext[arg]);
                return Ok(());
            }
            (Ty::I32, Ty::F32) => Op::F32_REINTERPRET_I32,
            (Ty::F32, Ty::I32) => Op::I32_REINTERPRET_F32,
            (Ty::I64, Ty::F64) => Op::F64_REINTERPRET_I64,
            (Ty::F64, Ty::I64) => Op::I64_REINTERPRET_F64,
            _ => return self.unsupported(inst),
        };
        let v = self.op1(op, v, to_ty);
        self.define(result, v, Ext::ANY);
        Ok(())
    }

    fn edge(&mut self, call: BlockCall) -> crate::lir::Edge {
        let pool = &self.func.dfg.value_lists;
        let to = self.blk(call.block(pool));
        let mut args = smallvec::SmallVec::<[Val; 8]>::new();
        for arg in call.args(pool) {
            if let Some(v) = arg.as_value() {
                let [lo, hi] = self.s.map[v];
                args.extend(lo.expand());
                args.extend(hi.expand());
            }
        }
        self.lir.edge(to, &args)
    }

    fn branch_table(&mut self, arg: Value, table: ir::JumpTable) -> Result<()> {
        let index = self.zx(arg);
        let jt = &self.func.dfg.jump_tables[table];
        let start = self.lir.edges.len() as u32;
        for &call in jt.as_slice() {
            let edge = self.edge(call);
            self.lir.edges.push(edge);
        }
        let edge = self.edge(jt.default_block());
        self.lir.edges.push(edge);
        let len = self.lir.edges.len() as u32 - start;
        self.terminate(Term::Switch { index, start, len });
        Ok(())
    }

    /// True when the block's last instruction is a side operator that does not come back.
    fn diverged(&self) -> bool {
        let Some(&last) = self.lir.blocks[self.block].insts.last() else {
            return false;
        };
        match (self.lir.insts[last].op, self.lir.insts[last].imm) {
            (Op::SIDE, Imm::Index(i)) => self.env.side_op(i).is_some_and(|op| op.diverges),
            _ => false,
        }
    }

    fn terminate(&mut self, term: Term) {
        let data = &mut self.lir.blocks[self.block];
        data.term = term;
        data.loc = self.loc;
    }
}
