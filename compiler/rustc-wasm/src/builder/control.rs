//! Switches.

use super::Builder;
use crate::ops::{self, IntOp};
use crate::value::{Scalar, Value};
use wasmir::{Block, Local, Terminator, Type as W};

/// A jump table is worth it from this many cases on…
const TABLE_MIN: usize = 4;
/// …if at least one entry in this many is a case.
const TABLE_SPARSITY: u128 = 4;

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// Continues at the block of the case that `value` equals.
    ///
    /// Dense cases become a jump table, others a balanced tree of comparisons.
    pub(super) fn emit_switch(&mut self, value: Value, default: Block, mut cases: Vec<(u128, Block)>) {
        if let Value::Const(_, bits) = value {
            let to = cases.iter().find(|(case, _)| *case == bits).map_or(default, |&(_, to)| to);
            return self.jump(to);
        }
        let scalar = self.scalar_of(value);
        cases.sort_unstable_by_key(|&(case, _)| case);
        cases.retain(|&(_, to)| to != default);
        let local = self.use_value(value);
        self.switch_tree(scalar, local, default, &cases);
    }

    fn switch_tree(&mut self, scalar: Scalar, local: Local, default: Block, cases: &[(u128, Block)]) {
        let ty = scalar.wir();
        let (Some(&(min, first)), Some(&(max, last))) = (cases.first(), cases.last()) else {
            return self.jump(default);
        };
        let constant = |bx: &Self, bits| bx.constant(ty, bits);
        if cases.len() == 1 {
            let case = constant(self, min);
            let is = self.binary(ops::int(IntOp::Eq, ty), W::I32, local, case);
            return self.branch(is, first, default);
        }
        let span = max - min;
        if cases.len() >= TABLE_MIN && span / TABLE_SPARSITY < cases.len() as u128 {
            return self.jump_table(ty, local, default, cases, min, span);
        }
        if cases.len() == 2 {
            let rest = self.new_block();
            let case = constant(self, min);
            let is = self.binary(ops::int(IntOp::Eq, ty), W::I32, local, case);
            self.branch(is, first, rest);
            self.block = rest;
            let case = constant(self, max);
            let is = self.binary(ops::int(IntOp::Eq, ty), W::I32, local, case);
            return self.branch(is, last, default);
        }
        let (low, high) = cases.split_at(cases.len() / 2);
        let (below, above) = (self.new_block(), self.new_block());
        let pivot = constant(self, high[0].0);
        let less = self.binary(ops::int(IntOp::LtU, ty), W::I32, local, pivot);
        self.branch(less, below, above);
        self.block = below;
        self.switch_tree(scalar, local, default, low);
        self.block = above;
        self.switch_tree(scalar, local, default, high);
    }

    fn jump_table(&mut self, ty: W, local: Local, default: Block, cases: &[(u128, Block)], min: u128, span: u128) {
        let shifted = if min == 0 {
            local
        } else {
            let min = self.constant(ty, min);
            self.binary(ops::int(IntOp::Sub, ty), ty, local, min)
        };
        let index = match ty {
            W::I32 => shifted,
            W::I8 | W::I16 => match ops::extend(ty, W::I32, false) {
                Some(op) => self.unary(op, W::I32, shifted),
                None => shifted,
            },
            _ => {
                // A selector beyond 32 bits must not wrap around into the table.
                let (fits, bound) = (self.new_block(), self.constant(ty, span));
                let inside = self.binary(ops::int(IntOp::LeU, ty), W::I32, shifted, bound);
                self.branch(inside, fits, default);
                self.block = fits;
                match ops::wrap(ty, W::I32) {
                    Some(op) => self.unary(op, W::I32, shifted),
                    None => shifted,
                }
            }
        };
        let mut targets = vec![default; span as usize + 1];
        for &(case, to) in cases {
            targets[(case - min) as usize] = to;
        }
        let targets = self.with(|state| state.body.pool.block_list(&targets));
        self.terminate(Terminator::BrTable { index, targets, default });
    }
}
