//! Loads of what is known to be in memory, and stores that nobody reads.
//!
//! # Input, output
//! A body; the same body with loads replaced by copies of the local that was stored there or loaded from there before, without the
//! stores that write what is there already, and without those that a later store to the same place overwrites.
//! ([`super::frame`] has made locals of what only the function itself can reach; what is left here is other memory, and frames
//! whose address is handed out.)
//!
//! # Algorithm
//! A table of the last known contents goes through each extended block: the blocks that are reached from one by edges that are
//! each the only one into their target. A place is a local, a constant that was added to it, and the offset of the access; two places with one
//! local are the same or apart, and any others may overlap. A store ends what may overlap with it, a call or another
//! operator that writes memory ends everything. (Cranelift's alias analysis, which runs later, knows one last store for all
//! of a memory: of two fields that are written one after the other it has forgotten the first.)
//!
//! A store is *overwritten* if a store of the same width to the same place follows in its block, with nothing in between that may read
//! memory, leave the block or trap. An access does not trap where one with the same local has reached as far before.
//!
//! # Invariants
//! An assignment gives a local a new version, and an entry names the versions it is about, so that entries need not be searched for
//! at each assignment. Versions are not used twice: an entry of another way to the same block may be taken for outdated, never for valid.
//!
//! # Cost
//! O(instructions · [`MOST`]); bodies with less than two accesses are left at once.

use crate::analysis::reverse_postorder;
use crate::body::Body;
use crate::entities::{Block, Local, Memory};
use crate::inst::{Inst, Terminator};
use crate::op::{Opcode, Traits};
use crate::types::Type;
use cranelift_entity::SecondaryMap;

/// How many entries the table has at most; the oldest makes room.
const MOST: usize = 24;

/// The largest constants and offsets that are looked at: sums of two differ by less than half of the address space.
const FARTHEST: i64 = 1 << 29;

/// What the pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Loads that became copies.
    pub loads: usize,
    /// Stores that were removed.
    pub stores: usize,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.loads += other.loads;
        self.stores += other.stores;
    }
}

/// A value of a local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version(Local, u32);

/// Where an access begins: at the sum of a local and a constant, modulo 2³², plus an offset that does not wrap.
#[derive(Clone, Copy, Debug)]
struct Place {
    memory: Memory,
    base: Version,
    added: i64,
    offset: i64,
}

impl Place {
    fn start(&self) -> i64 {
        self.added + self.offset
    }

    /// Whether an access here is to the same byte, and cannot trap, after one at `before`, which did not.
    fn is(&self, before: &Place) -> bool {
        (self.memory, self.base, self.start()) == (before.memory, before.base, before.start())
            && (self.added == before.added || (before.added == 0 && self.added > 0))
    }

    /// Whether `width` bytes here and `other_width` there have none in common, whatever the local is.
    fn is_apart(&self, width: i64, other: &Place, other_width: i64) -> bool {
        self.memory != other.memory
            || (self.base == other.base
                && (self.start() + width <= other.start()
                    || other.start() + other_width <= self.start()))
    }
}

/// What is known of some bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    place: Place,
    width: i64,
    /// The operator that loads it, and what it would load.
    load: Option<(Opcode, Version)>,
    /// The store that wrote it, as long as it is in the present block and nobody may have seen what it wrote.
    unread: Option<u32>,
}

/// Runs the pass.
pub fn run(body: &mut Body) -> Stats {
    let accesses = |block: &Block| {
        let access = |inst: &&Inst| matches!(inst, Inst::Load { .. } | Inst::Store { .. });
        body.blocks[*block].insts.iter().filter(access).count()
    };
    if body.layout.iter().map(accesses).sum::<usize>() < 2 {
        return Stats::default();
    }
    let order = reverse_postorder(body);
    let mut edges: SecondaryMap<Block, u32> = SecondaryMap::new();
    edges.resize(body.blocks.len());
    for &block in &order {
        body.for_each_successor(block, |to| edges[to] += 1);
    }
    let mut walk = Walk {
        versions: SecondaryMap::new(),
        last_version: 0,
        sums: SecondaryMap::new(),
        constants: SecondaryMap::new(),
        computed: Vec::new(),
        table: Vec::new(),
        dead: Vec::new(),
        stats: Stats::default(),
    };
    walk.versions.resize(body.locals.len());
    walk.sums.resize(body.locals.len());
    walk.constants.resize(body.locals.len());
    // What is known at the end of the only predecessor.
    let mut known: SecondaryMap<Block, Vec<Entry>> = SecondaryMap::new();
    known.resize(body.blocks.len());
    for &block in &order {
        walk.table = std::mem::take(&mut known[block]);
        walk.block(body, block);
        let term = body.blocks[block].term;
        term.for_each_def(&body.pool, |local| walk.assign(local));
        if let Terminator::Invoke { .. } = term {
            walk.table.clear();
        }
        for entry in &mut walk.table {
            entry.unread = None;
        }
        body.for_each_successor(block, |to| {
            if edges[to] == 1 {
                known[to].clone_from(&walk.table);
            }
        });
    }
    walk.stats
}

