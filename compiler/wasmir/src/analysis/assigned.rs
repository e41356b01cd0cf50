//! Which locals may be read before they are written.
//!
//! A local other than a parameter starts as zero (or null). Most passes do not care, because most
//! locals are written first; those that copy a body into a loop, or that want to know all the values a
//! local can have, do.
//!
//! # Algorithm
//! A local with one assignment that dominates all its uses is written first. Of every other local it
//! is taken that it may be read before: the answer errs on the safe side.
//!
//! # Cost
//! O(instructions), given the dominator tree.

use super::Dominators;
use crate::body::Body;
use crate::entities::{Block, Local};
use cranelift_entity::{EntitySet, SecondaryMap};

/// The locals, parameters apart, of which a read is not known to come after a write.
pub fn possibly_unassigned(body: &Body, dominators: &Dominators) -> EntitySet<Local> {
    const NONE: u32 = u32::MAX;
    const MANY: u32 = u32::MAX - 1;
    let mut place: SecondaryMap<Local, (Block, u32)> =
        SecondaryMap::with_default((Block::from_u32(0), NONE));
    place.resize(body.locals.len());
    let reachable = dominators.reverse_postorder();
    for &block in reachable {
        let data = &body.blocks[block];
        let mut define = |local: Local, at: u32| {
            let entry = &mut place[local];
            *entry = (block, if entry.1 == NONE { at } else { MANY });
        };
        for (i, inst) in data.insts.iter().enumerate() {
            inst.for_each_def(&body.pool, |local| define(local, i as u32));
        }
        // What a terminator assigns holds on some of its edges only.
        data.term
            .for_each_def(&body.pool, |local| define(local, MANY));
    }
    let mut unassigned = EntitySet::new();
    for &block in reachable {
        let data = &body.blocks[block];
        let mut read = |local: Local, at: u32| {
            let (home, defined) = place[local];
            let known = match defined {
                NONE | MANY => false,
                defined if home == block => defined < at,
                _ => dominators.dominates(home, block),
            };
            if !known && local.as_u32() >= body.num_params {
                unassigned.insert(local);
            }
        };
        for (i, inst) in data.insts.iter().enumerate() {
            inst.for_each_use(&body.pool, |local| read(local, i as u32));
        }
        data.term
            .for_each_use(&body.pool, |local| read(local, MANY));
    }
    unassigned
}
