//! Loops that end and do nothing: what is left of dropping elements one by one that need no dropping.
//!
//! # Input, output
//! A body; the same body in which the headers of such loops go on to what follows the loop. The blocks of the loop are left for
//! reachability, and what computes the condition for [`super::dce`].
//!
//! # Algorithm
//! A loop is looked for at each block that ends in a branch: along one of its ways a chain of jumps leads back to the block. It does
//! nothing if each of its instructions may go when unused and nothing outside reads what they assign. It ends if the
//! branch compares for (in)equality a local that each round changes by the same odd number with one that no round changes: adding an odd number
//! comes past every number. Or if it goes on while the local is less, unsigned, and the number is one.
//! Blocks are visited against the order of the layout, so that inner loops are gone when the outer ones are looked at.
//!
//! # Soundness
//! A loop that may not end is left: that it does not end is something that it does.
//!
//! # Cost
//! O(instructions); chains are at most [`LONGEST`] blocks long.

use crate::body::Body;
use crate::entities::{Block, Local};
use crate::inst::{Inst, Terminator};
use crate::op::Opcode;
use cranelift_entity::SecondaryMap;
use smallvec::SmallVec;

/// The most blocks of a loop.
const LONGEST: usize = 8;

/// The blocks of a loop, its header first.
type Chain = SmallVec<[Block; LONGEST]>;

/// Takes out the loops; how many there were.
pub(super) fn remove(body: &mut Body) -> usize {
    let mut preds: SecondaryMap<Block, u32> = SecondaryMap::new();
    preds.resize(body.blocks.len());
    for &block in &body.layout {
        body.for_each_successor(block, |to| preds[to] += 1);
    }
    let mut uses: Option<SecondaryMap<Local, u32>> = None;
    let mut removed = 0;
    for place in (0..body.layout.len()).rev() {
        let header = body.layout[place];
        let Some((chain, exit)) = loop_at(body, header, &preds) else {
            continue;
        };
        if !ends(body, &chain) {
            continue;
        }
        let uses = uses.get_or_insert_with(|| count_uses(body));
        if is_used_outside(body, &chain, uses) {
            continue;
        }
        // What is in the loop no longer counts as a way into its header, nor as a use.
        for &block in &chain[1..] {
            body.for_each_successor(block, |to| preds[to] -= 1);
            body.for_each_use(block, |local| uses[local] -= 1);
        }
        if chain.len() == 1 {
            preds[header] -= 1;
        }
        body.blocks[header]
            .term
            .for_each_use(&body.pool, |local| uses[local] -= 1);
        body.blocks[header].term = Terminator::Jump(exit);
        removed += 1;
    }
    removed
}

/// The loop that begins and is left at `header`, and where it goes on.
fn loop_at(body: &Body, header: Block, preds: &SecondaryMap<Block, u32>) -> Option<(Chain, Block)> {
    let Terminator::BrIf {
        then_to, else_to, ..
    } = body.blocks[header].term
    else {
        return None;
    };
    let idle = |block: Block| {
        body.blocks[block]
            .insts
            .iter()
            .all(Inst::removable_if_unused)
    };
    if then_to == else_to || !idle(header) {
        return None;
    }
    let chain_from = |mut next: Block| {
        let mut chain: Chain = SmallVec::from_slice(&[header]);
        while next != header {
            if chain.len() == LONGEST || preds[next] != 1 || !idle(next) {
                return None;
            }
            chain.push(next);
            let Terminator::Jump(to) = body.blocks[next].term else {
                return None;
            };
            next = to;
        }
        Some(chain)
    };
    let (then_chain, else_chain) = (chain_from(then_to), chain_from(else_to));
    match (then_chain, else_chain) {
        (Some(chain), None) => Some((chain, else_to)),
        (None, Some(chain)) => Some((chain, then_to)),
        _ => None,
    }
}

/// Where a value comes from, copies in the loop seen through. A copy may be one round behind; that changes how many rounds it takes,
/// and nothing else.
enum Origin {
    /// Nothing in the loop assigns to it.
    Before,
    /// This instruction, which alone assigns to this local.
    Loop(Local, Inst),
}

