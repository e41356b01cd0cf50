//! The emitter's own form: WebAssembly operators on SSA values, in basic blocks.
//!
//! Selection builds it from CLIF; everything after (tree building, structuring, locals, encoding) reads it.
//! All types are WebAssembly's: narrow and 128-bit integers are gone. Operands live in one pool, instructions in
//! one vector, so building a function allocates a handful of times. Values may have more than one definition only
//! in the sense that a dispatch block (see [`crate::irreducible`]) makes a definition no longer dominate its uses;
//! locals do not mind.

use crate::ops::{Effects, Op};
use cranelift_codegen::ir::SourceLoc;
use cranelift_entity::{EntityRef, PrimaryMap, entity_impl, packed_option::ReservedValue};

/// A value: result of an instruction, parameter of a block or of the function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(u32);
entity_impl!(Val, "v");

/// An instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inst(u32);
entity_impl!(Inst, "i");

/// A basic block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blk(u32);
entity_impl!(Blk, "b");

/// Type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Ty {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `v128`
    V128,
}

impl Ty {
    /// All types, in order.
    pub const ALL: [Ty; 5] = [Ty::I32, Ty::I64, Ty::F32, Ty::F64, Ty::V128];

    /// The encoder's name for the type.
    pub fn val_type(self) -> wasm_encoder::ValType {
        use wasm_encoder::ValType as V;
        match self {
            Ty::I32 => V::I32,
            Ty::I64 => V::I64,
            Ty::F32 => V::F32,
            Ty::F64 => V::F64,
            Ty::V128 => V::V128,
        }
    }

    /// The type's byte in the binary format.
    pub fn byte(self) -> u8 {
        0x7f - self as u8
    }
}

/// Immediates of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Imm {
    /// None.
    None,
    /// `i32.const`, `i64.const` (sign-extended) and the bits of `f32.const`, `f64.const`.
    Const(i64),
    /// `v128.const` and `i8x16.shuffle`: place in [`Lir::wide`].
    Wide(u32),
    /// A memory access.
    Mem {
        /// Static offset.
        offset: u64,
        /// log2 of the alignment hint.
        align: u8,
        /// Memory index.
        memory: u16,
        /// Lane of a lane access, or 255.
        lane: u8,
    },
    /// A lane.
    Lane(u8),
    /// Callee, global, pinned local, side operator or local type index, by operator.
    Index(u32),
    /// Type and table of an indirect call.
    Indirect {
        /// Type index.
        ty: u32,
        /// Table index.
        table: u32,
    },
    /// A symbol's address: place in [`Lir::symbols`].
    Symbol(u32),
}

/// A symbol address as a constant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Symbol {
    /// Data symbol plus addend.
    Data(u32, i64),
    /// Table slot of a function.
    Func(u32),
}

/// An instruction's data.
#[derive(Clone, Copy, Debug)]
pub struct InstData {
    /// Operator.
    pub op: Op,
    /// Effects, possibly fewer than the operator's in general (a divisor known not to be zero cannot trap).
    pub effects: Effects,
    /// Number of results.
    pub results: u8,
    /// First result; the others follow it.
    pub first: Val,
    args: (u32, u32),
    /// Immediates.
    pub imm: Imm,
    /// Source location.
    pub loc: SourceLoc,
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Def {
    /// An instruction.
    Inst(Inst),
    /// A block parameter; of the entry block: a function parameter.
    Param(Blk),
}

/// Type and definition of a value.
#[derive(Clone, Copy, Debug)]
pub struct ValData {
    /// Type.
    pub ty: Ty,
    /// Definition.
    pub def: Def,
}

/// A branch target with arguments.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Target.
    pub to: Blk,
    args: (u32, u32),
}

/// The end of a block.
#[derive(Clone, Copy, Debug)]
pub enum Term {
    /// Goes to one block.
    Jump(Edge),
    /// Goes to `then` when `cond` is not zero.
    Branch {
        /// An i32.
        cond: Val,
        /// Taken when not zero.
        then: Edge,
        /// Taken when zero.
        other: Edge,
    },
    /// Goes to `edges[index]`, or to the last edge when out of range; places in [`Lir::edges`].
    Switch {
        /// An i32.
        index: Val,
        /// First edge.
        start: u32,
        /// Number of edges, the default included.
        len: u32,
    },
    /// Returns values of the pool.
    Return(u32, u32),
    /// The block's last instruction does not come back (tail call, throw, trap).
    Diverge,
}

