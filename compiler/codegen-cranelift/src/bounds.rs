//! Takes out operators that change nothing: masks of values that are small anyway, and truth values that go round by a `select`.
//!
//! Narrow integers are extended where their upper bits matter. That they are zero already shows only now: choices that became
//! [`select`](crate::ifconv) no longer hide what is chosen from, and parameters of blocks can be asked what reaches them.
//!
//! # Algorithm
//! Each integer has an upper bound, as an unsigned number: an operator's follows from those of its operands, a parameter's is the
//! largest of what its edges pass, rounded up to one of [`LEVELS`]. Starting from zero for all, blocks are visited in reverse postorder
//! until nothing that goes back changes: optimistic, as constant propagation of Wegman and Zadeck (1991) is. Then one walk replaces
//! operators by their operands.
//!
//! # Invariants
//! Instructions stay where they are; those without uses are left to tree building, which drops them.
//!
//! # Cost
//! One walk without loops, [`ROUNDS`] and one at most: what changes after that is known of operators alone.

use crate::flow::Graph;
use crate::lir::{Imm, Inst, Lir, Ty, Val};
use crate::ops::Op;
use cranelift_entity::{SecondaryMap, packed_option::PackedOption};

/// What bounds of parameters are rounded up to, so that going round a loop changes them seldom.
const LEVELS: [u64; 6] = [
    0,
    1,
    u8::MAX as u64,
    u16::MAX as u64,
    i32::MAX as u64,
    u32::MAX as u64,
];

/// How often blocks are visited before nothing is assumed of parameters any more.
const ROUNDS: usize = 4;

/// Memory that the pass reuses from function to function.
#[derive(Default)]
pub(crate) struct Scratch {
    bounds: SecondaryMap<Val, u64>,
    stands_for: SecondaryMap<Val, PackedOption<Val>>,
}

impl Scratch {
    /// What stands for a value now.
    fn now(&self, v: Val) -> Val {
        let same = self.stands_for.get(v).and_then(|same| same.expand());
        same.unwrap_or(v)
    }
}

/// Runs the pass. `graph` is that of `lir`, before any block was given two ways in that do not dominate it.
pub(crate) fn simplify(lir: &mut Lir, graph: &Graph, s: &mut Scratch) {
    s.bounds.clear();
    s.bounds.resize(lir.vals.len());
    find(lir, graph, &mut s.bounds);
    s.stands_for.clear();
    s.stands_for.resize(lir.vals.len());
    let mut renamed = false;
    for &block in &graph.rpo {
        for place in 0..lir.blocks[block].insts.len() {
            let inst = lir.blocks[block].insts[place];
            if let Some(same) = rewrite(lir, inst, s) {
                s.stands_for[lir.insts[inst].first] = same.into();
                renamed = true;
            }
        }
    }
    if renamed {
        lir.rename(|v| s.now(v));
    }
}

/// The largest unsigned number of a type; of types that are no integers too, where nobody asks.
fn all(ty: Ty) -> u64 {
    match ty {
        Ty::I32 => u64::from(u32::MAX),
        _ => u64::MAX,
    }
}

/// Fills in the bounds of all values that reachable blocks define.
fn find(lir: &Lir, graph: &Graph, bounds: &mut SecondaryMap<Val, u64>) {
    for &param in &lir.blocks[lir.entry()].params {
        bounds[param] = all(lir.vals[param].ty);
    }
    for _ in 0..ROUNDS {
        let mut again = false;
        for (place, &block) in graph.rpo.iter().enumerate() {
            operators(lir, &lir.blocks[block].insts, bounds);
            lir.for_each_edge(block, |edge| {
                let params = &lir.blocks[edge.to].params;
                for (&param, &arg) in params.iter().zip(lir.edge_args(edge)) {
                    let level = LEVELS
                        .into_iter()
                        .find(|&level| level >= bound(lir, arg, bounds));
                    let level = level.unwrap_or(u64::MAX);
                    if level > bounds[param] {
                        bounds[param] = level;
                        again |= graph.place(edge.to) <= place;
                    }
                }
            });
        }
        if !again {
            return;
        }
    }
    for &block in &graph.rpo {
        for &param in &lir.blocks[block].params {
            bounds[param] = all(lir.vals[param].ty);
        }
    }
    for &block in &graph.rpo {
        operators(lir, &lir.blocks[block].insts, bounds);
    }
}

