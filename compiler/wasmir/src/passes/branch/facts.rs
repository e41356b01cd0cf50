//! What is known of locals on the way from the entry to the place that is looked at.
//!
//! ```text
//!       Any
//!      /    \
//!   Truth  NonZero        0 or 1; anything but 0
//!      \    /
//!     Const(k)
//! ```
//!
//! Beside its value, a local may have a *relation* to another from which it was computed (`c = i32.eqz x`): when a branch shows
//! what `c` is, it also shows what `x` is.
//!
//! # Invariants
//! A fact about a *stable* local, one whose only assignment comes before all its reads, holds wherever it was found and in all
//! blocks dominated by that place: a path from another execution of the assignment to such a block passes the place again.
//! A fact about any other local holds in its *extended block*, the blocks that are reached from its root by edges that are each
//! the only one into their target. Facts of another extended block are there, but not valid.
//!
//! # Cost
//! Constant for each question and each change; a change is undone in constant time.

use crate::analysis::{Assignments, constant};
use crate::body::Body;
use crate::entities::Local;
use crate::inst::Inst;
use crate::op::Opcode;
use cranelift_entity::SecondaryMap;

/// What is known of a local's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    #[default]
    Any,
    /// It is 0 or 1.
    Truth,
    /// It is not 0.
    NonZero,
    /// It is this, zero-extended.
    Const(u64),
}

/// How a local was computed from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// It is the other, or the same number in another width: one is 0 when the other is.
    Same,
    /// It is 1 when the other is 0, else 0.
    Eqz,
    /// It is 1 when the other is this, else 0.
    Eq(u32),
    /// It is 0 when the other is this, else 1.
    Ne(u32),
    /// It is not 0 only if the other is not.
    Part,
}

/// Beyond this many steps from a condition nothing is looked for.
const DEPTH: usize = 6;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    known: Known,
    relation: Option<(Relation, Local, u32)>,
    /// Distinguishes the values of a local one after the other.
    version: u32,
    /// The extended block in which this was found.
    root: u32,
}

/// What is known at one place.
pub(super) struct Facts {
    entries: SecondaryMap<Local, Entry>,
    assignments: Assignments,
    undo: Vec<(Local, Entry)>,
    root: u32,
    versions: u32,
}

impl Facts {
    pub(super) fn new(body: &Body, assignments: Assignments) -> Facts {
        let mut entries = SecondaryMap::new();
        entries.resize(body.locals.len());
        Facts {
            entries,
            assignments,
            undo: Vec::new(),
            root: 0,
            versions: 0,
        }
    }

    /// Begins an extended block; the facts of the last one are valid again when this is told its number.
    pub(super) fn enter_root(&mut self, root: u32) {
        self.root = root;
    }

    /// The extended block.
    pub(super) fn root(&self) -> u32 {
        self.root
    }

    /// A state to go back to.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Forgets what was found since `mark`.
    pub(super) fn back_to(&mut self, mark: usize) {
        for (local, entry) in self.undo.drain(mark..).rev() {
            self.entries[local] = entry;
        }
    }

    fn entry(&self, local: Local) -> Option<&Entry> {
        let entry = &self.entries[local];
        (entry.root == self.root || self.assignments.is_stable(local)).then_some(entry)
    }

    fn set(&mut self, local: Local, entry: Entry) {
        self.undo.push((local, self.entries[local]));
        self.entries[local] = entry;
    }

    /// What is known of a local.
    pub(super) fn known(&self, local: Local) -> Known {
        self.entry(local).map_or(Known::Any, |entry| entry.known)
    }

    /// The constant that a local is.
    pub(super) fn constant(&self, local: Local) -> Option<u64> {
        match self.known(local) {
            Known::Const(bits) => Some(bits),
            _ => None,
        }
    }

    /// Whether a local is zero, if that is known.
    pub(super) fn is_zero(&self, local: Local) -> Option<bool> {
        match self.known(local) {
            Known::Any | Known::Truth => None,
            Known::NonZero => Some(false),
            Known::Const(bits) => Some(bits == 0),
        }
    }

    /// Whether nothing is known of a local, and nothing refers to a value that it has had: most are never more than this.
    fn is_untold(&self, local: Local) -> bool {
        match self.entry(local) {
            Some(entry) => entry.version == 0 && entry.known == Known::Any,
            None => true,
        }
    }

