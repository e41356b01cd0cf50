//! Dead code elimination: instructions whose results nobody reads, blocks nobody reaches, stack slots nobody names.
//!
//! # Algorithm
//! Uses of each local are counted over the reachable blocks. An instruction that may go when unused
//! ([`Inst::removable_if_unused`]) and of which no result has a use is dead; removing it takes away the
//! uses of its operands, which may make others dead, so the counts are worked off a worklist. A local is
//! seen as a whole: an assignment stays as long as *any* read of the local does.
//!
//! # Cost
//! O(instructions).

use crate::analysis::Dominators;
use crate::body::Body;
use crate::entities::{Block, Local, StackSlot};
use crate::inst::Inst;
use cranelift_entity::SecondaryMap;

/// What the pass removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instructions.
    pub insts: usize,
    /// Blocks.
    pub blocks: usize,
    /// Stack slots.
    pub slots: usize,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.insts += other.insts;
        self.blocks += other.blocks;
        self.slots += other.slots;
    }
}

/// Runs the pass.
pub fn run(body: &mut Body) -> Stats {
    let mut stats = Stats::default();
    let dominators = Dominators::of(body);
    let before = body.layout.len();
    body.layout.retain(|&block| dominators.reaches(block));
    stats.blocks = before - body.layout.len();

    let mut uses: SecondaryMap<Local, u32> = SecondaryMap::new();
    let mut removable: Vec<(Local, (Block, u32))> = Vec::new();
    for &block in &body.layout {
        let data = &body.blocks[block];
        for (i, inst) in data.insts.iter().enumerate() {
            inst.for_each_use(&body.pool, |local| uses[local] += 1);
            if inst.removable_if_unused() {
                inst.for_each_def(&body.pool, |local| {
                    removable.push((local, (block, i as u32)))
                });
            }
        }
        data.term.for_each_use(&body.pool, |local| uses[local] += 1);
    }
    // The removable assignments of each local, together.
    removable.sort_unstable();
    let of = |local: Local| {
        let start = removable.partition_point(|r| r.0 < local);
        removable[start..]
            .iter()
            .take_while(move |r| r.0 == local)
            .map(|r| r.1)
    };
    let mut dead: SecondaryMap<Block, Vec<u32>> = SecondaryMap::new();
    let mut work: Vec<Local> = removable
        .iter()
        .map(|r| r.0)
        .filter(|&l| uses[l] == 0)
        .collect();
    work.dedup();
    while let Some(local) = work.pop() {
        for (block, i) in of(local) {
            let inst: &Inst = &body.blocks[block].insts[i as usize];
            let mut unused = true;
            inst.for_each_def(&body.pool, |local| unused &= uses[local] == 0);
            if !unused || dead[block].contains(&i) {
                continue;
            }
            dead[block].push(i);
            stats.insts += 1;
            inst.for_each_use(&body.pool, |operand| {
                uses[operand] -= 1;
                if uses[operand] == 0 {
                    work.push(operand);
                }
            });
        }
    }
    for &block in &body.layout {
        let gone = &mut dead[block];
        if !gone.is_empty() {
            gone.sort_unstable();
            body.blocks[block].retain(|i, _| gone.binary_search(&(i as u32)).is_err());
        }
    }
    stats.slots = slots(body);
    stats
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
                blocks: 1,
                slots: 0,
            }
        );
        assert_eq!(body.num_insts(), 2, "the division may trap and stays");
        assert_eq!(run(&mut body), Stats::default());
    }
}
