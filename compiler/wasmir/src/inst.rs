//! Instructions and terminators.
//!
//! An instruction reads locals and writes locals. Most operators of wasm appear under their own name
//! ([`Opcode`]) in one of the operator forms; what needs special handling everywhere (constants,
//! copies, memory access, addresses, globals, calls) has a variant of its own. An [`Inst`] is 24
//! bytes and `Copy`; lists of operands, immediates and wide constants live in the body's pools.

use crate::entities::*;
use crate::op::Opcode;
use crate::types::HeapType;
use cranelift_entity::packed_option::PackedOption;

/// A list of result locals followed by argument locals in the pool of a [`crate::Body`].
///
/// Invariant: a range of the pool belongs to one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Operands {
    pub(crate) start: u32,
    pub(crate) results: u16,
    pub(crate) args: u16,
}

impl Operands {
    /// How many results.
    pub fn num_results(self) -> usize {
        self.results as usize
    }

    /// How many arguments.
    pub fn num_args(self) -> usize {
        self.args as usize
    }
}

/// Alignment of a memory access, whether it is volatile and whether it may trap, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    const VOLATILE: u8 = 0x80;
    const NOTRAP: u8 = 0x40;

    /// An ordinary access aligned to `1 << align_log2` bytes (a hint, as in wasm).
    pub fn new(align_log2: u8) -> Access {
        Access(align_log2 & 0x3f)
    }

    /// The same access, which no pass may remove, duplicate or reorder with other volatile ones.
    #[must_use]
    pub fn volatile(self) -> Access {
        Access(self.0 | Access::VOLATILE)
    }

    /// The same access, of which is known that it does not trap. A load may go if nobody reads its result.
    #[must_use]
    pub fn notrap(self) -> Access {
        Access(self.0 | Access::NOTRAP)
    }

    /// The binary logarithm of the alignment.
    pub fn align_log2(self) -> u8 {
        self.0 & 0x3f
    }

    /// Whether the access is volatile.
    pub fn is_volatile(self) -> bool {
        self.0 & Access::VOLATILE != 0
    }

    /// Whether the access is known not to trap.
    pub fn is_notrap(self) -> bool {
        self.0 & Access::NOTRAP != 0
    }

    /// The byte that holds it all.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The access that [`Access::bits`] stands for; every byte is one.
    pub fn from_bits(bits: u8) -> Access {
        Access(bits)
    }
}

/// The memory argument of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemArg {
    /// The memory.
    pub memory: Memory,
    /// Added to the address without wrapping.
    pub offset: u64,
    /// Alignment, and what may be done with it.
    pub access: Access,
}

/// The immediates of an operator in the general form; the variant follows the operator's
/// [`crate::ImmKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Imm {
    /// A memory argument.
    Memarg(MemArg),
    /// A memory argument and a lane.
    MemargLane(MemArg, u8),
    /// A lane.
    Lane(u8),
    /// Sixteen lanes.
    Shuffle([u8; 16]),
    /// A memory.
    Memory(Memory),
    /// Destination and source memory.
    MemoryMemory(Memory, Memory),
    /// A data segment and a memory.
    DataMemory(Data, Memory),
    /// A data segment.
    Data(Data),
    /// A table.
    Table(Table),
    /// Destination and source table.
    TableTable(Table, Table),
    /// An element segment and a table.
    ElemTable(Elem, Table),
    /// An element segment.
    Elem(Elem),
    /// A type.
    Ty(TypeId),
    /// A struct type and the index of a field.
    TyField(TypeId, u32),
    /// Destination and source type.
    TyTy(TypeId, TypeId),
    /// A type and a data segment.
    TyData(TypeId, Data),
    /// A type and an element segment.
    TyElem(TypeId, Elem),
    /// A type and a count.
    TyCount(TypeId, u32),
    /// A heap type.
    Heap(HeapType),
    /// A function.
    Func(Func),
}