    /// The number of a local's present value.
    fn version(&mut self, local: Local) -> u32 {
        if let Some(entry) = self.entry(local) {
            return entry.version;
        }
        self.renew(local, Known::Any, None);
        self.entries[local].version
    }

    fn define(&mut self, local: Local, known: Known, relation: Option<(Relation, Local)>) {
        if known == Known::Any && relation.is_none() && self.is_untold(local) {
            return;
        }
        let relation = relation.filter(|&(_, other)| other != local);
        let relation = relation.map(|(how, other)| (how, other, self.version(other)));
        self.renew(local, known, relation);
    }

    fn renew(&mut self, local: Local, known: Known, relation: Option<(Relation, Local, u32)>) {
        self.versions += 1;
        let entry = Entry {
            known,
            relation,
            version: self.versions,
            root: self.root,
        };
        self.set(local, entry);
    }

    /// A local got a value of which nothing is known.
    pub(super) fn forget(&mut self, local: Local) {
        self.define(local, Known::Any, None);
    }

    /// A branch has shown that a local is zero or that it is not.
    pub(super) fn assume(&mut self, local: Local, zero: bool) {
        let known = match zero {
            true => Known::Const(0),
            false => Known::NonZero,
        };
        self.learn(local, known, DEPTH);
    }

    /// A branch has shown that a local has this value.
    pub(super) fn assume_const(&mut self, local: Local, bits: u64) {
        self.learn(local, Known::Const(bits), DEPTH);
    }

    fn learn(&mut self, local: Local, new: Known, depth: usize) {
        self.version(local);
        let mut entry = self.entries[local];
        let known = match (entry.known, new) {
            (Known::Const(_), _) => return,
            (Known::Truth, Known::NonZero) => Known::Const(1),
            (_, new) => new,
        };
        entry.known = known;
        self.set(local, entry);
        let Some((relation, other, version)) = entry.relation else {
            return;
        };
        if depth == 0 || self.entry(other).is_none_or(|e| e.version != version) {
            return;
        }
        let zero = match known {
            Known::Const(bits) => bits == 0,
            _ => false,
        };
        let found = match (relation, zero) {
            (Relation::Same, _) if zero || known == Known::NonZero => known,
            // Of another width nothing more is concluded.
            (Relation::Same | Relation::Part, false) | (Relation::Eqz, true) => Known::NonZero,
            (Relation::Eqz, false) => Known::Const(0),
            (Relation::Eq(k), false) | (Relation::Ne(k), true) => Known::Const(u64::from(k)),
            (Relation::Eq(k), true) | (Relation::Ne(k), false) => match (k, self.known(other)) {
                (0, _) => Known::NonZero,
                (1, Known::Truth) => Known::Const(0),
                _ => return,
            },
            (Relation::Same | Relation::Part, true) => return,
        };
        self.learn(other, found, depth - 1);
    }

    /// Goes over an instruction; if its result is known, or one of its operands, tells what does the same.
    pub(super) fn pass(&mut self, body: &Body, inst: &Inst) -> Option<Inst> {
        match *inst {
            Inst::Const { dst, bits } => {
                self.define(dst, Known::Const(bits), None);
                None
            }
            Inst::Copy { dst, src } => {
                let known = self.known(src);
                self.define(dst, known, Some((Relation::Same, src)));
                match known {
                    Known::Const(bits) => Some(Inst::Const { dst, bits }),
                    _ => None,
                }
            }
            Inst::Unary { op, dst, arg } => {
                let (known, relation) = self.unary(op, arg);
                self.define(dst, known, relation.map(|how| (how, arg)));
                folded(dst, known)
            }
            Inst::Binary { op, dst, args } => {
                let (known, relation) = self.binary(op, args);
                self.define(dst, known, relation);
                folded(dst, known)
            }
            Inst::Ternary {
                op: Opcode::Select,
                dst,
                args: [a, b, cond],
            } => match self.is_zero(cond) {
                Some(zero) => {
                    let copy = Inst::Copy {
                        dst,
                        src: if zero { b } else { a },
                    };
                    Some(self.pass(body, &copy).unwrap_or(copy))
                }
                None => {
                    let known = match (self.known(a), self.known(b)) {
                        (x, y) if x == y => x,
                        _ => Known::Any,
                    };
                    self.define(dst, known, None);
                    None
                }
            },
            _ => {
                inst.for_each_def(&body.pool, |local| self.forget(local));
                None
            }
        }
    }

