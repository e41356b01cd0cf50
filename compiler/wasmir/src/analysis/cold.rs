//! The blocks that lead to a trap.
//!
//! # Algorithm
//! One walk against the order of the layout, so what goes back does not count.
//!
//! # Cost
//! Linear.

use crate::body::Body;
use crate::entities::Block;
use crate::inst::Terminator;
use cranelift_entity::EntitySet;

/// The blocks behind which there is nothing but `unreachable`, as far as one walk shows it: what panics, and what it prepares for
/// that.
pub fn cold_blocks(body: &Body) -> EntitySet<Block> {
    let mut cold = EntitySet::with_capacity(body.blocks.len());
    for &block in body.layout.iter().rev() {
        let term = &body.blocks[block].term;
        let mut all = matches!(
            term,
            Terminator::Unreachable
                | Terminator::Jump(_)
                | Terminator::BrIf { .. }
                | Terminator::BrTable { .. }
        );
        term.for_each_target(&body.pool, |to| all &= cold.contains(to));
        if all {
            cold.insert(block);
        }
    }
    cold
}
