//! Which locals may be read before they are written.
//!
//! A local other than a parameter starts as zero (or null). Most passes do not care, because most
//! locals are written first; those that copy a body into a loop, or that want to know all the values a
//! local can have, do.
//!
//! # Algorithm
//! A local with one assignment that dominates all its uses is written first. Of every other local it
//! is taken that it may be read before: the answer errs on the safe side. One walk in reverse postorder is
//! enough, since an assignment that comes later dominates nothing that came before. The entry block dominates all blocks and
//! a block itself; who dominates whom is asked, and the tree made, only if there are reads elsewhere of what other
//! blocks assign. Unoptimised code has few.
//!
//! # Cost
//! O(instructions + edges · log blocks).

use super::Dominators;
use crate::body::Body;
use crate::entities::{Block, Local};
use cranelift_entity::{EntitySet, SecondaryMap};

/// What is known of a local.
#[derive(Clone, Copy)]
struct Seen {
    /// The block of its only assignment so far, [`NONE`] or [`MANY`].
    home: u32,
    /// The last block that reads it, or [`NONE`].
    reader: u32,
}

/// No block.
const NONE: u32 = u32::MAX;

/// Several assignments, or one of a terminator: that holds on some of its edges only.
const MANY: u32 = u32::MAX - 1;

struct Walk<'a> {
    body: &'a Body,
    entry: u32,
    seen: SecondaryMap<Local, Seen>,
    unassigned: EntitySet<Local>,
    /// Locals with the block of their assignment and one that reads them.
    open: Vec<(Local, Block, Block)>,
}

impl Walk<'_> {
    fn add(&mut self, local: Local) {
        if local.as_u32() >= self.body.num_params {
            self.unassigned.insert(local);
        }
    }

    #[inline]
    fn read(&mut self, local: Local, block: u32) {
        let entry = &mut self.seen[local];
        if entry.reader == block {
            return;
        }
        entry.reader = block;
        match entry.home {
            NONE | MANY => self.add(local),
            home if home == block || home == self.entry => {}
            home => self
                .open
                .push((local, Block::from_u32(home), Block::from_u32(block))),
        }
    }

    #[inline]
    fn define(&mut self, local: Local, block: u32) {
        let entry = &mut self.seen[local];
        entry.home = if entry.home == NONE { block } else { MANY };
        if entry.home == MANY && entry.reader != NONE {
            self.add(local);
        }
    }
}

/// How a body assigns its locals.
#[derive(Clone, Debug)]
pub struct Assignments {
    /// The locals, parameters apart, of which a read is not known to come after a write. What is read and has several
    /// assignments is among them.
    pub unassigned: EntitySet<Local>,
    /// The parameters that are assigned.
    changed: EntitySet<Local>,
}

impl Assignments {
    /// Finds them; `order` is the body's [`super::reverse_postorder`].
    pub fn of(body: &Body, order: &[Block]) -> Assignments {
        let walk = walk(body, order);
        let mut changed = EntitySet::new();
        for param in body.params() {
            if walk.seen[param].home != NONE {
                changed.insert(param);
            }
        }
        Assignments {
            unassigned: walk.unassigned,
            changed,
        }
    }

    /// Whether there is no assignment but one that comes before all reads; of a parameter, its value at entry.
    pub fn is_stable(&self, local: Local) -> bool {
        !self.unassigned.contains(local) && !self.changed.contains(local)
    }
}

/// The locals, parameters apart, of which a read is not known to come after a write; `order` is the body's
/// [`super::reverse_postorder`].
pub fn possibly_unassigned(body: &Body, order: &[Block]) -> EntitySet<Local> {
    walk(body, order).unassigned
}

fn walk<'a>(body: &'a Body, order: &[Block]) -> Walk<'a> {
    let unseen = Seen {
        home: NONE,
        reader: NONE,
    };
    let mut walk = Walk {
        body,
        entry: order.first().map_or(NONE, |entry| entry.as_u32()),
        seen: SecondaryMap::with_default(unseen),
        unassigned: EntitySet::new(),
        open: Vec::new(),
    };
    walk.seen.resize(body.locals.len());
    for &block in order {
        let data = &body.blocks[block];
        let number = block.as_u32();
        for inst in &data.insts {
            inst.for_each_use(&body.pool, |local| walk.read(local, number));
            inst.for_each_def(&body.pool, |local| walk.define(local, number));
        }
        data.term
            .for_each_use(&body.pool, |local| walk.read(local, number));
        data.term
            .for_each_def(&body.pool, |local| walk.define(local, MANY));
    }
    if !walk.open.is_empty() {
        let dominators = Dominators::in_order(body, order.to_vec());
        for (local, home, reader) in std::mem::take(&mut walk.open) {
            if !dominators.dominates(home, reader) {
                walk.add(local);
            }
        }
    }
    walk
}