    fn unary(&self, op: Opcode, arg: Local) -> (Known, Option<Relation>) {
        use Opcode::*;
        let known = self.known(arg);
        if let Known::Const(x) = known {
            let value = constant::unary(op, x);
            return (value.map_or(Known::Any, Known::Const), None);
        }
        match op {
            I8Eqz | I16Eqz | I32Eqz | I64Eqz => match known {
                Known::NonZero => (Known::Const(0), None),
                _ => (Known::Truth, Some(Relation::Eqz)),
            },
            I16ExtendI8S | I32ExtendI8S | I64ExtendI8S | I32ExtendI16S | I64ExtendI16S
            | I64ExtendI32S | I16ExtendI8U | I32ExtendI8U | I64ExtendI8U | I32ExtendI16U
            | I64ExtendI16U | I64ExtendI32U => (known, Some(Relation::Same)),
            I8WrapI16 | I8WrapI32 | I8WrapI64 | I16WrapI32 | I16WrapI64 | I32WrapI64 => match known
            {
                Known::Truth => (known, Some(Relation::Same)),
                _ => (Known::Any, Some(Relation::Part)),
            },
            _ if constant::is_truth(op) => (Known::Truth, None),
            _ => (Known::Any, None),
        }
    }

    fn binary(&self, op: Opcode, [a, b]: [Local; 2]) -> (Known, Option<(Relation, Local)>) {
        use Opcode::*;
        let (x, y) = (self.known(a), self.known(b));
        let (other, known, k) = match (x, y) {
            (Known::Const(x), Known::Const(y)) => {
                let value = constant::binary(op, x, y);
                return (value.map_or(Known::Any, Known::Const), None);
            }
            (_, Known::Const(k)) => (a, x, Some(k)),
            (Known::Const(k), _) => (b, y, Some(k)),
            _ => (a, x, None),
        };
        let narrow = k.and_then(|k| u32::try_from(k).ok());
        match (op, narrow) {
            (I8Eq | I16Eq | I32Eq | I64Eq, Some(k)) => match (k, known) {
                (0, Known::NonZero) => (Known::Const(0), None),
                (k, Known::Truth) if k > 1 => (Known::Const(0), None),
                (1, Known::Truth) => (Known::Truth, Some((Relation::Same, other))),
                _ => (Known::Truth, Some((Relation::Eq(k), other))),
            },
            (I8Ne | I16Ne | I32Ne | I64Ne, Some(k)) => match (k, known) {
                (0, Known::NonZero) => (Known::Const(1), None),
                (k, Known::Truth) if k > 1 => (Known::Const(1), None),
                (0, Known::Truth) => (Known::Truth, Some((Relation::Same, other))),
                _ => (Known::Truth, Some((Relation::Ne(k), other))),
            },
            (I8And | I16And | I32And | I64And, Some(0)) => (Known::Const(0), None),
            (I8And | I16And | I32And | I64And, Some(1)) => match known {
                Known::Truth => (Known::Truth, Some((Relation::Same, other))),
                _ => (Known::Truth, Some((Relation::Part, other))),
            },
            (I8And | I16And | I32And | I64And, Some(_)) => {
                (Known::Any, Some((Relation::Part, other)))
            }
            (I8Or | I16Or | I32Or | I64Or, Some(k)) if k != 0 => (Known::NonZero, None),
            (I8Xor | I16Xor | I32Xor | I64Xor, Some(1)) if known == Known::Truth => {
                (Known::Truth, Some((Relation::Eqz, other)))
            }
            (
                I8And | I8Or | I8Xor | I16And | I16Or | I16Xor | I32And | I32Or | I32Xor | I64And
                | I64Or | I64Xor,
                None,
            ) if (x, y) == (Known::Truth, Known::Truth) => (Known::Truth, None),
            _ if constant::is_truth(op) => (Known::Truth, None),
            _ => (Known::Any, None),
        }
    }
}

/// The instruction that sets a local to what is known of it, if that is one value.
fn folded(dst: Local, known: Known) -> Option<Inst> {
    match known {
        Known::Const(bits) => Some(Inst::Const { dst, bits }),
        _ => None,
    }
}