/// Bounds of what a block's instructions give.
fn operators(lir: &Lir, insts: &[Inst], bounds: &mut SecondaryMap<Val, u64>) {
    for &inst in insts {
        let data = &lir.insts[inst];
        match data.results {
            0 => {}
            1 => bounds[data.first] = operator(lir, inst, bounds),
            _ => lir
                .results(inst)
                .for_each(|v| bounds[v] = all(lir.vals[v].ty)),
        }
    }
}

/// The bound of a value. Constants are in no block.
fn bound(lir: &Lir, val: Val, bounds: &SecondaryMap<Val, u64>) -> u64 {
    if val == Lir::undef() {
        return 0;
    }
    match lir.int_const(val) {
        Some(c) => c as u64 & all(lir.vals[val].ty),
        None if lir.is_constant_value(val) => all(lir.vals[val].ty),
        None => bounds[val],
    }
}

/// All ones up to the highest one of `x`.
pub(crate) fn ones(x: u64) -> u64 {
    u64::MAX.checked_shr(x.leading_zeros()).unwrap_or(0)
}

/// The bound of an operator's only result.
fn operator(lir: &Lir, inst: Inst, bounds: &SecondaryMap<Val, u64>) -> u64 {
    let data = &lir.insts[inst];
    let args = lir.args(inst);
    let all = all(lir.vals[data.first].ty);
    let of = |i: usize| bound(lir, args[i], bounds);
    let fits = |x: Option<u64>| x.filter(|&x| x <= all).unwrap_or(all);
    let unless_negative = |x: u64, bits: u32| if x >> (bits - 1) == 0 { x } else { all };
    let shift = || {
        lir.int_const(args[1])
            .map(|k| k as u32 & if all == u64::MAX { 63 } else { 31 })
    };
    match data.op {
        Op::I32_LOAD8_U | Op::I64_LOAD8_U | Op::I32_ATOMIC_LOAD8_U | Op::I64_ATOMIC_LOAD8_U => {
            u64::from(u8::MAX)
        }
        Op::I32_LOAD16_U | Op::I64_LOAD16_U | Op::I32_ATOMIC_LOAD16_U | Op::I64_ATOMIC_LOAD16_U => {
            u64::from(u16::MAX)
        }
        Op::I64_LOAD32_U | Op::I64_ATOMIC_LOAD32_U => u64::from(u32::MAX),
        Op(0x45..=0x66) => 1,
        Op::I32_CLZ | Op::I32_CTZ | Op::I32_POPCNT => 32,
        Op::I64_CLZ | Op::I64_CTZ | Op::I64_POPCNT => 64,
        Op::I32_AND | Op::I64_AND => of(0).min(of(1)),
        Op::I32_OR | Op::I64_OR | Op::I32_XOR | Op::I64_XOR => ones(of(0) | of(1)),
        Op::I32_ADD | Op::I64_ADD => fits(of(0).checked_add(of(1))),
        Op::I32_MUL | Op::I64_MUL => fits(of(0).checked_mul(of(1))),
        Op::I32_SHL | Op::I64_SHL => shift().map_or(all, |k| fits(of(0).checked_mul(1 << k))),
        Op::I32_SHR_U | Op::I64_SHR_U => of(0) >> shift().unwrap_or(0),
        Op::I32_DIV_U | Op::I64_DIV_U => {
            let divisor = lir.int_const(args[1]).map(|c| c as u64 & all);
            of(0) / divisor.unwrap_or(1).max(1)
        }
        Op::I32_REM_U | Op::I64_REM_U => of(0).min(of(1).saturating_sub(1)),
        Op::SELECT => of(0).max(of(1)),
        Op::I32_WRAP_I64 => fits(Some(of(0))),
        Op::I64_EXTEND_I32_U => of(0),
        Op::I64_EXTEND_I32_S | Op::I64_EXTEND32_S => unless_negative(of(0), 32),
        Op::I32_EXTEND8_S | Op::I64_EXTEND8_S => unless_negative(of(0), 8),
        Op::I32_EXTEND16_S | Op::I64_EXTEND16_S => unless_negative(of(0), 16),
        _ => all,
    }
}

