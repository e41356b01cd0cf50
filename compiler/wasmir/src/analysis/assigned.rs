//! Which locals may be read before they are written.
//!
//! A local other than a parameter starts as zero (or null). Most passes do not care, because most
//! locals are written first; those that copy a body into a loop, or that want to know all the values a
//! local can have, do.
//!
//! # Algorithm
//! A local with one assignment that dominates all its uses is written first. Of every other local it
//! is taken that it may be read before: the answer errs on the safe side. One walk in reverse postorder is
//! enough: an assignment that comes later dominates nothing that came before.
//!
//! # Cost
//! O(instructions), given the dominator tree.

use super::Dominators;
use crate::body::Body;
use crate::entities::{Block, Local};
use cranelift_entity::{EntitySet, SecondaryMap};

/// What is known of a local.
#[derive(Clone, Copy)]
struct Seen {
    /// The block of its only assignment so far, [`NONE`] or [`MANY`].
    home: u32,
    /// Whether anything reads it.
    read: bool,
}

/// No assignment.
const NONE: u32 = u32::MAX;

/// Several assignments, or one of a terminator: that holds on some of its edges only.
const MANY: u32 = u32::MAX - 1;

/// The locals, parameters apart, of which a read is not known to come after a write.
pub fn possibly_unassigned(body: &Body, dominators: &Dominators) -> EntitySet<Local> {
    let unseen = Seen {
        home: NONE,
        read: false,
    };
    let mut seen: SecondaryMap<Local, Seen> = SecondaryMap::with_default(unseen);
    seen.resize(body.locals.len());
    let mut unassigned = EntitySet::new();
    for &block in dominators.reverse_postorder() {
        let data = &body.blocks[block];
        let number = block.as_u32();
        let read = |seen: &mut SecondaryMap<Local, Seen>,
                    unassigned: &mut EntitySet<Local>,
                    local: Local| {
            let entry = &mut seen[local];
            entry.read = true;
            let known = match entry.home {
                NONE | MANY => false,
                home => home == number || dominators.dominates(Block::from_u32(home), block),
            };
            if !known && local.as_u32() >= body.num_params {
                unassigned.insert(local);
            }
        };
        let define = |seen: &mut SecondaryMap<Local, Seen>,
                      unassigned: &mut EntitySet<Local>,
                      local: Local,
                      home: u32| {
            let entry = &mut seen[local];
            entry.home = if entry.home == NONE { home } else { MANY };
            if entry.home == MANY && entry.read && local.as_u32() >= body.num_params {
                unassigned.insert(local);
            }
        };
        for inst in &data.insts {
            inst.for_each_use(&body.pool, |local| read(&mut seen, &mut unassigned, local));
            inst.for_each_def(&body.pool, |local| {
                define(&mut seen, &mut unassigned, local, number)
            });
        }
        data.term
            .for_each_use(&body.pool, |local| read(&mut seen, &mut unassigned, local));
        data.term.for_each_def(&body.pool, |local| {
            define(&mut seen, &mut unassigned, local, MANY)
        });
    }
    unassigned
}