/// A block.
#[derive(Clone, Debug)]
pub struct BlockData {
    /// Parameters.
    pub params: Vec<Val>,
    /// Instructions in order.
    pub insts: Vec<Inst>,
    /// How the block ends.
    pub term: Term,
    /// Location of the terminator.
    pub loc: SourceLoc,
    /// Seldom executed, by CLIF's word.
    pub cold: bool,
}

/// A function.
#[derive(Clone, Debug, Default)]
pub struct Lir {
    /// Instructions.
    pub insts: PrimaryMap<Inst, InstData>,
    /// Values.
    pub vals: PrimaryMap<Val, ValData>,
    /// Blocks; the first is the entry.
    pub blocks: PrimaryMap<Blk, BlockData>,
    /// Edges of switches.
    pub edges: Vec<Edge>,
    /// 128-bit immediates.
    pub wide: Vec<[u8; 16]>,
    /// Symbol addresses.
    pub symbols: Vec<Symbol>,
    pool: Vec<Val>,
}

impl Lir {
    /// Empties the function, keeping its memory.
    pub fn clear(&mut self) {
        self.insts.clear();
        self.vals.clear();
        self.blocks.clear();
        self.edges.clear();
        self.wide.clear();
        self.symbols.clear();
        self.pool.clear();
    }

    /// An operand list in the pool.
    pub fn list(&mut self, vals: &[Val]) -> (u32, u32) {
        let start = self.pool.len() as u32;
        self.pool.extend_from_slice(vals);
        (start, vals.len() as u32)
    }

    /// The values of a pool list.
    pub fn get_list(&self, (start, len): (u32, u32)) -> &[Val] {
        &self.pool[start as usize..(start + len) as usize]
    }

    /// An edge with arguments.
    pub fn edge(&mut self, to: Blk, args: &[Val]) -> Edge {
        let args = self.list(args);
        Edge { to, args }
    }

    /// Arguments of an edge.
    pub fn edge_args(&self, edge: Edge) -> &[Val] {
        self.get_list(edge.args)
    }

    /// Operands of an instruction.
    pub fn args(&self, inst: Inst) -> &[Val] {
        self.get_list(self.insts[inst].args)
    }

    /// Operands of an instruction, to be changed.
    pub fn args_mut(&mut self, inst: Inst) -> &mut [Val] {
        let (start, len) = self.insts[inst].args;
        &mut self.pool[start as usize..(start + len) as usize]
    }

    /// Replaces the operands of an instruction.
    pub fn set_args(&mut self, inst: Inst, args: &[Val]) {
        let list = self.list(args);
        self.insts[inst].args = list;
    }

    /// Replaces every value that is read.
    pub fn rename(&mut self, mut f: impl FnMut(Val) -> Val) {
        for v in &mut self.pool {
            *v = f(*v);
        }
        for (_, block) in self.blocks.iter_mut() {
            if let Term::Branch { cond: v, .. } | Term::Switch { index: v, .. } = &mut block.term {
                *v = f(*v);
            }
        }
    }

    /// A new value.
    pub fn new_val(&mut self, ty: Ty, def: Def) -> Val {
        self.vals.push(ValData { ty, def })
    }

    /// A new instruction, in no block yet.
    pub fn new_inst(
        &mut self,
        op: Op,
        effects: Effects,
        imm: Imm,
        args: &[Val],
        results: &[Ty],
        loc: SourceLoc,
    ) -> Inst {
        let args = self.list(args);
        let first = Val::new(self.vals.len());
        let inst = self.insts.push(InstData {
            op,
            effects,
            results: results.len() as u8,
            first,
            args,
            imm,
            loc,
        });
        for &ty in results {
            self.new_val(ty, Def::Inst(inst));
        }
        inst
    }

    /// A second instruction that does the same on other operands, in no block yet. With `fresh`, its results are new values, else it
    /// defines the same ones once more.
    pub fn copy_inst(&mut self, inst: Inst, args: &[Val], fresh: bool) -> Inst {
        let data = self.insts[inst];
        let args = self.list(args);
        let copy = self.insts.push(InstData { args, ..data });
        if fresh {
            self.insts[copy].first = Val::new(self.vals.len());
            for v in self.results(inst) {
                let ty = self.vals[v].ty;
                self.new_val(ty, Def::Inst(copy));
            }
        }
        copy
    }