/// The origin of `local`; `None` if there are several.
fn origin(body: &Body, chain: &Chain, mut local: Local) -> Option<Origin> {
    for _ in 0..LONGEST {
        let mut found: SmallVec<[Inst; 2]> = SmallVec::new();
        for inst in chain.iter().flat_map(|&block| &body.blocks[block].insts) {
            inst.for_each_def(&body.pool, |dst| {
                if dst == local {
                    found.push(*inst);
                }
            });
        }
        match found[..] {
            [] => return Some(Origin::Before),
            [Inst::Copy { src, .. }] => local = src,
            [inst] => return Some(Origin::Loop(local, inst)),
            _ => return None,
        }
    }
    None
}

/// Whether the loop ends, whatever its locals are at first.
fn ends(body: &Body, chain: &Chain) -> bool {
    let Terminator::BrIf {
        mut cond, then_to, ..
    } = body.blocks[chain[0]].term
    else {
        return false;
    };
    // The way that goes on in the loop.
    let mut stays_if = then_to == *chain.get(1).unwrap_or(&chain[0]);
    for _ in 0..LONGEST {
        let Some(Origin::Loop(_, computed)) = origin(body, chain, cond) else {
            return false;
        };
        match computed {
            Inst::Unary {
                op: Opcode::I32Eqz,
                arg,
                ..
            } => {
                cond = arg;
                stays_if = !stays_if;
            }
            Inst::Binary {
                op, args: [a, b], ..
            } => return comes_to_an_end(body, chain, op, stays_if, a, b),
            _ => return false,
        }
    }
    false
}

/// Whether a loop ends that goes on while a comparison is as `stays_if` says.
fn comes_to_an_end(
    body: &Body,
    chain: &Chain,
    op: Opcode,
    stays_if: bool,
    a: Local,
    b: Local,
) -> bool {
    let step = |counter: Local, fixed: Local| match origin(body, chain, fixed)? {
        Origin::Before => step(body, chain, counter),
        Origin::Loop(..) => None,
    };
    match (op, stays_if) {
        (Opcode::I32Eq | Opcode::I64Eq, false) | (Opcode::I32Ne | Opcode::I64Ne, true) => {
            let step = step(a, b).or_else(|| step(b, a));
            step.is_some_and(|step| step % 2 != 0)
        }
        (Opcode::I32LtU | Opcode::I64LtU, true) | (Opcode::I32GeU | Opcode::I64GeU, false) => {
            step(a, b) == Some(1)
        }
        (Opcode::I32GtU | Opcode::I64GtU, true) | (Opcode::I32LeU | Opcode::I64LeU, false) => {
            step(b, a) == Some(1)
        }
        _ => false,
    }
}

/// By what each round changes a counter: what computes it adds a constant to it.
fn step(body: &Body, chain: &Chain, counter: Local) -> Option<u64> {
    let Origin::Loop(
        place,
        Inst::Binary {
            op: Opcode::I32Add | Opcode::I64Add,
            args: [a, b],
            ..
        },
    ) = origin(body, chain, counter)?
    else {
        return None;
    };
    let by =
        |one: Local, other: Local| match (origin(body, chain, one)?, origin(body, chain, other)?) {
            (Origin::Loop(from, _), Origin::Loop(_, Inst::Const { bits, .. })) if from == place => {
                Some(bits)
            }
            _ => None,
        };
    by(a, b).or_else(|| by(b, a))
}

fn count_uses(body: &Body) -> SecondaryMap<Local, u32> {
    let mut uses = SecondaryMap::new();
    uses.resize(body.locals.len());
    for &block in &body.layout {
        body.for_each_use(block, |local| uses[local] += 1);
    }
    uses
}

/// Whether anything outside of the chain reads what is assigned in it.
fn is_used_outside(body: &Body, chain: &Chain, uses: &SecondaryMap<Local, u32>) -> bool {
    let mut within: SmallVec<[(Local, u32); 32]> = SmallVec::new();
    for inst in chain.iter().flat_map(|&block| &body.blocks[block].insts) {
        inst.for_each_def(&body.pool, |local| within.push((local, 0)));
    }
    within.sort_unstable();
    within.dedup();
    for &block in chain {
        body.for_each_use(block, |local| {
            if let Ok(place) = within.binary_search_by_key(&local, |one| one.0) {
                within[place].1 += 1;
            }
        });
    }
    within.iter().any(|&(local, count)| uses[local] != count)
}