struct Walk {
    versions: SecondaryMap<Local, u32>,
    last_version: u32,
    /// Of which local and constant a local is the sum, and in which of its versions; found in the present block.
    sums: SecondaryMap<Local, Option<(u32, Version, i64)>>,
    /// The constant that a local is, and in which of its versions; found in the present block.
    constants: SecondaryMap<Local, Option<(u32, i64)>>,
    /// The locals of which either is known.
    computed: Vec<Local>,
    table: Vec<Entry>,
    /// The stores of the present block that go.
    dead: Vec<u32>,
    stats: Stats,
}

impl Walk {
    fn version(&self, local: Local) -> Version {
        Version(local, self.versions[local])
    }

    fn assign(&mut self, local: Local) {
        self.last_version += 1;
        self.versions[local] = self.last_version;
    }

    fn is_current(&self, version: Version) -> bool {
        self.versions[version.0] == version.1
    }

    /// The local and the constant that a local is the sum of.
    fn sum(&self, local: Local) -> (Version, i64) {
        match self.sums[local] {
            Some((version, base, added)) if self.versions[local] == version => (base, added),
            _ => (self.version(local), 0),
        }
    }

    fn place(&self, memory: Memory, addr: Local, offset: u64) -> Option<Place> {
        let (base, added) = self.sum(addr);
        let offset = i64::try_from(offset).ok().filter(|&o| o < FARTHEST)?;
        Some(Place {
            memory,
            base,
            added,
            offset,
        })
    }

    /// The latest entry for exactly this place.
    fn find(&self, place: &Place, width: i64) -> Option<usize> {
        let same = |entry: &Entry| entry.width == width && place.is(&entry.place);
        self.table.iter().rposition(same)
    }

    fn add(&mut self, entry: Entry) {
        if self.table.len() == MOST {
            self.table.remove(0);
        }
        self.table.push(entry);
    }

    /// Nothing that was stored can be taken for unread any more.
    fn observe(&mut self) {
        for entry in &mut self.table {
            entry.unread = None;
        }
    }

    /// Whether an access that far from its local is known not to trap.
    fn is_inside(&self, place: &Place, width: i64) -> bool {
        self.table.iter().any(|entry| {
            let other = &entry.place;
            (other.memory, other.base, other.added) == (place.memory, place.base, place.added)
                && other.offset + entry.width >= place.offset + width
        })
    }

    fn block(&mut self, body: &mut Body, block: Block) {
        self.dead.clear();
        // A version of another block's is not the one that this block was entered with, though it may have its number.
        for local in self.computed.drain(..) {
            self.sums[local] = None;
            self.constants[local] = None;
        }
        for at in 0..body.blocks[block].insts.len() {
            let inst = body.blocks[block].insts[at];
            match inst {
                Inst::Load {
                    op,
                    access,
                    dst,
                    addr,
                    memory,
                    offset,
                } if !access.is_volatile() && !op.traits().contains(Traits::ATOMIC) => {
                    if let Some(value) = self.load(op, dst, memory, addr, offset) {
                        body.blocks[block].insts[at] = Inst::Copy { dst, src: value };
                        self.stats.loads += 1;
                    }
                }
                Inst::Store {
                    op,
                    access,
                    addr,
                    value,
                    memory,
                    offset,
                } if !access.is_volatile() && !op.traits().contains(Traits::ATOMIC) => {
                    self.store(op, value, memory, addr, offset, at as u32);
                }
                _ => {
                    self.other(body, &inst);
                }
            }
        }
        if !self.dead.is_empty() {
            self.dead.sort_unstable();
            let dead = &self.dead;
            let keep = |place: usize, _: &Inst| dead.binary_search(&(place as u32)).is_err();
            self.stats.stores += body.blocks[block].retain(keep);
        }
    }