/// What a call calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// This function.
    Direct(Func),
    /// The function at an index of a table, checked against a type; the index is the last argument.
    Indirect {
        /// The table.
        table: Table,
        /// The type checked.
        ty: TypeId,
    },
    /// The function a reference of this type refers to; the reference is the last argument.
    Ref(TypeId),
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inst {
    /// `dst` = a constant; `bits` holds an integer zero-extended or a float's bits.
    Const {
        /// Result, of an integer type up to 64 bits or a float type.
        dst: Local,
        /// The constant.
        bits: u64,
    },
    /// `dst` = a constant of type `v128` or `i128`.
    ConstWide {
        /// Result.
        dst: Local,
        /// The constant.
        value: WideId,
    },
    /// `dst` = `src`.
    Copy {
        /// Result.
        dst: Local,
        /// Operand.
        src: Local,
    },
    /// An operator without immediates on one operand.
    Unary {
        /// The operator.
        op: Opcode,
        /// Result.
        dst: Local,
        /// Operand.
        arg: Local,
    },
    /// An operator without immediates on two operands.
    Binary {
        /// The operator.
        op: Opcode,
        /// Result.
        dst: Local,
        /// Operands.
        args: [Local; 2],
    },
    /// An operator without immediates on three operands.
    Ternary {
        /// The operator.
        op: Opcode,
        /// Result.
        dst: Local,
        /// Operands.
        args: [Local; 3],
    },
    /// Any other operator of class [`crate::OpClass::Plain`].
    Op {
        /// The operator.
        op: Opcode,
        /// Its immediates.
        imm: PackedOption<ImmId>,
        /// Results and operands.
        operands: Operands,
    },
    /// Loads from memory.
    Load {
        /// An operator of class [`crate::OpClass::Load`].
        op: Opcode,
        /// Alignment and volatility.
        access: Access,
        /// Result.
        dst: Local,
        /// Address.
        addr: Local,
        /// The memory.
        memory: Memory,
        /// Added to the address without wrapping.
        offset: u64,
    },
    /// Stores to memory.
    Store {
        /// An operator of class [`crate::OpClass::Store`].
        op: Opcode,
        /// Alignment and volatility.
        access: Access,
        /// Address.
        addr: Local,
        /// The value stored.
        value: Local,
        /// The memory.
        memory: Memory,
        /// Added to the address without wrapping.
        offset: u64,
    },
    /// `dst` = the address of a stack slot plus `offset`.
    StackAddr {
        /// Result.
        dst: Local,
        /// The slot.
        slot: StackSlot,
        /// Added to the address.
        offset: i32,
    },
    /// `dst` = the address of a symbol plus `addend`, filled in by the linker; of thread-local data the distance from
    /// `__tls_base`.
    SymAddr {
        /// Result.
        dst: Local,
        /// A function, data symbol or global.
        item: Item,
        /// Added to the address.
        addend: i64,
    },
    /// `dst` = the value of a global.
    GlobalGet {
        /// Result.
        dst: Local,
        /// The global.
        global: Global,
    },
    /// A global = `src`.
    GlobalSet {
        /// The global.
        global: Global,
        /// Operand.
        src: Local,
    },
    /// Calls a function.
    Call {
        /// What to call.
        callee: Callee,
        /// Results and arguments (a table index or reference comes last).
        operands: Operands,
    },
}

/// A list of blocks in the pool of a [`crate::Body`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BlockList {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl BlockList {
    /// How many blocks.
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether the list is empty.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// One clause of a list of exception handlers; the first that matches is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// The tag caught, or any exception.
    pub tag: Option<Tag>,
    /// Locals that receive the tag's payload, as results.
    pub payload: Operands,
    /// A local that receives the exception as an `exnref`.
    pub exnref: Option<Local>,
    /// Where to continue.
    pub target: Block,
}

/// The end of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terminator {
    /// Traps.
    #[default]
    Unreachable,
    /// Continues elsewhere.
    Jump(Block),
    /// Continues at `then_to` if `cond` (an `i32`) is not zero, else at `else_to`.
    BrIf {
        /// The condition.
        cond: Local,
        /// Target if not zero.
        then_to: Block,
        /// Target if zero.
        else_to: Block,
    },
    /// Continues at the block `index` selects (unsigned), or at the default beyond the list.
    BrTable {
        /// The selector, an `i32`.
        index: Local,
        /// The targets.
        targets: BlockList,
        /// The target beyond the list.
        default: Block,
    },
    /// Returns the arguments.
    Return(Operands),
    /// Replaces this activation by a call.
    ReturnCall {
        /// What to call.
        callee: Callee,
        /// The arguments; there are no results.
        operands: Operands,
    },
    /// Calls a function and continues at `normal`, or at a handler if it throws.
    Invoke {
        /// What to call.
        callee: Callee,
        /// Results and arguments.
        operands: Operands,
        /// Where to continue after a return.
        normal: Block,
        /// Where to continue after an exception.
        handlers: HandlersId,
    },
    /// Throws a new exception.
    Throw {
        /// Its tag.
        tag: Tag,
        /// Its payload, as arguments.
        operands: Operands,
        /// Handlers in this function.
        handlers: PackedOption<HandlersId>,
    },
    /// Throws an exception again; null traps.
    ThrowRef {
        /// The exception.
        exn: Local,
        /// Handlers in this function.
        handlers: PackedOption<HandlersId>,
    },
}

/// Where an instruction comes from: an opaque position that [`crate::DebugInfo`] resolves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SrcLoc(pub u32);

impl SrcLoc {
    /// Nowhere in particular.
    pub const NONE: SrcLoc = SrcLoc(u32::MAX);

    /// Whether there is a position.
    pub fn is_some(self) -> bool {
        self != SrcLoc::NONE
    }
}

impl Default for SrcLoc {
    fn default() -> SrcLoc {
        SrcLoc::NONE
    }
}

const _: () = assert!(std::mem::size_of::<Inst>() == 24);
const _: () = assert!(std::mem::size_of::<Terminator>() <= 32);