    /// A terminator that returns these values.
    pub fn term_return(&mut self, vals: &[Val]) -> Term {
        let (start, len) = self.list(vals);
        Term::Return(start, len)
    }

    /// The results of an instruction.
    pub fn results(&self, inst: Inst) -> impl DoubleEndedIterator<Item = Val> + use<> {
        let data = &self.insts[inst];
        let first = data.first.as_u32();
        (first..first + u32::from(data.results)).map(Val::from_u32)
    }

    /// The instruction that defines `val`, if it is its only result.
    pub fn sole_def(&self, val: Val) -> Option<Inst> {
        match self.vals[val].def {
            Def::Inst(inst) if self.insts[inst].results == 1 => Some(inst),
            _ => None,
        }
    }

    /// The constant that `val` is, if it is an integer constant.
    pub fn int_const(&self, val: Val) -> Option<i64> {
        let inst = self.sole_def(val)?;
        match (self.insts[inst].op, self.insts[inst].imm) {
            (Op::I32_CONST | Op::I64_CONST, Imm::Const(c)) => Some(c),
            _ => None,
        }
    }

    /// True for instructions that are cheaper to repeat than to keep in a local.
    pub fn is_constant(&self, inst: Inst) -> bool {
        matches!(
            self.insts[inst].op,
            Op::I32_CONST
                | Op::I64_CONST
                | Op::F32_CONST
                | Op::F64_CONST
                | Op::V128_CONST
                | Op::SYMBOL
        )
    }

    /// Whether a value is one that such an instruction gives; no value at all is not.
    pub fn is_constant_value(&self, val: Val) -> bool {
        val != Lir::undef()
            && self
                .sole_def(val)
                .is_some_and(|inst| self.is_constant(inst))
    }

    /// Calls `f` with each edge that leaves `block`.
    pub fn for_each_edge(&self, block: Blk, mut f: impl FnMut(Edge)) {
        match self.blocks[block].term {
            Term::Jump(e) => f(e),
            Term::Branch { then, other, .. } => {
                f(then);
                f(other);
            }
            Term::Switch { start, len, .. } => {
                for &e in &self.edges[start as usize..(start + len) as usize] {
                    f(e);
                }
            }
            Term::Return(..) | Term::Diverge => {}
        }
    }

    /// Calls `f` with each edge that leaves `block`, to be changed.
    pub fn for_each_edge_mut(&mut self, block: Blk, mut f: impl FnMut(&mut Edge)) {
        match &mut self.blocks[block].term {
            Term::Jump(e) => f(e),
            Term::Branch { then, other, .. } => {
                f(then);
                f(other);
            }
            Term::Switch { start, len, .. } => {
                for e in &mut self.edges[*start as usize..(*start + *len) as usize] {
                    f(e);
                }
            }
            Term::Return(..) | Term::Diverge => {}
        }
    }

    /// Calls `f` with each value that the terminator of `block` itself reads (edge arguments are not among them).
    pub fn term_operands(&self, block: Blk) -> &[Val] {
        match &self.blocks[block].term {
            Term::Branch { cond, .. } => std::slice::from_ref(cond),
            Term::Switch { index, .. } => std::slice::from_ref(index),
            Term::Return(start, len) => self.get_list((*start, *len)),
            Term::Jump(_) | Term::Diverge => &[],
        }
    }

    /// The entry block.
    pub fn entry(&self) -> Blk {
        Blk::new(0)
    }

    /// The sentinel for "no value needed" as an edge argument.
    pub fn undef() -> Val {
        Val::reserved_value()
    }

    /// Counts the uses of every value; edge arguments count once each.
    pub fn count_uses(&self, counts: &mut cranelift_entity::SecondaryMap<Val, u32>) {
        counts.clear();
        counts.resize(self.vals.len());
        for (block, data) in self.blocks.iter() {
            for &inst in &data.insts {
                for &v in self.args(inst) {
                    counts[v] += 1;
                }
            }
            for &v in self.term_operands(block) {
                counts[v] += 1;
            }
            self.for_each_edge(block, |e| {
                for &v in self.edge_args(e) {
                    if v != Lir::undef() {
                        counts[v] += 1;
                    }
                }
            });
        }
    }
}