    /// Goes over a load; gives the local that holds what it would load.
    fn load(
        &mut self,
        op: Opcode,
        dst: Local,
        memory: Memory,
        addr: Local,
        offset: u64,
    ) -> Option<Local> {
        let width = i64::from(op.access_width().unwrap_or(16));
        let Some(place) = self.place(memory, addr, offset) else {
            self.observe();
            self.assign(dst);
            return None;
        };
        let found = self.find(&place, width).map(|at| self.table[at]);
        if let Some((load, value)) = found.and_then(|entry| entry.load)
            && load == op
            && self.is_current(value)
        {
            let (base, added) = self.sum(value.0);
            self.assign(dst);
            if value.0 != dst {
                self.set_sum(dst, base, added);
            }
            return Some(value.0);
        }
        if self.is_inside(&place, width) {
            for entry in &mut self.table {
                if !place.is_apart(width, &entry.place, entry.width) {
                    entry.unread = None;
                }
            }
        } else {
            self.observe();
        }
        self.assign(dst);
        // An address that is gone tells nothing any more.
        if self.is_current(place.base) {
            self.add(Entry {
                place,
                width,
                load: Some((op, self.version(dst))),
                unread: None,
            });
        }
        None
    }

    fn store(
        &mut self,
        op: Opcode,
        value: Local,
        memory: Memory,
        addr: Local,
        offset: u64,
        at: u32,
    ) {
        let width = i64::from(op.access_width().unwrap_or(16));
        let Some(place) = self.place(memory, addr, offset) else {
            self.table.clear();
            return;
        };
        let load = loaded_by(op).map(|load| (load, self.version(value)));
        if let Some(same) = self.find(&place, width) {
            let entry = self.table[same];
            if load.is_some() && entry.load == load {
                self.dead.push(at);
                return;
            }
            if let Some(before) = entry.unread {
                self.dead.push(before);
            }
        } else if !self.is_inside(&place, width) {
            self.observe();
        }
        self.table
            .retain(|entry| place.is_apart(width, &entry.place, entry.width));
        self.add(Entry {
            place,
            width,
            load,
            unread: Some(at),
        });
    }

    /// Goes over any other instruction.
    fn other(&mut self, body: &Body, inst: &Inst) {
        match *inst {
            Inst::Call { .. } | Inst::Store { .. } => self.table.clear(),
            Inst::Load { .. } => self.observe(),
            Inst::Unary { op, .. }
            | Inst::Binary { op, .. }
            | Inst::Ternary { op, .. }
            | Inst::Op { op, .. } => {
                let traits = op.traits();
                if traits.contains(Traits::WRITES) || traits.contains(Traits::ATOMIC) {
                    self.table.clear();
                } else if !traits.is_pure() {
                    self.observe();
                }
            }
            _ => {}
        }
        let sum = self.sum_of(inst);
        inst.for_each_def(&body.pool, |local| self.assign(local));
        match *inst {
            Inst::Const { dst, bits } if body.locals[dst] == Type::I32 => {
                self.constants[dst] = Some((self.versions[dst], i64::from(bits as i32)));
                self.computed.push(dst);
            }
            _ => {
                if let Some((dst, base, added)) = sum {
                    self.set_sum(dst, base, added);
                }
            }
        }
    }

    fn set_sum(&mut self, dst: Local, base: Version, added: i64) {
        if added.abs() < FARTHEST && base.0 != dst {
            self.sums[dst] = Some((self.versions[dst], base, added));
            self.computed.push(dst);
        }
    }

    /// The constant that a local is.
    fn constant(&self, local: Local) -> Option<i64> {
        let (version, value) = self.constants[local]?;
        (version == self.versions[local]).then_some(value)
    }

    /// The sum of a local and a constant that an instruction computes.
    fn sum_of(&self, inst: &Inst) -> Option<(Local, Version, i64)> {
        let (dst, local, more) = match *inst {
            Inst::Copy { dst, src } => (dst, src, 0),
            Inst::Binary {
                op: Opcode::I32Add,
                dst,
                args: [a, b],
            } => match (self.constant(a), self.constant(b)) {
                (_, Some(more)) => (dst, a, more),
                (Some(more), _) => (dst, b, more),
                _ => return None,
            },
            Inst::Binary {
                op: Opcode::I32Sub,
                dst,
                args: [a, b],
            } => (dst, a, -self.constant(b)?),
            _ => return None,
        };
        let (base, added) = self.sum(local);
        Some((dst, base, added + more))
    }
}

/// The operator that loads what `store` has written, if that gives back the local.
fn loaded_by(store: Opcode) -> Option<Opcode> {
    use Opcode::*;
    Some(match store {
        I8Store => I8Load,
        I16Store => I16Load,
        I32Store => I32Load,
        I64Store => I64Load,
        I128Store => I128Load,
        F32Store => F32Load,
        F64Store => F64Load,
        V128Store => V128Load,
        _ => return None,
    })
}
