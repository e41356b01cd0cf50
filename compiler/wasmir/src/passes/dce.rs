//! Dead code elimination: instructions whose results nobody reads, [loops](super::idle) and blocks nobody reaches, stack slots nobody
//! names.
//!
//! # Algorithm
//! Uses of each local are counted over the reachable blocks. An instruction that may go when unused
//! ([`Inst::removable_if_unused`]) and of which no result has a use is dead; removing it takes away the
//! uses of its operands, which may make others dead. Most of those stand before it, so the body is walked backwards, and walked
//! again only if the last use of a local went after one of its assignments was passed. A local is
//! seen as a whole: an assignment stays as long as *any* read of the local does.
//!
//! # Cost
//! O(instructions) for each walk. Walks are bounded ([`MAX_WALKS`]; two are usual), and what chains of dead assignments against
//! the order of blocks are left then is left.

use super::idle;
use crate::body::Body;
use crate::entities::{Block, Local, StackSlot};
use crate::inst::Inst;
use cranelift_entity::SecondaryMap;

/// What the pass removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instructions.
    pub insts: usize,
    /// Loops that did nothing.
    pub loops: usize,
    /// Blocks.
    pub blocks: usize,
    /// Stack slots.
    pub slots: usize,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.insts += other.insts;
        self.loops += other.loops;
        self.blocks += other.blocks;
        self.slots += other.slots;
    }
}

/// Walks after which nothing more is looked for.
const MAX_WALKS: usize = 16;

/// What is known of a local.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// How many reads there are.
    uses: u32,
    /// An assignment that could go was passed while there were some.
    kept: bool,
}

/// The dead instructions.
struct Dead {
    /// A bit for each instruction.
    bits: Vec<u64>,
    /// The number of each block's first instruction, and whether any of the block is dead.
    blocks: SecondaryMap<Block, (u32, bool)>,
    /// How many there are.
    count: usize,
}

impl Dead {
    /// None of the instructions of `body`.
    fn of(body: &Body) -> Dead {
        let mut blocks = SecondaryMap::new();
        blocks.resize(body.blocks.len());
        let mut next = 0;
        for &block in &body.layout {
            blocks[block] = (next, false);
            next += body.blocks[block].insts.len() as u32;
        }
        Dead {
            bits: vec![0; next.div_ceil(64) as usize],
            blocks,
            count: 0,
        }
    }

    /// Whether it was not dead before.
    fn insert(&mut self, block: Block, place: u32) -> bool {
        let (first, any) = &mut self.blocks[block];
        *any = true;
        let number = *first + place;
        let (word, bit) = (&mut self.bits[number as usize / 64], 1 << (number % 64));
        let new = *word & bit == 0;
        *word |= bit;
        self.count += usize::from(new);
        new
    }

    fn contains(&self, block: Block, place: u32) -> bool {
        let number = self.blocks[block].0 + place;
        self.bits[number as usize / 64] >> (number % 64) & 1 != 0
    }

    fn has_any(&self, block: Block) -> bool {
        self.blocks[block].1
    }
}

/// Runs the pass.
pub fn run(body: &mut Body) -> Stats {
    let mut stats = Stats {
        loops: idle::remove(body),
        blocks: unreachable_blocks(body),
        ..Stats::default()
    };

    let mut seen: SecondaryMap<Local, Seen> = SecondaryMap::new();
    seen.resize(body.locals.len());
    for &block in &body.layout {
        body.for_each_use(block, |local| seen[local].uses += 1);
    }
    let mut dead = Dead::of(body);
    for _ in 0..MAX_WALKS {
        let mut again = false;
        for &block in body.layout.iter().rev() {
            for (place, inst) in body.blocks[block].insts.iter().enumerate().rev() {
                if !inst.removable_if_unused() {
                    continue;
                }
                let mut unused = true;
                inst.for_each_def(&body.pool, |local| unused &= seen[local].uses == 0);
                if !unused {
                    inst.for_each_def(&body.pool, |local| seen[local].kept = true);
                } else if dead.insert(block, place as u32) {
                    inst.for_each_use(&body.pool, |operand| {
                        let operand = &mut seen[operand];
                        operand.uses -= 1;
                        again |= operand.uses == 0 && operand.kept;
                    });
                }
            }
        }
        if !again {
            break;
        }
    }
    stats.insts = dead.count;
    for i in 0..body.layout.len() {
        let block = body.layout[i];
        if dead.has_any(block) {
            body.blocks[block].retain(|place, _| !dead.contains(block, place as u32));
        }
    }
    stats.slots = slots(body);
    stats
}

/// Takes the blocks that nothing reaches out of the layout.
fn unreachable_blocks(body: &mut Body) -> usize {
    let mut seen: SecondaryMap<Block, bool> = SecondaryMap::new();
    seen.resize(body.blocks.len());
    let mut work: Vec<Block> = body.entry().into_iter().collect();
    while let Some(block) = work.pop() {
        if !std::mem::replace(&mut seen[block], true) {
            body.for_each_successor(block, |to| work.push(to));
        }
    }
    let before = body.layout.len();
    body.layout.retain(|&block| seen[block]);
    before - body.layout.len()
}

/// Removes the stack slots that no instruction names, and numbers the others anew.
fn slots(body: &mut Body) -> usize {
    if body.slots.is_empty() {
        return 0;
    }
    let mut named: SecondaryMap<StackSlot, bool> = SecondaryMap::new();
    for &block in &body.layout {
        for inst in &body.blocks[block].insts {
            if let Inst::StackAddr { slot, .. } = *inst {
                named[slot] = true;
            }
        }
    }
    let old = std::mem::take(&mut body.slots);
    let mut numbers: SecondaryMap<StackSlot, StackSlot> =
        SecondaryMap::with_default(StackSlot::from_u32(0));
    for (slot, &data) in old.iter().filter(|(slot, _)| named[*slot]) {
        numbers[slot] = body.slots.push(data);
    }
    for i in 0..body.layout.len() {
        for inst in &mut body.blocks[body.layout[i]].insts {
            if let Inst::StackAddr { slot, .. } = inst {
                *slot = numbers[*slot];
            }
        }
    }
    old.len() - body.slots.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BodyBuilder, Opcode, Type};

    #[test]
    fn chains_of_dead_instructions_and_dead_blocks_go() {
        let mut b = BodyBuilder::new(&[Type::I32]);
        let (entry, nowhere) = (b.block(), b.block());
        b.switch_to(entry);
        let x = b.param(0);
        let one = b.i32_const(1);
        let y = b.binary(Opcode::I32Add, Type::I32, x, one);
        b.unary(Opcode::I32Eqz, Type::I32, y);
        let trap = b.binary(Opcode::I32DivS, Type::I32, x, x);
        let _ = trap;
        b.ret(&[x]);
        b.switch_to(nowhere);
        b.ret(&[y]);
        let mut body = b.finish();
        assert_eq!(
            run(&mut body),
            Stats {
                insts: 3,
                loops: 0,
                blocks: 1,
                slots: 0,
            }
        );
        assert_eq!(body.num_insts(), 2, "the division may trap and stays");
        assert_eq!(run(&mut body), Stats::default());
    }
}