/// Changes an operator to a simpler one in its place, or says which value it gives again.
fn rewrite(lir: &mut Lir, inst: Inst, s: &Scratch) -> Option<Val> {
    let data = &lir.insts[inst];
    if data.results != 1 {
        if matches!(data.op, Op::I32_STORE8 | Op::I32_STORE16) {
            narrow_store(lir, inst, s);
        }
        return None;
    }
    let arg = |i: usize| s.now(lir.args(inst)[i]);
    let small = |v: Val, most: u64| bound(lir, v, &s.bounds) <= most;
    let constant = |i: usize| lir.int_const(arg(i));
    match data.op {
        Op::I32_AND | Op::I64_AND => {
            let (x, mask) = match (constant(0), constant(1)) {
                (_, Some(mask)) => (arg(0), mask),
                (Some(mask), _) => (arg(1), mask),
                _ => return None,
            };
            (ones(bound(lir, x, &s.bounds)) & !(mask as u64) == 0).then_some(x)
        }
        Op::I32_EXTEND8_S | Op::I64_EXTEND8_S => Some(arg(0)).filter(|&x| small(x, 0x7f)),
        Op::I32_EXTEND16_S | Op::I64_EXTEND16_S => Some(arg(0)).filter(|&x| small(x, 0x7fff)),
        Op::I64_EXTEND32_S => Some(arg(0)).filter(|&x| small(x, 0x7fff_ffff)),
        Op::I32_NE if constant(1) == Some(0) => Some(arg(0)).filter(|&x| small(x, 1)),
        Op::I32_EQ if constant(1) == Some(1) => Some(arg(0)).filter(|&x| small(x, 1)),
        Op::I32_XOR | Op::I32_NE if constant(1) == Some(1) && small(arg(0), 1) => {
            negate(lir, inst, arg(0), s)
        }
        Op::I32_EQ if constant(1) == Some(0) => negate(lir, inst, arg(0), s),
        Op::I32_EQZ => negate(lir, inst, arg(0), s),
        Op::SELECT if lir.vals[data.first].ty == Ty::I32 => match (constant(0), constant(1)) {
            (Some(1), Some(0)) if small(arg(2), 1) => Some(arg(2)),
            (Some(1), Some(0)) => {
                let args = [arg(2), arg(1)];
                change(lir, inst, Op::I32_NE, &args);
                None
            }
            (Some(0), Some(1)) => negate(lir, inst, arg(2), s),
            _ => None,
        },
        _ => None,
    }
}

/// Makes `inst` the negation of `val`: the value that is negated already, a comparison turned round, or `i32.eqz`.
fn negate(lir: &mut Lir, inst: Inst, val: Val, s: &Scratch) -> Option<Val> {
    if let Some(def) = lir.sole_def(val) {
        let data = lir.insts[def];
        if data.op == Op::I32_EQZ {
            let inner = s.now(lir.args(def)[0]);
            if bound(lir, inner, &s.bounds) <= 1 {
                return Some(inner);
            }
        } else if let Some(op) = data.op.inverted() {
            let args = [s.now(lir.args(def)[0]), s.now(lir.args(def)[1])];
            change(lir, inst, op, &args);
            return None;
        }
    }
    change(lir, inst, Op::I32_EQZ, &[val]);
    None
}

fn change(lir: &mut Lir, inst: Inst, op: Op, args: &[Val]) {
    lir.insts[inst].op = op;
    lir.insts[inst].imm = Imm::None;
    if lir.args(inst) != args {
        lir.set_args(inst, args);
    }
}

/// A store of the low bits needs no mask that keeps them.
fn narrow_store(lir: &mut Lir, inst: Inst, s: &Scratch) {
    let kept = match lir.insts[inst].op {
        Op::I32_STORE8 => 0xff,
        _ => 0xffff,
    };
    let value = s.now(lir.args(inst)[1]);
    let Some(def) = lir
        .sole_def(value)
        .filter(|&def| lir.insts[def].op == Op::I32_AND)
    else {
        return;
    };
    let [x, mask] = [lir.args(def)[0], lir.args(def)[1]];
    if lir.int_const(mask).is_some_and(|mask| mask & kept == kept) {
        lir.args_mut(inst)[1] = x;
    }
}
