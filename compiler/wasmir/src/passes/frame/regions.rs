//! The bytes that are a function's own: the frames below its stack pointer, and its stack slots.

use super::slots::{Slot, Slots};
use crate::body::Body;
use crate::entities::StackSlot;

/// What a pointer is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The stack pointer at entry.
    Stack,
    /// A stack slot of the body.
    Slot(StackSlot),
    /// A parameter.
    Param(u32),
}

/// Bytes that are the function's own: a place in [`Frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Region(u32);

impl Region {
    /// The frames below the stack pointer.
    pub(super) const STACK: Region = Region(0);

    /// The region that a pointer leads into; parameters lead into none of ours.
    pub(super) fn of(base: Base) -> Option<Region> {
        match base {
            Base::Stack => Some(Region::STACK),
            Base::Slot(slot) => Some(Region(slot.as_u32() + 1)),
            Base::Param(_) => None,
        }
    }

    /// The stack slot that this is.
    pub(super) fn slot(self) -> Option<StackSlot> {
        self.0.checked_sub(1).map(StackSlot::from_u32)
    }
}

/// The bytes of the frames below the stack pointer and of each stack slot.
#[derive(Debug)]
pub(super) struct Frames {
    regions: Vec<Slots>,
    /// The region that was changed last.
    current: usize,
    /// How often anything changed in all others.
    elsewhere: u64,
}

impl Frames {
    pub(super) fn new(body: &Body) -> Frames {
        Frames {
            regions: vec![Slots::default(); body.slots.len() + 1],
            current: 0,
            elsewhere: 0,
        }
    }

    /// How often anything changed.
    pub(super) fn changes(&self) -> u64 {
        self.elsewhere + self.regions[self.current].changes()
    }

    /// The bytes of a region.
    pub(super) fn region(&self, region: Region) -> &Slots {
        &self.regions[region.0 as usize]
    }

    /// The same, to be changed.
    pub(super) fn region_mut(&mut self, region: Region) -> &mut Slots {
        let region = region.0 as usize;
        if region != self.current {
            let total = self.changes();
            self.current = region;
            self.elsewhere = total - self.regions[region].changes();
        }
        &mut self.regions[region]
    }

    /// What can become locals.
    pub(super) fn promoted(&self) -> impl Iterator<Item = (Region, i32, &Slot)> {
        (0..).zip(&self.regions).flat_map(|(region, slots)| {
            let promoted = slots.promoted().into_iter();
            promoted.map(move |(offset, slot)| (Region(region), offset, slot))
        })
    }
}
